//! A master key that stands in the setting itself, in one of four spellings of base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use vault::MasterKey;
use zeroize::Zeroizing;

use super::KeyError;
use crate::config::InlineKey;

/// Decodes `key`: standard or URL-safe alphabet (RFC 4648), padded or not.
pub(super) fn decode(key: &InlineKey) -> Result<MasterKey, KeyError> {
    // Line breaks are what `base64` and secret managers add; the existing chassis ignores them too.
    let text: Zeroizing<String> =
        Zeroizing::new(key.text().chars().filter(|c| !matches!(c, '\r' | '\n')).collect());
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
