//! The mask finds what was spliced in every spelling, and nothing survives it.

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

fn masked(values: &[&[u8]], text: &[u8]) -> (String, Found) {
    let mut mask = Mask::new();
    values.iter().for_each(|v| mask.add(v));
    let mut text = Zeroizing::new(text.to_vec());
    let found = mask.search().unwrap().apply(&mut text);
    (String::from_utf8_lossy(&text).into_owned(), found)
}

fn hex(bytes: &[u8], upper: bool) -> String {
    bytes.iter().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect()
}

#[test]
fn plain_hex_and_base64_in_every_form() {
    let value = b"s3cr3t/\xc3\xbc+?value~~";
    for offset in 0..3 {
        let inner = [&b"xy"[..offset], value, b"!tail"].concat();
        let bare = [&b"xy"[..offset], value].concat();
        for spelled in [
            STANDARD.encode(&inner),
            STANDARD_NO_PAD.encode(&inner),
            URL_SAFE.encode(&inner),
            URL_SAFE_NO_PAD.encode(&inner),
            STANDARD.encode(&bare),
            URL_SAFE_NO_PAD.encode(&bare),
        ] {
            let (text, found) = masked(&[value], format!("{{\"a\":\"{spelled}\"}}").as_bytes());
            assert_eq!(found.masked, 1, "{spelled} at {offset}: {text}");
            // Whatever is left decodes to nothing of the value but what lies beside it.
            let left = text.len() - "{\"a\":\"\"}".len() - MASK_TEXT.len();
            assert!(left <= spelled.len() - (value.len() * 8).div_ceil(6), "{spelled}: {text}");
        }
    }
    for spelled in [hex(value, false), hex(value, true)] {
        assert_eq!(masked(&[value], spelled.as_bytes()).0, MASK_TEXT);
    }
    assert_eq!(masked(&[value], &[b"<", &value[..], b">"].concat()).0, "<[masked]>");
}

