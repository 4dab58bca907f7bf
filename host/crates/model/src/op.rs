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

/// The bytes that hexadecimal digits of either case stand for, two for each; nothing when that is
/// not what they are.
#[must_use]
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let whole = rest.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if whole { pairs.iter().map(byte).collect() } else { None }
}

/// SHA-256 of some bytes (FIPS 180-4), printed as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digests `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hex digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        unhex(hex)?.try_into().ok().map(Self)
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

/// Whose bytes an op is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// This binary's own: `txco://NAME`.
    Builtin,
    /// The tenant's: `op://NAME`.
    Tenant,
}

impl Origin {
    /// As in an `EXEC`, without the colon.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Builtin => "txco",
            Self::Tenant => "op",
        }
    }
}

/// How an op is given its secrets. One that serves both ways is built twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// They are shown to it, in its own memory. Also the way of an op that asks for none.
    Reveal,
    /// The host computes with them, and it never sees them.
    Use,
}

impl Delivery {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Reveal, Self::Use];

    /// `reveal` or `use`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reveal => "reveal",
            Self::Use => "use",
        }
    }

    /// Reads `reveal` or `use`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|delivery| delivery.word() == word)
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_print_and_parse_as_sixty_four_digits() {
        let digest = Digest::of(b"abc");
        let text = digest.to_string();
        assert!(text.starts_with("ba7816bf") && text.len() == 64);
        assert_eq!(Digest::parse(&text), Some(digest));
        assert_eq!(Digest::parse(&text.to_uppercase()), Some(digest));
        for bad in ["", &text[1..], &format!("{text}0"), &text.replace('b', "+"), &text.replace("ba", "é")] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn deliveries_have_words() {
        assert!(Delivery::ALL.into_iter().all(|one| Delivery::parse(one.word()) == Some(one)));
        assert_eq!(Delivery::parse("both"), None);
    }
}
