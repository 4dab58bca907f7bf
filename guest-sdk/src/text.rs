//! Bytes as text and back, and the comparison that takes the same time for all.

use alloc::string::String;
use alloc::vec::Vec;
use core::hint::black_box;

use base64ct::{Base64, Base64Unpadded, Base64UrlUnpadded, Encoding as _};

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// Base64 (RFC 4648 §4) with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Base64 for URLs (RFC 4648 §5) without padding, as JWTs have it.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The bytes of hexadecimal digits of either case, or `None`.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(nibble(*high)? << 4 | nibble(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The bytes of base64 (RFC 4648 §4), padded or not, or `None`.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    Base64Unpadded::decode_vec(unpadded(text)?).ok()
}

/// The bytes of base64 for URLs (RFC 4648 §5), padded or not, or `None`.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(unpadded(text)?).ok()
}

/// Without the padding, which must be all of it when there is any.
fn unpadded(text: &str) -> Option<&str> {
    let bare = text.trim_end_matches('=');
    (bare.len() == text.len() || text.len() == bare.len().next_multiple_of(4)).then_some(bare)
}

/// The bytes of base32 (RFC 4648 §6) in either case, spaces and padding ignored, or `None`.
pub(crate) fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for symbol in text.bytes().filter(|symbol| !matches!(symbol, b' ' | b'=')) {
        let five = match symbol.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        (held, bits) = (held << 5 | u32::from(five), bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    // What is left over is padding: fewer than one symbol's bits, and none set.
    (bits < 5 && held == 0).then_some(bytes)
}

/// Whether two texts or byte strings are the same. How long it takes says nothing about where
/// they differ, so a signature cannot be guessed byte by byte.
#[must_use]
pub fn equal(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    let (one, other) = (one.as_ref(), other.as_ref());
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
    one.len() == other.len() && differ == 0
}
