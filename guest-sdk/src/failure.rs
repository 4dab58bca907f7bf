//! Why an op has no output.

use alloc::string::String;

use crate::SecretError;
use crate::bindings::txco::op::keys::KeyError;
use crate::text::concat;

/// Why an op has no output; the request halts with it.
///
/// `?` makes one of a text, and every function of this crate that can fail gives one:
///
/// ```
/// # use txco_op::prelude::*;
/// fn user(call: &Call) -> Result<String, Failure> {
///     let user = call.text("user").ok_or("missing user in WITH")?;
///     if user.contains(':') {
///         return Err(fail!("user must not contain a colon"));
///     }
///     Ok(user)
/// }
/// ```
///
/// The message is for the operator. It must quote no secret and should quote no values of the
/// envelope; of an op that was shown a secret the chassis passes the code alone, unless the
/// secret's policy trusts the op with more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: Option<&'static str>,
    message: String,
}

impl Failure {
    /// A failure with the op's first code of `op.toml`, or `failed` when that has none.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into() }
    }

    /// A failure with a code of its own, which `op.toml` must list under `failures`.
    pub fn coded(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), message: message.into() }
    }

    /// The code; `failed` until [`op`](crate::op) has put the op's own.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.unwrap_or("failed")
    }

    /// The line for the operator.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// With the op's name and code, as the chassis gets it.
    pub(crate) fn of(self, op: &str, code: &'static str) -> Self {
        Self { code: Some(self.code.unwrap_or(code)), message: concat(&[op, ": ", &self.message]) }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn into_wire(self) -> crate::bindings::Failure {
        crate::bindings::Failure { code: self.code().into(), message: self.message }
    }

    /// Words and values one after the other, without the machinery of formatting.
    pub(crate) fn words(words: &[&str]) -> Self {
        Self::new(concat(words))
    }

    /// Why a secret could not be revealed.
    pub(crate) fn reveal(slot: &str, error: SecretError) -> Self {
        match error {
            SecretError::Denied => {
                Self::words(&["the secret in secrets.", slot, " may not be revealed to it"])
            }
            SecretError::NoSuchSlot | SecretError::NoSuchVersion => Self::missing(slot),
        }
    }

    /// Why a key could not be opened or used.
    pub(crate) fn key(slot: &str, error: KeyError) -> Self {
        match error {
            KeyError::Secret(SecretError::Denied) => {
                Self::words(&["the secret in secrets.", slot, " may not be used by it"])
            }
            KeyError::Secret(SecretError::NoSuchSlot | SecretError::NoSuchVersion) => Self::missing(slot),
            KeyError::Unusable(reason) => Self::unusable(slot, &reason),
        }
    }

    /// A value that is no key, with words that quote nothing of it. A public key has no slot.
    pub(crate) fn unusable(slot: &str, reason: &str) -> Self {
        match slot {
            "" => Self::words(&["the public key is no such key: ", reason]),
            _ => Self::words(&["the secret in secrets.", slot, " is no such key: ", reason]),
        }
    }

    fn missing(slot: &str) -> Self {
        Self::words(&["missing secrets.", slot, ".secret in WITH"])
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// A [`Failure`] with a message as of `format!`.
///
/// ```
/// # use txco_op::{fail, Failure};
/// let name = "x";
/// assert_eq!(fail!("nothing at {name:?}"), Failure::new("nothing at \"x\""));
/// ```
#[macro_export]
macro_rules! fail {
    ($($words:tt)+) => {
        $crate::Failure::new($crate::__::format!($($words)+))
    };
}
