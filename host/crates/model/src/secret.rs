//! How a secret is named, by people and by rules.

use std::fmt;

use crate::name::validated_name;
use crate::{FormatTemplate, NameError, Path};

validated_name!(
    /// The name of a secret; safe to log.
    SecretName,
    "secret name",
    "must match [A-Za-z][A-Za-z0-9_]*, 1 to 128 characters",
    |text| text.len() <= 128
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
);

validated_name!(
    /// A stack's name: segments joined by `/`, such as `shop/eu`.
    StackName,
    "stack",
    "expected segments of letters, digits, _ and - joined by /, at most 128 characters",
    |text| text.len() <= 128
        && text.split('/').all(|segment| {
            !segment.is_empty()
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        })
);

/// Where a rule wants a secret: the path below `WITH secrets.`, such as `key`,
/// `headers.authorization` or `body.client_secret`.
///
/// A guest sees its slots, never the tenant's names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(Path);

impl Slot {
    /// Makes a slot of the path below `secrets`; an empty path is refused.
    ///
    /// # Errors
    /// [`NameError`] when the path has no segment.
    pub fn new(path: Path) -> Result<Self, NameError> {
        if path.is_empty() {
            return Err(NameError::new(
                "secret slot",
                "",
                "a secret needs a place: WITH secrets.<place>.secret",
            ));
        }
        Ok(Self(path))
    }

    /// The path below `secrets`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A rule's reference to a secret: a name *without tenant*, so that it resolves only
/// inside the caller's tenant, the slot it fills, and the text around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// Where the secret goes.
    pub slot: Slot,
    /// Which secret.
    pub name: SecretName,
    /// The text around the value, when the rule gave one.
    pub format: Option<FormatTemplate>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_specification() {
        for good in ["STRIPE_API_KEY", "a", "A1_", &"x".repeat(128)] {
            assert!(SecretName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "1A", "_A", "A-B", "A B", "Ä", "a|b", &"x".repeat(129)] {
            assert!(SecretName::parse(bad).is_err(), "{bad}");
        }
        assert!(StackName::parse("shop/eu").is_ok());
        for bad in ["", "/", "a//b", "a/", "a b", "../x"] {
            assert!(StackName::parse(bad).is_err(), "{bad}");
        }
    }
}
