//! How a stored value is read as the bytes of a key: strictly, or with the reason why not.

use zeroize::Zeroizing;

use crate::cleartext::{Cleartext, Shown};
use crate::error::{Error, MAX_GENERATED_BYTES};

/// How the bytes of a key are written in a stored value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As the secret itself says (`--key-encoding`).
    Declared,
    /// Byte for byte.
    Text,
    /// Hexadecimal, either case.
    Hex,
    /// RFC 4648 §4, padding optional.
    Base64,
    /// RFC 4648 §5, padding optional.
    Base64Url,
    /// RFC 4648 §6, either case, spaces and padding ignored.
    Base32,
    /// Base64 after the prefix `whsec_` (Standard Webhooks).
    Whsec,
}

/// What a secret can declare.
const WORDS: [(&str, Encoding); 6] = [
    ("text", Encoding::Text),
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
    ("base32", Encoding::Base32),
    ("whsec", Encoding::Whsec),
];

const WHSEC: &[u8] = b"whsec_";

impl Encoding {
    /// The encoding a secret declares with `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, encoding)| *encoding)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(_, known)| *known == self).map_or("declared", |(word, _)| word)
    }

    /// The bytes that `value` writes. The reason quotes nothing of it.
    pub(crate) fn decode(self, value: &[u8]) -> Result<Cleartext, String> {
        match self {
            Self::Declared | Self::Text => Ok(Cleartext::copy_of(value)),
            Self::Hex => HEX.read("hex", value, 0),
            Self::Base64 => BASE64.read("base64", value, 0),
            Self::Base64Url => BASE64_URL.read("base64url", value, 0),
            Self::Base32 => BASE32.read("base32", value, 0),
            Self::Whsec => match value.strip_prefix(WHSEC) {
                Some(rest) => BASE64.read("whsec", rest, WHSEC.len()),
                None => Err("not whsec: it does not begin with whsec_".to_owned()),
            },
        }
    }
}

impl Shown {
    /// `byte_len` random bytes, written so that `encoding` reads them back; text is base64url
    /// without padding. This text is the value (D2): what is shown is what ops use, and
    /// what the encoding says of it is how they use it.
    pub(crate) fn generate(byte_len: usize, encoding: Encoding) -> Result<Self, Error> {
        if byte_len == 0 || byte_len > MAX_GENERATED_BYTES {
            return Err(Error::ByteLength { asked: byte_len });
        }
        let mut raw = Zeroizing::new(vec![0; byte_len]);
        getrandom::fill(&mut raw).map_err(|_| Error::NoRandomness)?;
        Ok(Self(match encoding {
            Encoding::Declared | Encoding::Text | Encoding::Base64Url => {
                BASE64_URL.write(b"", &raw, Padding::No)
            }
            Encoding::Hex => HEX.write(b"", &raw, Padding::No),
            Encoding::Base64 => BASE64.write(b"", &raw, Padding::Yes),
            Encoding::Base32 => BASE32.write(b"", &raw, Padding::No),
            Encoding::Whsec => BASE64.write(WHSEC, &raw, Padding::Yes),
        }))
    }
}

/// Base64 without anything else, for the inside of PEM.
pub(crate) fn base64(text: &[u8]) -> Result<Cleartext, String> {
    BASE64.read("base64", text, 0)
}

/// An alphabet of 2^`bits` characters.
struct Alphabet {
    bits: usize,
    value: fn(u8) -> Option<u8>,
    /// The characters, in the order of their values.
    characters: &'static [u8],
    /// To how many characters padding fills up; 1 where there is none.
    block: usize,
    /// Whether spaces are ignored: people copy base32 in groups.
    spaced: bool,
}

/// Whether what is written is filled up to a whole block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Padding {
    Yes,
    No,
}

const HEX: Alphabet =
    Alphabet { bits: 4, value: hex, characters: b"0123456789abcdef", block: 1, spaced: false };
const BASE64: Alphabet = Alphabet {
    bits: 6,
    value: |c| sixty_four(c, b'+', b'/'),
    characters: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    block: 4,
    spaced: false,
};
const BASE64_URL: Alphabet = Alphabet {
    bits: 6,
    value: |c| sixty_four(c, b'-', b'_'),
    characters: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    block: 4,
    spaced: false,
};
const BASE32: Alphabet = Alphabet {
    bits: 5,
    value: thirty_two,
    characters: b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    block: 8,
    spaced: true,
};

