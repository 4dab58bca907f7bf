//! Identifiers of rows and requests: prefixed, time-sortable, unguessable.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::name::validated_name;

/// What an [`Id`] identifies; decides its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// A secret (`sec_`).
    Secret,
    /// One version of a secret (`sec_v_`).
    SecretVersion,
    /// A tenant (`tnt_`).
    Tenant,
    /// Somebody who administers (`actor_`).
    Actor,
    /// A key of an actor (`key_`).
    Key,
    /// An invitation (`inv_`).
    Invitation,
    /// A stack (`stk_`).
    Stack,
    /// A hostname of a tenant (`hst_`).
    Hostname,
    /// A request that waits for workers (`run_`).
    Run,
    /// A worker's part in it (`opc_`).
    Wait,
}

impl IdKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Secret => "sec_",
            Self::SecretVersion => "sec_v_",
            Self::Tenant => "tnt_",
            Self::Actor => "actor_",
            Self::Key => "key_",
            Self::Invitation => "inv_",
            Self::Stack => "stk_",
            Self::Hostname => "hst_",
            Self::Run => "run_",
            Self::Wait => "opc_",
        }
    }
}

/// A row identifier as the existing chassis writes them: prefix and base58 of 16 bytes,
/// 48 bits of Unix milliseconds and 80 bits of randomness.
///
/// Unlike there (weakness S13) the 80 bits come from the operating system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// Mints a fresh identifier.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn mint(kind: IdKind, unix_millis: u64) -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)?;
        let time = unix_millis.to_be_bytes();
        for (to, from) in bytes.iter_mut().zip(time.iter().skip(2)) {
            *to = *from;
        }
        Ok(Self(format!("{}{}", kind.prefix(), bs58::encode(bytes).into_string()).into()))
    }

    /// Takes an identifier as it stands in a database; ids are compared, never parsed.
    #[must_use]
    pub fn from_row(text: String) -> Self {
        Self(text.into())
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

validated_name!(
    /// Our own identifier of one request (R35): `req_` and 22 base58 characters.
    /// Safe as a folder name; a client's `X-Request-ID` never becomes one (weakness T1).
    RequestId,
    "request id",
    "expected req_ and 22 base58 characters",
    |text| text.strip_prefix("req_").is_some_and(|rest| {
        rest.len() == 22 && rest.bytes().all(|b| b.is_ascii_alphanumeric() && !b"0OIl".contains(&b))
    })
);

impl RequestId {
    /// Mints a fresh request id.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn mint() -> Result<Self, getrandom::Error> {
        let mut digits = [0; 22];
        // 16 bytes are 16 to 22 digits of base58, whose zero is `1`. It always fits.
        let len = bs58::encode(ahead()?).onto(digits.as_mut_slice()).unwrap_or_default();
        let mut text = *b"req_1111111111111111111111";
        for (place, digit) in text.iter_mut().rev().zip(digits.iter().take(len).rev()) {
            *place = *digit;
        }
        Ok(Self(str::from_utf8(&text).unwrap_or_default().into()))
    }

    /// The 16 bytes that it stands for: as many as a trace id of OpenTelemetry has.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 16] {
        let digits = self.0.strip_prefix("req_").unwrap_or_default();
        let decoded = bs58::decode(digits).into_vec().unwrap_or_default();
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().rev().zip(decoded.iter().rev()) {
            *to = *from;
        }
        bytes
    }
}

/// How many ids' randomness a thread asks the system for at once: every request has an id.
const AHEAD: usize = 32;

thread_local! {
    static RANDOM: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
}

/// 16 random bytes of the operating system's, asked for ahead.
fn ahead() -> Result<[u8; 16], getrandom::Error> {
    RANDOM.with_borrow_mut(|random| {
        if random.is_empty() {
            let mut fresh = [[0; 16]; AHEAD];
            getrandom::fill(fresh.as_flattened_mut())?;
            random.extend(fresh);
        }
        random.pop().ok_or(getrandom::Error::UNEXPECTED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_kind_sort_by_time() {
        let early = Id::mint(IdKind::Secret, 1_700_000_000_000).unwrap();
        let late = Id::mint(IdKind::Secret, 1_800_000_000_000).unwrap();
        assert!(early < late);
        assert!(early.as_str().starts_with("sec_"));
    }

    /// Weakness S13: who knows one identifier cannot tell the next, of the same moment neither.
    #[test]
    fn s13_ids_of_one_moment_come_in_no_order() {
        let minted: Vec<_> = (0..100).map(|_| Id::mint(IdKind::Secret, 1_700_000_000_000).unwrap()).collect();
        let mut sorted = minted.clone();
        sorted.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        assert!(sorted.windows(2).all(|two| two[0] != two[1]), "each is another");
        assert!(sorted != minted, "and they do not count up");
    }

    #[test]
    fn a_request_id_is_sixteen_bytes() {
        let bytes = |digits: &str| RequestId::parse(&format!("req_{digits}")).unwrap().to_bytes();
        assert_eq!(bytes("1111111111111111111111"), [0; 16]);
        let mut two = [0; 16];
        two[14..].copy_from_slice(&[1, 0]);
        // 256 is 4 times 58 and 24.
        assert_eq!(bytes("111111111111111111115R"), two);
        let id = RequestId::mint().unwrap();
        let text = bs58::encode(id.to_bytes()).into_string();
        assert_eq!(format!("req_{text:1>22}"), id.as_str());
    }

    #[test]
    fn minted_request_ids_parse_and_path_tricks_do_not() {
        for _ in 0..200 {
            let id = RequestId::mint().unwrap();
            assert_eq!(RequestId::parse(id.as_str()), Ok(id));
        }
        for text in ["../../etc", "req_", "req_0000000000000000000000", "req_../../../../../../../etc"] {
            assert!(RequestId::parse(text).is_err(), "{text}");
        }
    }
}
