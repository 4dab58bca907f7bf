//! What rows look like outside this crate: names, times and sealed bytes.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use model::{Digest, Id, Policy, SecretName, StackName, TenantId, TenantSlug};

/// The length of a nonce.
pub const NONCE_BYTES: usize = 12;
/// The length of a wrapped DEK: 32 bytes and a tag of 16.
pub const WRAPPED_DEK_BYTES: usize = 48;

/// Which key sealed a row: eight bytes derived from it, printed as hex. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// Takes the derived bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Reads 16 hex digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let digits = hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(hex, 16).ok()).flatten().map(|number| Self(number.to_be_bytes()))
    }

    /// The eight bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What tells a key from another with the same id: sixteen bytes derived from it. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckValue([u8; 16]);

impl CheckValue {
    /// Takes the derived bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The layout of the associated data a row was sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AadScheme {
    /// The Go chassis's text, which names the key by a generation number.
    One {
        /// The generation.
        key_version: i64,
        /// The key that wraps the DEK, once we have wrapped it anew; the Go chassis did not say.
        key_id: Option<KeyId>,
    },
    /// Ours (R10), which names the key by its id.
    Two {
        /// The key.
        key_id: KeyId,
    },
}

/// The sealed bytes of one version: opaque to this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The layout of the associated data.
    pub scheme: AadScheme,
    /// The nonce of the value layer.
    pub nonce: [u8; NONCE_BYTES],
    /// The sealed value, tag last.
    pub ciphertext: Vec<u8>,
    /// The nonce of the DEK layer.
    pub dek_nonce: [u8; NONCE_BYTES],
    /// The sealed DEK, tag last.
    pub wrapped_dek: [u8; WRAPPED_DEK_BYTES],
}

/// A version to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewVersion<'a> {
    /// Its bytes.
    pub sealed: &'a SealedSecret,
    /// How it is read as a key; nothing is as text. It is sealed in.
    pub key_encoding: Option<&'a str>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

/// A version of which nothing is said but its bytes.
impl<'a> From<&'a SealedSecret> for NewVersion<'a> {
    fn from(sealed: &'a SealedSecret) -> Self {
        Self { sealed, key_encoding: None, expires_at: None }
    }
}

/// The wrapped DEK of a version, with what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedRow {
    /// Where it stands in the table; good until the file is vacuumed.
    pub row: i64,
    /// The secret.
    pub secret_id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// Its name, as stored.
    pub name: String,
    /// The stack it is for, as stored; empty for the whole tenant.
    pub stack: String,
    /// Its version.
    pub version_no: u32,
    /// The layout of the associated data; `None` when this build does not know it.
    pub scheme: Option<AadScheme>,
    /// The nonce of the DEK layer.
    pub dek_nonce: Vec<u8>,
    /// The sealed DEK, tag last.
    pub wrapped_dek: Vec<u8>,
    /// The digest of its secret's policy.
    pub policy: Option<Digest>,
    /// How its value is read as a key; nothing is as text.
    pub key_encoding: Option<String>,
}

/// The exact place of a secret; administration never falls back to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretAddress<'a> {
    /// Whose secret.
    pub tenant: &'a TenantId,
    /// The stack it is for, or the whole tenant.
    pub stack: Option<&'a StackName>,
    /// Its name.
    pub name: &'a SecretName,
}

/// What may be known of a secret: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The secret.
    pub secret_id: Id,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: SecretName,
    /// The stack it is for, or the whole tenant.
    pub stack: Option<StackName>,
    /// What people wrote about it.
    pub description: Option<String>,
    /// When it was made (RFC 3339, UTC, seconds).
    pub created_at: String,
    /// The actor who made it.
    pub created_by: Option<String>,
    /// When its newest version was made, if it is not the first.
    pub last_rotated_at: Option<String>,
    /// The Go chassis's generation number of the master key; 1 wherever we write it.
    pub key_version: i64,
    /// The version in use; 0 when there is none.
    pub version_no: u32,
    /// How many versions still have their bytes.
    pub versions: u32,
    /// Its policy, when it has one.
    pub policy: Option<PolicyRow>,
    /// How the version in use is read as a key; nothing is as text.
    pub key_encoding: Option<String>,
    /// When the version in use expires.
    pub expires_at: Option<String>,
    /// The version that a newer one has left in use for now.
    pub retiring: Option<Retiring>,
    /// How often its versions were handed out, as far as it is written down.
    pub uses: u64,
    /// When one was last handed out, as far as it is written down.
    pub last_used_at: Option<String>,
    /// Whether the value has fewer than eight bytes: too short to be masked in replies
    /// except as a whole string (R6).
    pub short_value: bool,
}

