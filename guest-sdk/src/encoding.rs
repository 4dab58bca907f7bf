//! How a stored value is read as the bytes of a key.

use crate::text::{from_base32, from_base64, from_base64url, from_hex};
use crate::{Encoding, Secret};

/// What Standard Webhooks puts before a key.
const WHSEC: &str = "whsec_";

impl Encoding {
    /// The key in a revealed secret, or what would have been one; the reason quotes nothing.
    ///
    /// What a secret itself declares the host knows alone: what it reveals then is the key.
    #[inline]
    pub(crate) fn decode(self, secret: Secret) -> Result<Secret, &'static str> {
        if matches!(self, Self::Declared | Self::Text) {
            return Ok(secret);
        }
        let text = core::str::from_utf8(secret.expose()).ok();
        let (bytes, reason) = match self {
            Self::Declared | Self::Text => (None, ""),
            Self::Hex => (text.and_then(from_hex), "expected hexadecimal digits, two per byte"),
            Self::Base64 => (text.and_then(from_base64), "expected base64 (RFC 4648 section 4)"),
            Self::Base64url => (text.and_then(from_base64url), "expected base64url (RFC 4648 section 5)"),
            Self::Base32 => (text.and_then(from_base32), "expected base32 (RFC 4648 section 6)"),
            Self::Whsec => (
                text.and_then(|text| text.strip_prefix(WHSEC)).and_then(from_base64),
                "expected whsec_ and base64 after it",
            ),
        };
        // A key of nothing is a mistake, whatever HMAC says.
        bytes.filter(|bytes| !bytes.is_empty()).map(Secret::new).ok_or(reason)
    }
}