impl Alphabet {
    /// Reads `text`, which stands `offset` characters into the value. The buffer of the
    /// result has its final size from the start: one that grows leaves copies behind.
    fn read(&self, name: &str, text: &[u8], offset: usize) -> Result<Cleartext, String> {
        let symbols = self.check(text, offset).map_err(|why| format!("not {name}: {why}"))?;
        let bits = symbols * self.bits;
        if bits % 8 >= self.bits {
            return Err(format!("not {name}: it ends in the middle of a byte"));
        }
        if bits < 8 {
            return Err(format!("not {name}: it has no bytes"));
        }
        let mut bytes = Cleartext::zeroed(bits / 8);
        let mut places = bytes.buffer().iter_mut();
        let (mut held, mut have) = (0_u32, 0);
        for value in text.iter().filter_map(|character| (self.value)(*character)) {
            held = held << self.bits | u32::from(value);
            have += self.bits;
            if have >= 8 {
                have -= 8;
                if let (Some(place), [byte, ..]) = (places.next(), (held >> have).to_le_bytes()) {
                    *place = byte;
                }
                held &= (1 << have) - 1;
            }
        }
        match held {
            0 => Ok(bytes),
            _ => Err(format!("not {name}: its last character says more than a byte has room for")),
        }
    }

    /// Writes `raw` behind `before`, into a buffer that has its final size from the start.
    fn write(&self, before: &[u8], raw: &[u8], padding: Padding) -> Cleartext {
        let symbols = (raw.len() * 8).div_ceil(self.bits);
        let filled = if padding == Padding::Yes { symbols.next_multiple_of(self.block) } else { symbols };
        let mut text = Cleartext::zeroed(before.len() + filled);
        let (head, body) = text.buffer().split_at_mut(before.len());
        head.copy_from_slice(before);
        body.fill(b'=');
        let mut places = body.iter_mut();
        let mut put = |symbol: u32| {
            let character = usize::try_from(symbol).ok().and_then(|at| self.characters.get(at));
            if let (Some(place), Some(character)) = (places.next(), character) {
                *place = *character;
            }
        };
        let (mut held, mut have) = (0_u32, 0);
        for byte in raw {
            held = held << 8 | u32::from(*byte);
            have += 8;
            while have >= self.bits {
                have -= self.bits;
                put(held >> have);
                held &= (1 << have) - 1;
            }
        }
        if have > 0 {
            put(held << (self.bits - have));
        }
        text
    }

    /// How many characters of the alphabet there are, if there is nothing else.
    fn check(&self, text: &[u8], offset: usize) -> Result<usize, String> {
        let (mut symbols, mut padding) = (0, 0);
        for (at, character) in text.iter().enumerate() {
            match character {
                b' ' if self.spaced => {}
                b'=' if self.block > 1 => padding += 1,
                _ if padding == 0 && (self.value)(*character).is_some() => symbols += 1,
                _ => return Err(format!("character {}", offset + at + 1)),
            }
        }
        let whole = (symbols + padding) % self.block == 0 && padding < self.block;
        if padding > 0 && !whole {
            return Err("its padding is not what its length needs".to_owned());
        }
        Ok(symbols)
    }
}

fn hex(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

fn sixty_four(character: u8, before_last: u8, last: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        _ if character == before_last => Some(62),
        _ if character == last => Some(63),
        _ => None,
    }
}