/// The policy of a secret, as it stands in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyRow {
    /// This one. Its digest is sealed into the DEKs, so that another does not open them.
    Known(Arc<Policy>, Digest),
    /// A text that is no policy of this version of txco; whatever it allows is not allowed.
    Unknown,
}

impl PolicyRow {
    /// Reads the column.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.parse::<Policy>() {
            Ok(policy) => Self::of(policy),
            Err(_) => Self::Unknown,
        }
    }

    /// The row of a policy.
    #[must_use]
    pub fn of(policy: Policy) -> Self {
        let digest = policy.digest();
        Self::Known(Arc::new(policy), digest)
    }

    /// The policy, if it is known.
    #[must_use]
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        match self {
            Self::Known(policy, _) => Some(policy),
            Self::Unknown => None,
        }
    }
}

/// A version that a newer one has left in use for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retiring {
    /// Its number.
    pub version_no: u32,
    /// Until when (RFC 3339, UTC, seconds).
    pub until: String,
}

/// What may be known of one version: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFacts {
    /// Its number.
    pub version_no: u32,
    /// When it was made.
    pub created_at: String,
    /// The actor who made it (weakness K9).
    pub created_by: Option<String>,
    /// How it is read as a key; nothing is as text.
    pub key_encoding: Option<String>,
    /// Which key sealed it; nothing for an imported one.
    pub key_id: Option<String>,
    /// When it expires.
    pub expires_at: Option<String>,
    /// Until when it stays in use beside a newer one; may be past.
    pub retiring_until: Option<String>,
    /// When it was taken out of use by a rollback.
    pub revoked_at: Option<String>,
    /// When its bytes were destroyed.
    pub destroyed_at: Option<String>,
    /// The actor who destroyed them.
    pub destroyed_by: Option<String>,
    /// How often it was handed out, as far as it is written down.
    pub uses: u64,
    /// When last.
    pub last_used_at: Option<String>,
}

/// An active secret with its newest version, as an op or a request needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveSecret {
    /// The secret.
    pub secret_id: Id,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: SecretName,
    /// The stack it is for, as stored; empty for the whole tenant.
    pub stack: String,
    /// Its policy, when it has one.
    pub policy: Option<PolicyRow>,
    /// Its newest version; `None` when the row is missing or unreadable.
    pub version: Option<SealedVersion>,
    /// The version that the newest has left in use, until the time it says.
    pub retiring: Option<SealedVersion>,
}

/// One version's number, times and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVersion {
    /// Its number.
    pub version_no: u32,
    /// How it is read as a key; nothing is as text. It is sealed in.
    pub key_encoding: Option<String>,
    /// When it expires. A time that cannot be read is past.
    pub expires_at: Option<Timestamp>,
    /// Until when it stays in use beside a newer one. A time that cannot be read is past.
    pub retiring_until: Option<Timestamp>,
    /// Its bytes; `None` when the row is of a layout this build does not know.
    pub sealed: Option<SealedSecret>,
}

/// What a name means to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This secret.
    Found(Arc<ActiveSecret>),
    /// Nothing: it was revoked by us in this stack, which ends the search (R17).
    Revoked(StackName),
    /// Nothing.
    Missing,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its identifier.
    pub id: TenantId,
    /// Its name on the command line.
    pub slug: TenantSlug,
    /// Its name for people.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// The form of every time in the database.
pub(crate) fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time of the database; one that cannot be read is long past, so that nothing lasts longer
/// for being damaged.
pub(crate) fn time_of(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::MIN)
}

/// A text column that is NULL or empty says nothing.
pub(crate) fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_print_and_parse_as_sixteen_digits() {
        let id = KeyId::new([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(id.to_string(), "00010203fcfdfeff");
        assert_eq!(KeyId::parse("00010203fcfdfeff"), Some(id));
        for bad in ["", "00010203fcfdfef", "00010203fcfdfeff0", "+0010203fcfdfeff", "g0010203fcfdfeff"] {
            assert_eq!(KeyId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_utc_seconds() {
        let time = Timestamp::from_millisecond(1_700_000_000_999).unwrap();
        assert_eq!(time_text(time), "2023-11-14T22:13:20Z");
    }
}
