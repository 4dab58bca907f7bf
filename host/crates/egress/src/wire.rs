//! A body with pieces that are not text: written once, into a buffer of exactly its size.
//!
//! A buffer that grew would leave copies of the secrets behind, so the body is written
//! twice: first into a counter, then into a wiped buffer of that many bytes.

use model::{Sealed, SealedPart, Value};
use zeroize::Zeroizing;

use crate::error::Error;

/// Turns the number of a piece into its bytes.
pub(crate) trait Pieces {
    /// Shows the bytes of piece `index` to `sink`.
    fn show(&self, index: u32, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error>;
}

/// How a tree becomes bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Form,
}

/// Writes `tree`; its sealed values name pieces.
pub(crate) fn write(
    tree: &Value,
    encoding: Encoding,
    pieces: &dyn Pieces,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut size = 0_usize;
    run(tree, encoding, pieces, &mut |bytes| size += bytes.len())?;
    let mut buffer = Zeroizing::new(Vec::with_capacity(size));
    run(tree, encoding, pieces, &mut |bytes| buffer.extend_from_slice(bytes))?;
    Ok(buffer)
}

/// Writes the text and pieces of one sealed value, without any encoding.
pub(crate) fn write_plain(sealed: &Sealed, pieces: &dyn Pieces) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut size = 0_usize;
    each(sealed, pieces, &mut |bytes| size += bytes.len())?;
    let mut buffer = Zeroizing::new(Vec::with_capacity(size));
    each(sealed, pieces, &mut |bytes| buffer.extend_from_slice(bytes))?;
    Ok(buffer)
}

type Sink<'a> = &'a mut dyn FnMut(&[u8]);

fn run(tree: &Value, encoding: Encoding, pieces: &dyn Pieces, sink: Sink<'_>) -> Result<(), Error> {
    match encoding {
        Encoding::Json => json(tree, pieces, sink),
        Encoding::Form => form(tree, pieces, sink),
    }
}

fn each(sealed: &Sealed, pieces: &dyn Pieces, sink: Sink<'_>) -> Result<(), Error> {
    sealed.parts().iter().try_for_each(|part| match part {
        SealedPart::Text(text) => {
            sink(text.as_bytes());
            Ok(())
        }
        SealedPart::Credential(id) => pieces.show(id.index(), sink),
    })
}

fn json(tree: &Value, pieces: &dyn Pieces, sink: Sink<'_>) -> Result<(), Error> {
    match tree {
        Value::Null => sink(b"null"),
        Value::Bool(true) => sink(b"true"),
        Value::Bool(false) => sink(b"false"),
        Value::Number(number) => sink(number.to_string().as_bytes()),
        Value::String(text) => {
            sink(b"\"");
            escape_json(text.as_bytes(), sink);
            sink(b"\"");
        }
        Value::Sealed(sealed) => {
            sink(b"\"");
            each(sealed, pieces, &mut |bytes| escape_json(bytes, sink))?;
            sink(b"\"");
        }
        Value::Array(items) => {
            sink(b"[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    sink(b",");
                }
                json(item, pieces, sink)?;
            }
            sink(b"]");
        }
        Value::Object(members) => {
            sink(b"{");
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    sink(b",");
                }
                sink(b"\"");
                escape_json(name.as_bytes(), sink);
                sink(b"\":");
                json(member, pieces, sink)?;
            }
            sink(b"}");
        }
    }
    Ok(())
}

/// Escapes the inside of a JSON string (RFC 8259 §7): only what must be.
fn escape_json(bytes: &[u8], sink: Sink<'_>) {
    for run in bytes.chunk_by(|a, b| !must_escape(*a) && !must_escape(*b)) {
        match run {
            [b'"'] => sink(b"\\\""),
            [b'\\'] => sink(b"\\\\"),
            [b'\n'] => sink(b"\\n"),
            [b'\r'] => sink(b"\\r"),
            [b'\t'] => sink(b"\\t"),
            [control @ 0..0x20] => {
                sink(b"\\u00");
                sink(&[hex_digit(control >> 4), hex_digit(control & 15)]);
            }
            plain => sink(plain),
        }
    }
}

