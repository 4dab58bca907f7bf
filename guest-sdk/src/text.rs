//! Bytes as text and back, and the comparison that takes the same time for all.

use alloc::string::String;
use alloc::vec::Vec;
use core::hint::black_box;

/// An alphabet of 2^`bits` symbols.
struct Alphabet {
    bits: u32,
    symbols: &'static [u8],
    /// To how many symbols padding fills up; 1 where there is none.
    block: usize,
}

const HEX: Alphabet = Alphabet { bits: 4, symbols: b"0123456789abcdef", block: 1 };
const BASE32: Alphabet = Alphabet { bits: 5, symbols: b"abcdefghijklmnopqrstuvwxyz234567", block: 8 };
const BASE64: Alphabet = Alphabet {
    bits: 6,
    symbols: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    block: 4,
};
const BASE64_URL: Alphabet = Alphabet {
    bits: 6,
    symbols: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    block: 4,
};

impl Alphabet {
    /// The text of `bytes`, filled up to a multiple of `block` symbols.
    fn write(&self, bytes: &[u8], block: usize) -> String {
        let mut text = Vec::with_capacity((bytes.len() * 8).div_ceil(self.bits as usize) + block);
        let (mut held, mut have) = (0_u32, 0);
        for byte in bytes {
            (held, have) = (held << 8 | u32::from(*byte), have + 8);
            while have >= self.bits {
                have -= self.bits;
                text.push(self.symbol(held >> have));
            }
        }
        if have > 0 {
            text.push(self.symbol(held << (self.bits - have)));
        }
        while !text.len().is_multiple_of(block) {
            text.push(b'=');
        }
        ascii(text)
    }

    /// The symbol of the last bits of `value`.
    fn symbol(&self, value: u32) -> u8 {
        let value = value as usize & ((1 << self.bits) - 1);
        self.symbols.get(value).copied().unwrap_or(b'=')
    }

    /// The bytes of `text`: only symbols, all of the padding or none, no bits left over.
    fn read(&self, text: &[u8]) -> Option<Vec<u8>> {
        let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
        let (symbols, _) = text.split_at_checked(text.len() - padding)?;
        if padding >= self.block || (padding > 0 && !text.len().is_multiple_of(self.block)) {
            return None;
        }
        let mut bytes = Vec::with_capacity(symbols.len() * self.bits as usize / 8);
        let (mut held, mut have) = (0_usize, 0);
        for symbol in symbols {
            let value = self.symbols.iter().position(|known| known == symbol)?;
            (held, have) = (held << self.bits | value, have + self.bits);
            if have >= 8 {
                have -= 8;
                bytes.push((held >> have) as u8);
                held &= (1 << have) - 1;
            }
        }
        (have < self.bits && held == 0).then_some(bytes)
    }
}

/// The text that these characters are, each of ASCII.
#[allow(unsafe_code, reason = "checking what an alphabet contains costs every op a kilobyte")]
fn ascii(symbols: Vec<u8>) -> String {
    debug_assert!(symbols.is_ascii());
    // SAFETY: the alphabets and the padding are ASCII.
    unsafe { String::from_utf8_unchecked(symbols) }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    HEX.write(bytes, 1)
}

/// Base64 (RFC 4648 §4) with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    BASE64.write(bytes, 4)
}

/// Base64 for URLs (RFC 4648 §5) without padding, as JWTs have it.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    BASE64_URL.write(bytes, 1)
}

/// The bytes of hexadecimal digits of either case, or `None`.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    HEX.read(&text.as_bytes().to_ascii_lowercase())
}

/// The bytes of base64 (RFC 4648 §4), padded or not, or `None`.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.read(text.as_bytes())
}

/// The bytes of base64 for URLs (RFC 4648 §5), padded or not, or `None`.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL.read(text.as_bytes())
}

/// The bytes of base32 (RFC 4648 §6) in either case, spaces and padding ignored, or `None`.
#[must_use]
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    let symbols = text.bytes().filter(|byte| *byte != b' ').map(|byte| byte.to_ascii_lowercase());
    BASE32.read(&symbols.collect::<Vec<u8>>())
}

/// A number in decimal digits. `to_string` does it too, with a formatter that is larger than
/// most ops.
#[must_use]
pub fn decimal(number: u64) -> String {
    let mut text = if number < 10 { String::new() } else { decimal(number / 10) };
    text.push(char::from(b'0' + (number % 10) as u8));
    text
}

/// Texts one after the other. `concat()` of a slice does it too, with a machinery that is larger
/// than this.
#[must_use]
pub fn concat(texts: &[&str]) -> String {
    let mut whole = String::new();
    texts.iter().for_each(|text| whole.push_str(text));
    whole
}

/// Whether two texts or byte strings are the same. How long it takes says nothing about where
/// they differ, so a signature cannot be guessed byte by byte.
#[must_use]
pub fn equal(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    let (one, other) = (one.as_ref(), other.as_ref());
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
    one.len() == other.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (bytes, base_64, base_32, base_16) in [
            ("", "", "", ""),
            ("f", "Zg==", "MY======", "66"),
            ("fo", "Zm8=", "MZXQ====", "666f"),
            ("foo", "Zm9v", "MZXW6===", "666f6f"),
            ("foob", "Zm9vYg==", "MZXW6YQ=", "666f6f62"),
            ("fooba", "Zm9vYmE=", "MZXW6YTB", "666f6f6261"),
            ("foobar", "Zm9vYmFy", "MZXW6YTBOI======", "666f6f626172"),
        ] {
            let whole = Some(bytes.as_bytes().to_vec());
            let bare = base_64.trim_end_matches('=');
            assert_eq!((hex(bytes.as_bytes()), base64(bytes.as_bytes())), (base_16.into(), base_64.into()));
            assert_eq!(base64url(bytes.as_bytes()), bare);
            assert_eq!(from_base64(base_64), whole);
            assert_eq!(from_base64(bare), whole);
            assert_eq!(from_base64url(base_64), whole);
            assert_eq!(from_base32(base_32), whole);
            assert_eq!(from_base32(&base_32.trim_end_matches('=').to_lowercase()), whole);
            assert_eq!(from_hex(base_16), whole);
            assert_eq!(from_hex(&base_16.to_uppercase()), whole);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
        assert_eq!(from_base32("mzxw 6ytb"), Some(b"fooba".to_vec()));
    }

    #[test]
    fn what_is_not_exactly_it_is_nothing() {
        for bad in ["Z", "Zg=", "Zg===", "Zh==", "Z g=", "Zm8-", "====", "Zg==Zg==", "Zm9v\n", "Zm9é"] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
        for bad in ["6", "6g", "0x66", "66 ", "=="] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
        for bad in ["M", "M1", "MZ", "MY=", "MZX"] {
            assert_eq!(from_base32(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_and_comparisons() {
        assert_eq!([0, 9, 10, u64::MAX].map(decimal), ["0", "9", "10", "18446744073709551615"]);
        assert_eq!(concat(&["a", "", "bc"]), "abc");
        assert!(equal("abc", b"abc") && equal("", ""));
        assert!(!equal("abc", "abd") && !equal("abc", "ab") && !equal("", "a"));
    }
}
