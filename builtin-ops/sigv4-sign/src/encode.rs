//! Percent-encoding as AWS wants it: everything but letters, digits and `-_.~`.

use alloc::string::String;
use alloc::vec::Vec;

/// `text` with everything escaped but the unreserved characters and those in `kept`.
pub(crate) fn escaped(text: &[u8], kept: &[u8]) -> String {
    let mut made = String::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) || kept.contains(byte) {
            made.push(char::from(*byte));
        } else {
            made.push('%');
            made.push_str(&txco_op::hex(&[*byte]).to_ascii_uppercase());
        }
    }
    made
}

/// The bytes behind escapes; a `%` that escapes nothing stands for itself.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| *byte == b'%');
        let escape = escape.and_then(|two| txco_op::from_hex(core::str::from_utf8(two).ok()?));
        rest = match escape.as_deref() {
            Some([escaped]) => {
                made.push(*escaped);
                after.get(2..).unwrap_or_default()
            }
            _ => {
                made.push(*byte);
                after
            }
        };
    }
    made
}
