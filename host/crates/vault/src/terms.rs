//! What is said of a secret or a version of it, beside the value.

use jiff::{SignedDuration, Timestamp};
use model::Policy;
use store::PolicyRow;

use crate::cleartext::Cleartext;
use crate::encoding::Encoding;
use crate::error::Error;

/// What happens to a secret's policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PolicyChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away: the secret may be used for anything in its tenant.
    Lift,
    /// This takes its place.
    Put(Policy),
}

/// What is said of a secret or a version of it, beside the value.
#[derive(Debug, Clone, Default)]
pub struct Terms<'a> {
    /// What it is for; nothing leaves what is there.
    pub description: Option<&'a str>,
    /// The actor who does it.
    pub by: Option<&'a str>,
    /// How the value is read as a key; nothing is as the version before, or as text.
    pub key_encoding: Option<Encoding>,
    /// When the version expires.
    pub expires_at: Option<Timestamp>,
    /// For how long the version before stays in use beside it.
    pub overlap: Option<SignedDuration>,
    /// Its policy.
    pub policy: PolicyChange,
    /// Whether a secret without a policy is refused (`--secrets-require-policy`).
    pub policy_required: bool,
}

/// How large things may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of a value; [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES) are the most there can be.
    pub value: usize,
    /// Bytes of a description.
    pub description: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { value: 64 * 1024, description: 1024 }
    }
}

impl Sizes {
    pub(crate) fn holds(self, description: Option<&str>, value: Option<&Cleartext>) -> Result<(), Error> {
        let (said, bytes) = (description.map_or(0, str::len), value.map_or(0, Cleartext::len));
        if said > self.description {
            return Err(Error::DescriptionTooLong { found: said, most: self.description });
        }
        if bytes > self.value {
            return Err(Error::ValueTooLong { found: bytes, most: self.value });
        }
        Ok(())
    }
}

impl Terms<'_> {
    /// The policy that a secret has after this.
    pub(crate) fn policy_after(&self, before: Option<&PolicyRow>) -> Result<Option<PolicyRow>, Error> {
        let after = match &self.policy {
            PolicyChange::Keep => before.cloned(),
            PolicyChange::Lift => None,
            PolicyChange::Put(policy) if policy.is_too_long() => return Err(Error::PolicyTooLong),
            PolicyChange::Put(policy) => Some(PolicyRow::of(policy.clone())),
        };
        match after {
            None if self.policy_required => Err(Error::PolicyRequired),
            after => Ok(after),
        }
    }
}
