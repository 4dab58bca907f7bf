//! A webhook as it was received: its time, its id, its signatures.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use parts::webhook::Scheme;
use parts::{json, split};

/// What was received beside the body.
pub(crate) struct Received {
    /// Empty where the scheme has none.
    pub(crate) id: String,
    /// The time as it was written, since that is what was signed.
    pub(crate) time: String,
    /// The same in seconds since 1970; nothing where the scheme has none.
    pub(crate) seconds: Option<u64>,
    /// Those of this version of the scheme; at least one.
    pub(crate) signatures: Vec<Vec<u8>>,
}

/// Why a message is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    SignatureMissing,
    TimestampMissing,
    IdMissing,
    BodyMissing,
    Malformed,
    TooOld,
    TooNew,
    Mismatch,
}

impl Reason {
    /// Its word for rules.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::SignatureMissing => "signature-missing",
            Self::TimestampMissing => "timestamp-missing",
            Self::IdMissing => "id-missing",
            Self::BodyMissing => "body-missing",
            Self::Malformed => "malformed",
            Self::TooOld => "too-old",
            Self::TooNew => "too-new",
            Self::Mismatch => "mismatch",
        }
    }

    /// The verdict with this reason.
    pub(crate) fn members(self) -> Vec<(&'static str, String)> {
        vec![("valid", "false".to_owned()), ("reason", json::quoted(self.word()))]
    }
}

impl Received {
    /// Reads what the headers say. Stripe's time is in the header of the signatures, in any
    /// place; unknown versions of a signature are passed over, as vendors ask for.
    pub(crate) fn read(
        scheme: Scheme,
        signature: &str,
        time: Option<String>,
        id: String,
    ) -> Result<Self, Reason> {
        // A full stop would let one signature be of two messages.
        if id.contains('.') {
            return Err(Reason::Malformed);
        }
        let (written, time) = match scheme {
            Scheme::Stripe => {
                let items = split(signature, ',');
                let mut times = items.iter().filter_map(|item| item.strip_prefix("t="));
                let time = times.next().map(str::to_owned);
                if times.next().is_some() {
                    return Err(Reason::Malformed);
                }
                (items, time)
            }
            Scheme::StandardWebhooks => (split(signature, ' '), time),
            Scheme::Github | Scheme::Slack => (vec![signature.trim()], time),
        };
        let seconds = match (scheme.has_time(), &time) {
            (false, _) => None,
            (true, None) => return Err(Reason::TimestampMissing),
            (true, Some(time)) => Some(seconds(time).ok_or(Reason::Malformed)?),
        };
        let signatures: Vec<_> = written.into_iter().filter_map(|one| scheme.read(one)).collect();
        if signatures.is_empty() {
            return Err(Reason::Malformed);
        }
        Ok(Self { id, time: time.unwrap_or_default(), seconds, signatures })
    }

    /// Whether its time lies no further from now than `tolerance`.
    pub(crate) fn is_fresh(&self, now: u64, tolerance: u64) -> Result<(), Reason> {
        match self.seconds {
            Some(seconds) if now.saturating_sub(seconds) > tolerance => Err(Reason::TooOld),
            Some(seconds) if seconds.saturating_sub(now) > tolerance => Err(Reason::TooNew),
            _ => Ok(()),
        }
    }
}

/// Digits and nothing else.
fn seconds(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
