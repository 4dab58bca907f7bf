//! The message that is signed, and the values of its components.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use txco_op::{concat, decimal};

use super::component::Component;
use crate::joined;
use crate::target::Target;

/// A request, or the answer to one.
pub struct Message<'a> {
    start: Start<'a>,
    /// Names in lower case, in the order in which they are sent.
    fields: Vec<(String, String)>,
}

enum Start<'a> {
    Request { method: &'a str, target: &'a Target<'a> },
    Answer { status: u16 },
}

impl<'a> Message<'a> {
    /// A request; names of fields in lower case.
    #[must_use]
    pub fn request(method: &'a str, target: &'a Target<'a>, fields: Vec<(String, String)>) -> Self {
        Self { start: Start::Request { method, target }, fields }
    }

    /// An answer. The ops sign and verify requests; the RFC's vectors have an answer, too.
    #[must_use]
    pub fn answer(status: u16, fields: Vec<(String, String)>) -> Self {
        Self { start: Start::Answer { status }, fields }
    }

    /// What stands behind the component's identifier in the signature base, if the message has it.
    #[must_use]
    pub fn value(&self, component: &Component) -> Option<String> {
        let name = component.name.as_str();
        match (&self.start, name.strip_prefix('@')) {
            (_, None) => self.field(name),
            (Start::Request { method, target }, Some(derived)) => {
                of_request(method, target, derived, component.parameter.as_deref())
            }
            (Start::Answer { status }, Some("status")) => Some(decimal(u64::from(*status))),
            (Start::Answer { .. }, Some(_)) => None,
        }
    }

    /// RFC 9421, section 2.1: all values of the name, blanks around them gone, lines unfolded.
    fn field(&self, name: &str) -> Option<String> {
        let values = self.fields.iter().filter(|(known, _)| known == name);
        let values: Vec<_> = values.map(|(_, value)| unfolded(value)).collect();
        (!values.is_empty()).then(|| joined(&values, ", "))
    }
}

/// A value whose lines, if it has several, are one.
fn unfolded(value: &str) -> String {
    let lines: Vec<_> = value.lines().map(str::trim).collect();
    joined(&lines, " ").trim().to_owned()
}

/// RFC 9421, section 2.2.
fn of_request(method: &str, target: &Target<'_>, derived: &str, parameter: Option<&str>) -> Option<String> {
    let path = target.path;
    let query = target.query.map(|query| concat(&["?", query]));
    Some(match derived {
        "method" => method.to_owned(),
        "target-uri" => {
            concat(&[target.scheme, "://", &target.authority, path, query.as_deref().unwrap_or_default()])
        }
        "authority" => target.authority.clone(),
        "scheme" => target.scheme.to_owned(),
        "request-target" => concat(&[path, query.as_deref().unwrap_or_default()]),
        "path" => path.to_owned(),
        "query" => query.unwrap_or_else(|| "?".to_owned()),
        "query-param" => parameter_of(target.query.unwrap_or_default(), parameter?)?,
        _ => return None,
    })
}

/// RFC 9421, section 2.2.8: the value of a parameter that is there once, escaped in one way.
fn parameter_of(query: &str, name: &str) -> Option<String> {
    let wanted = escaped(name);
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(name, _)| escaped(name) == wanted).map(|(_, value)| escaped(value));
    let value = values.next();
    value.filter(|_| values.next().is_none())
}

/// Decoded as a form is, then percent-encoded: everything but letters, digits and `*-._`.
fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| *byte == b'%');
        let escape = escape.and_then(|two| txco_op::from_hex(core::str::from_utf8(two).ok()?));
        let byte = match (escape.as_deref(), byte) {
            (Some([escaped]), _) => {
                rest = after.get(2..).unwrap_or_default();
                *escaped
            }
            (_, byte) => {
                rest = after;
                if *byte == b'+' { b' ' } else { *byte }
            }
        };
        if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) {
            made.push(char::from(byte));
        } else {
            made.push('%');
            made.push_str(&txco_op::hex(&[byte]).to_ascii_uppercase());
        }
    }
    made
}
