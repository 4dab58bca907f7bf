//! What is said of a secret or a version of it, beside the value.

use jiff::{SignedDuration, Timestamp};
use model::Policy;
use store::{By, PolicyRow};

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
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    /// What it is for; nothing leaves what is there.
    pub description: Option<&'a str>,
    /// The actor who does it.
    pub by: By<'a>,
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

impl<'a> Terms<'a> {
    /// Nothing is said but who does it.
    #[must_use]
    pub const fn of(by: By<'a>) -> Self {
        Self {
            description: None,
            by,
            key_encoding: None,
            expires_at: None,
            overlap: None,
            policy: PolicyChange::Keep,
            policy_required: false,
        }
    }

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