const fn must_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..10 => b'0' + nibble,
        _ => b'A' + (nibble - 10),
    }
}

/// Bracket notation, pairs sorted by name (`spec/runtime.md` §6.2); a scalar at the top is
/// no form and is left out.
fn form(tree: &Value, pieces: &dyn Pieces, sink: Sink<'_>) -> Result<(), Error> {
    let mut pairs = Vec::new();
    match tree {
        Value::Object(members) => {
            for (name, member) in members {
                flatten(member, encoded_name(name), &mut pairs);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, index.to_string(), &mut pairs);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sealed(_) => {}
    }
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        if index > 0 {
            sink(b"&");
        }
        sink(name.as_bytes());
        sink(b"=");
        match value {
            Value::Null => {}
            Value::String(text) => escape_percent(text.as_bytes(), sink),
            Value::Sealed(sealed) => each(sealed, pieces, &mut |bytes| escape_percent(bytes, sink))?,
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                escape_percent(value.to_json().as_bytes(), sink);
            }
        }
    }
    Ok(())
}

fn flatten<'a>(value: &'a Value, name: String, pairs: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) => {
            for (inner, member) in members {
                flatten(member, format!("{name}[{}]", encoded_name(inner)), pairs);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, format!("{name}[{index}]"), pairs);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sealed(_) => {
            pairs.push((name, value));
        }
    }
}

fn encoded_name(name: &str) -> String {
    let mut encoded = String::new();
    escape_percent(name.as_bytes(), &mut |bytes| encoded.push_str(&String::from_utf8_lossy(bytes)));
    encoded
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 §2.3).
fn escape_percent(bytes: &[u8], sink: Sink<'_>) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            sink(&[*byte]);
        } else {
            sink(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::CredentialId;

    use super::*;

    struct One(&'static [u8]);

    impl Pieces for One {
        fn show(&self, _: u32, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
            sink(self.0);
            Ok(())
        }
    }

    fn tree(text: &str) -> Value {
        Value::parse(text.as_bytes()).unwrap()
    }

    fn hole() -> Value {
        let mut sealed = Sealed::credential(CredentialId::new(0));
        sealed.prepend_text("<\"".to_owned());
        sealed.push_text(">");
        Value::Sealed(sealed)
    }

    #[test]
    fn json_is_what_the_model_writes() {
        let text = r#"{"z":[1,2.5,null,true,false,{}],"a":"q\"\\\n\r\t\u0001ü€𝄞/<","":18446744073709551615}"#;
        let written = write(&tree(text), Encoding::Json, &One(b"")).unwrap();
        assert_eq!(Value::parse(&written).unwrap(), tree(text));
        assert_eq!(written.capacity(), written.len());
    }

    #[test]
    fn a_piece_cannot_leave_its_string() {
        let body: Value = [("k".to_owned(), hole())].into_iter().collect();
        let written = write(&body, Encoding::Json, &One(b"a\",\"admin\":\"\n\x02\\")).unwrap();
        let parsed = Value::parse(&written).unwrap();
        assert_eq!(parsed.as_object().unwrap().len(), 1);
        assert_eq!(
            parsed.as_object().unwrap().get("k").unwrap().as_str(),
            Some("<\"a\",\"admin\":\"\n\u{2}\\>")
        );
    }

    #[test]
    fn forms_are_in_brackets_and_sorted() {
        let body = tree(r#"{"b":{"x y":1,"c":null},"a":["u&v",{"k":"ä"}],"e":[],"t":true}"#);
        let written = write(&body, Encoding::Form, &One(b"")).unwrap();
        assert_eq!(
            std::str::from_utf8(&written).unwrap(),
            "a[0]=u%26v&a[1][k]=%C3%A4&b[c]=&b[x%20y]=1&t=true"
        );
        assert!(write(&tree("5"), Encoding::Form, &One(b"")).unwrap().is_empty());
        let body: Value = [("k".to_owned(), hole())].into_iter().collect();
        let written = write(&body, Encoding::Form, &One(b"a&b=c\xff")).unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), "k=%3C%22a%26b%3Dc%FF%3E");
    }
}
