//! Master keys that stand in the setting itself, in one of four spellings of base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use vault::{KeyRing, MasterKey};
use zeroize::Zeroizing;

use super::KeyError;
use super::inherited::ring_of;
use crate::config::InlineKey;

/// Decodes `keys`, separated by commas, the active one first.
pub(super) fn decode(keys: &InlineKey) -> Result<KeyRing, KeyError> {
    let keys = keys.text().split(',').map(decode_one).collect::<Result<Vec<_>, _>>()?;
    ring_of(keys).ok_or_else(|| KeyError::MalformedInline("not valid base64".to_owned()))
}

/// Standard or URL-safe alphabet (RFC 4648), padded or not.
fn decode_one(text: &str) -> Result<MasterKey, KeyError> {
    // Line breaks are what `base64` and secret managers add; the existing chassis ignores them too.
    let text: Zeroizing<String> =
        Zeroizing::new(text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect());
    let bytes = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|spelling| spelling.decode(text.as_bytes()).ok())
        .ok_or_else(|| KeyError::MalformedInline("not valid base64".to_owned()))?;
    let mut bytes = Zeroizing::new(bytes);
    if bytes.len() != 32 {
        let reason = format!("inline master key must decode to 32 bytes, got {}", bytes.len());
        return Err(KeyError::MalformedInline(reason));
    }
    MasterKey::from_bytes(&mut bytes).map_err(KeyError::Refused)
}
