//! A secret that nobody else has: random, so that finding it anywhere proves that it went there.

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CORE: usize = 24;

/// A secret made for one test.
#[derive(Clone)]
pub struct Canary {
    label: String,
    value: Vec<u8>,
    core: Vec<u8>,
}

impl Canary {
    /// A fresh secret. Its value contains characters that JSON, URLs and HTML escape; its core does not,
    /// so that it is recognised whatever was done to the rest.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let mut core: Vec<u8> =
            random(CORE).iter().map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect();
        // Its hex (6b) has a letter, so that the two cases of hex are never the same needle.
        core[0] = b'k';
        let mut value = format!("{label}+/\"\\<&").into_bytes();
        value.extend_from_slice(&core);
        Self { label: label.to_owned(), value, core }
    }

    /// Something secret that the chassis made: a generated value, the master key.
    #[must_use]
    pub fn found(label: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 16, "{label}: {} bytes are too few to be recognised", bytes.len());
        Self { label: label.to_owned(), value: bytes.to_vec(), core: bytes.to_vec() }
    }

    /// The secret.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.value).expect("a canary that is text")
    }

    /// What to call it in a report.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The forms in which it is searched for. Each is computed from the first half of the core: a truncated
    /// secret is a leaked one.
    pub(crate) fn needles(&self) -> Vec<(&'static str, Vec<u8>)> {
        let head = &self.core[..self.core.len() / 2];
        let each = |form: fn(&u8) -> String| head.iter().map(form).collect::<String>().into_bytes();
        let mut needles = vec![
            ("raw", head.to_vec()),
            ("reversed", head.iter().rev().copied().collect()),
            ("hex", each(|byte| format!("{byte:02x}"))),
            ("HEX", each(|byte| format!("{byte:02X}"))),
            ("percent", each(|byte| format!("%{byte:02x}"))),
            ("PERCENT", each(|byte| format!("%{byte:02X}"))),
            ("json escape", each(|byte| format!("\\u{byte:04x}"))),
            ("JSON ESCAPE", each(|byte| format!("\\u{byte:04X}"))),
            ("list of numbers", head.iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes()),
            (
                "short list of numbers",
                head.iter().map(u8::to_string).collect::<Vec<_>>().join(",").into_bytes(),
            ),
        ];
        for offset in 0..3 {
            needles.push(("base64", base64_inside(head, offset, b'+', b'/')));
            needles.push(("base64url", base64_inside(head, offset, b'-', b'_')));
        }
        needles
    }

    /// What it looks like in memory: in every form above, or any eight bytes of it, as they are or as the pads
    /// of HMAC (RFC 2104), which are as good as the key.
    pub(crate) fn in_memory(&self) -> Vec<(&'static str, Vec<u8>)> {
        let windows = self.core.windows(8);
        let pad = |form, pad: u8| {
            windows.clone().map(move |w| (form, w.iter().map(|b| b ^ pad).collect::<Vec<u8>>()))
        };
        let pieces = pad("piece", 0).chain(pad("inner pad", 0x36)).chain(pad("outer pad", 0x5c));
        self.needles().into_iter().chain(pieces).collect()
    }
}

/// The characters of a base64 text that `bytes` alone decide when they stand `offset` bytes behind a
/// multiple of three.
fn base64_inside(bytes: &[u8], offset: usize, plus: u8, slash: u8) -> Vec<u8> {
    let mut bits = vec![false; offset * 8];
    bits.extend(bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)));
    let first = (offset * 8).div_ceil(6) * 6;
    let digit = |six: &[bool]| match six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit)) {
        62 => plus,
        63 => slash,
        value => LETTERS[value],
    };
    bits[first..].chunks_exact(6).map(digit).collect()
}

pub(crate) fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike() {
        assert_ne!(Canary::new("a").text(), Canary::new("a").text());
        assert_eq!(Canary::new("a").core.len(), CORE);
    }

    #[test]
    fn base64_inside_is_what_the_neighbours_cannot_change() {
        use base64::Engine;
        for offset in 0..3 {
            for tail in 0..3 {
                let text = [vec![0xff; offset], b"some bytes".to_vec(), vec![0xff; tail]].concat();
                let encoded = base64::engine::general_purpose::STANDARD.encode(text);
                let inside = String::from_utf8(base64_inside(b"some bytes", offset, b'+', b'/')).unwrap();
                assert!(encoded.contains(&inside) && inside.len() >= 12, "{inside} in {encoded}");
            }
        }
    }
}
