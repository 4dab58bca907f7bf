//! Which op: its name, and the digest of its bytes.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::name::validated_name;

validated_name!(
    /// The name of an op, as in `txco://hmac-sign`.
    OpName,
    "op name",
    "expected 1 to 64 of letters, digits, _ and -",
    |text| !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
);

/// SHA-256 of some bytes (FIPS 180-4), printed as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digests `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An op and the very bytes of it: a grant to an op is a grant to those bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpRef {
    /// The op's name.
    pub name: OpName,
    /// The digest of its component.
    pub digest: Digest,
}

impl fmt::Display for OpRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.digest)
    }
}