#[test]
fn json_and_percent_escapes_however_they_are_chosen() {
    let value = "qu\"ote\\back/slash<ü𝄞 end";
    for spelled in [
        serde_json::to_string(value).unwrap(),
        serde_json::to_string(&serde_json::to_string(value).unwrap()).unwrap(),
        r#""qu\u0022ote\\back\/slash\u003c\u00fc\ud834\udd1e end""#.to_owned(),
        r#""\u0071u\"ote\u005Cback/slash<\u00FC\uD834\uDD1E\u0020end""#.to_owned(),
    ] {
        let (text, found) = masked(&[value.as_bytes()], spelled.as_bytes());
        assert_eq!(found.masked, 1, "{spelled}");
        assert!(text == "\"[masked]\"" || text == r#""\"[masked]\"""#, "{spelled}: {text}");
    }
    let all: String = value.bytes().map(|b| format!("%{b:02x}")).collect();
    let upper: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
    let some = "qu%22ote%5cback/slash%3C%C3%bc%F0%9D%84%9E%20end";
    let form = "qu%22ote%5Cback%2Fslash%3C%C3%BC%F0%9D%84%9E+end";
    for spelled in [all.as_str(), &upper, some, form] {
        assert_eq!(masked(&[value.as_bytes()], format!("k={spelled}&x=1").as_bytes()).0, "k=[masked]&x=1");
    }
}

#[test]
fn base64_inside_an_escaped_text_is_found() {
    let value = b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7";
    let encoded = STANDARD.encode(value);
    assert!(encoded.contains('/'));
    assert_eq!(masked(&[value], encoded.replace('/', "\\/").as_bytes()).0, MASK_TEXT);
    assert_eq!(masked(&[value], encoded.replace('/', "%2F").as_bytes()).0, MASK_TEXT);
}

#[test]
fn a_short_value_is_masked_only_as_a_whole() {
    let (text, found) = masked(&[b"abc"], br#"{"abc":"abc","x":"abcd"}"#);
    assert_eq!(text, r#"{"[masked]":"[masked]","x":"abcd"}"#);
    assert_eq!(found, Found { masked: 2, unmasked_short: true });
    let (text, found) = masked(&[b"abc"], b"abc\n");
    assert_eq!((text.as_str(), found.unmasked_short), (MASK_TEXT, false));
    let (text, _) = masked(&[b"a\"b"], br#"{"x":"a\"b","y":"a\u0022b"}"#);
    assert_eq!(text, r#"{"x":"[masked]","y":"[masked]"}"#);
    let (_, found) = masked(&[b"abc"], b"nothing");
    assert_eq!(found, Found::default());
    let (text, found) = masked(&[b"eight by"], b"xeight byx");
    assert_eq!((text.as_str(), found), ("x[masked]x", Found { masked: 1, unmasked_short: false }));
}

#[test]
fn overlapping_values_leave_nothing_between() {
    let (text, found) = masked(&[b"aaaaaaaa", b"Bearer aaaaaaaa"], b"<Bearer aaaaaaaaaaaaaaaaa>");
    assert_eq!((text.as_str(), found.masked), ("<[masked]>", 1));
    let (text, _) = masked(&[b"abcdefgh", b"efghijkl"], b"abcdefghijkl");
    assert_eq!(text, MASK_TEXT);
}

/// A small generator, so that a failure can be repeated.
struct Rng(u64);

impl Rng {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn bytes(&mut self, len: usize, alphabet: &[u8]) -> Vec<u8> {
        (0..len).map(|_| alphabet[self.next(alphabet.len())]).collect()
    }
}

#[test]
fn no_text_makes_it_panic_and_no_value_survives() {
    // Many texts of few letters: escapes, overlaps and near misses in abundance. No value
    // has a bracket, so that the mask's own text cannot complete one.
    let letters = br#"ab"\u0041%+/=6n"#;
    let any: Vec<u8> = (0..=255).filter(|b| *b != b'[' && *b != b']').collect();
    let mut rng = Rng(7);
    let mut hits = 0;
    for round in 0..20_000 {
        let alphabet: &[u8] = if round % 2 == 0 { letters } else { &any };
        let len = 1 + rng.next(12);
        let value = rng.bytes(len, alphabet);
        let mut text = Vec::new();
        for _ in 0..rng.next(6) {
            let noise = rng.next(20);
            text.extend(rng.bytes(noise, alphabet));
            match rng.next(5) {
                0 => text.extend(&value),
                1 => text.extend(STANDARD.encode(&value).into_bytes()),
                2 => text.extend(hex(&value, true).into_bytes()),
                3 => text.extend(value.iter().flat_map(|b| format!("%{b:02x}").into_bytes())),
                _ => text.extend(serde_json::to_vec(&String::from_utf8_lossy(&value)).unwrap()),
            }
        }
        let mut mask = Mask::new();
        mask.add(&value);
        let mut after = Zeroizing::new(text.clone());
        let found = mask.search().unwrap().apply(&mut after);
        hits += u32::from(found.masked > 0);
        if value.len() >= SHORT {
            assert!(!contains(&after, &value), "{value:?} in {text:?}");
            assert!(
                !contains(&after.to_ascii_lowercase(), hex(&value, false).as_bytes()),
                "{value:?} in {text:?}"
            );
            assert!(!contains(&after, &base64_core(&value, 0, &alphabet::STANDARD)), "{value:?} in {text:?}");
        } else {
            assert_eq!(found.unmasked_short, contains(&after, &value));
        }
    }
    assert!(hits > 1_000, "the texts held the values ({hits})");
}

#[test]
fn a_long_value_and_a_long_reply_take_little_time() {
    let value = Rng(3).bytes(64 * 1024, b"abcdefghijklmnopqrstuvwxyz0123456789");
    let mut text = vec![b'\\'; 4 * 1024 * 1024];
    text.extend(&value);
    let started = std::time::Instant::now();
    let (text, found) = masked(&[&value], &text);
    assert_eq!(found.masked, 1);
    assert!(text.ends_with(MASK_TEXT));
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    let (text, found) = masked(&[b"aaaaaaaa"], &vec![b'a'; 1024 * 1024]);
    assert_eq!((text.as_str(), found.masked), (MASK_TEXT, 1));
}