fn thirty_two(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a'),
        b'2'..=b'7' => Some(character - b'2' + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, text: &str) -> Result<Vec<u8>, String> {
        encoding.decode(text.as_bytes()).map(|bytes| bytes.expose().to_vec())
    }

    /// RFC 4648 §10.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (bytes, base64, base32, hex) in [
            ("f", "Zg==", "MY======", "66"),
            ("fo", "Zm8=", "MZXQ====", "666F"),
            ("foo", "Zm9v", "MZXW6===", "666F6F"),
            ("foob", "Zm9vYg==", "MZXW6YQ=", "666F6F62"),
            ("fooba", "Zm9vYmE=", "MZXW6YTB", "666F6F6261"),
            ("foobar", "Zm9vYmFy", "MZXW6YTBOI======", "666F6F626172"),
        ] {
            let bytes = Ok(bytes.as_bytes().to_vec());
            assert_eq!(decoded(Encoding::Base64, base64), bytes);
            assert_eq!(decoded(Encoding::Base64Url, base64.trim_end_matches('=')), bytes);
            assert_eq!(decoded(Encoding::Base32, base32), bytes);
            assert_eq!(decoded(Encoding::Base32, &base32.to_lowercase().replace('=', "")), bytes);
            assert_eq!(decoded(Encoding::Hex, hex), bytes);
            assert_eq!(decoded(Encoding::Hex, &hex.to_lowercase()), bytes);
            assert_eq!(decoded(Encoding::Whsec, &format!("whsec_{base64}")), bytes);
        }
    }

    #[test]
    fn the_two_alphabets_are_not_mixed() {
        assert_eq!(decoded(Encoding::Base64, "+/+/"), Ok(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(decoded(Encoding::Base64Url, "-_-_"), Ok(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(decoded(Encoding::Base64, "AA-_"), Err("not base64: character 3".to_owned()));
        assert_eq!(decoded(Encoding::Base64Url, "AAA/"), Err("not base64url: character 4".to_owned()));
        assert_eq!(decoded(Encoding::Base32, "my zxw6"), decoded(Encoding::Base32, "MYZXW6"));
    }

    #[test]
    fn what_is_wrong_is_said_and_the_value_is_not() {
        for (encoding, text, reason) in [
            (Encoding::Base64, "Zm9vYmFyZm9vYmFy\n", "not base64: character 17"),
            (Encoding::Base64, "Zm9v YmFy", "not base64: character 5"),
            (Encoding::Base64, "Zm9vY", "not base64: it ends in the middle of a byte"),
            (Encoding::Base64, "Zm8==", "not base64: its padding is not what its length needs"),
            (Encoding::Base64, "Zm9v====", "not base64: its padding is not what its length needs"),
            (Encoding::Base64, "Zg=g", "not base64: character 4"),
            (Encoding::Base64, "Zh==", "not base64: its last character says more than a byte has room for"),
            (Encoding::Base64, "", "not base64: it has no bytes"),
            (Encoding::Base64, "====", "not base64: its padding is not what its length needs"),
            (Encoding::Hex, "abc", "not hex: it ends in the middle of a byte"),
            (Encoding::Hex, "0xab", "not hex: character 2"),
            (Encoding::Hex, "ab==", "not hex: character 3"),
            (Encoding::Base32, "MZXW1", "not base32: character 5"),
            (Encoding::Whsec, "Zm9v", "not whsec: it does not begin with whsec_"),
            (Encoding::Whsec, "whsec_Zm9*", "not whsec: character 10"),
            (Encoding::Whsec, "whsec_", "not whsec: it has no bytes"),
        ] {
            assert_eq!(decoded(encoding, text), Err(reason.to_owned()), "{text}");
        }
    }

    /// Text as it always was; the others so that the encoding reads back what was drawn.
    #[test]
    fn a_generated_value_is_that_many_bytes_in_its_encoding() {
        for (byte_len, text_len) in [(1, 2), (32, 43), (MAX_GENERATED_BYTES, 5462)] {
            let shown = Shown::generate(byte_len, Encoding::Text).ok().unwrap();
            assert_eq!(shown.text().len(), text_len);
            assert_eq!(decoded(Encoding::Base64Url, shown.text()).unwrap().len(), byte_len);
        }
        for (_, encoding) in WORDS.into_iter().filter(|(_, encoding)| *encoding != Encoding::Text) {
            for byte_len in [1, 2, 3, 4, 5, 20, 32, MAX_GENERATED_BYTES] {
                let shown = Shown::generate(byte_len, encoding).ok().unwrap();
                let read = decoded(encoding, shown.text()).unwrap();
                assert_eq!(read.len(), byte_len, "{encoding:?}");
            }
        }
        for asked in [0, MAX_GENERATED_BYTES + 1] {
            let made = Shown::generate(asked, Encoding::Text);
            assert!(matches!(made, Err(Error::ByteLength { asked: a }) if a == asked));
        }
        let fresh = || Shown::generate(32, Encoding::Hex).ok().unwrap();
        assert_ne!(fresh().text(), fresh().text());
    }

    /// RFC 4648 §10, written.
    #[test]
    fn what_is_written_are_the_vectors_of_the_rfc() {
        let text = |alphabet: &Alphabet, bytes: &str, padding| {
            let text = alphabet.write(b"", bytes.as_bytes(), padding);
            String::from_utf8(text.expose().to_vec()).unwrap()
        };
        for (bytes, base64, base32, hex) in [
            ("f", "Zg==", "MY", "66"),
            ("fo", "Zm8=", "MZXQ", "666f"),
            ("foo", "Zm9v", "MZXW6", "666f6f"),
            ("foobar", "Zm9vYmFy", "MZXW6YTBOI", "666f6f626172"),
        ] {
            assert_eq!(text(&BASE64, bytes, Padding::Yes), base64);
            assert_eq!(text(&BASE64_URL, bytes, Padding::No), base64.trim_end_matches('='));
            assert_eq!(text(&BASE32, bytes, Padding::No), base32);
            assert_eq!(text(&HEX, bytes, Padding::No), hex);
        }
    }

    #[test]
    fn words_name_what_a_secret_can_declare() {
        for (word, encoding) in WORDS {
            assert_eq!((Encoding::parse(word), encoding.word()), (Some(encoding), word));
        }
        for bad in ["", "declared", "Text", "base-64"] {
            assert_eq!(Encoding::parse(bad), None, "{bad}");
        }
    }
}
