//! Names and values of the headers that a rule may put on its outbound request (R3).

use model::{Path, SealedPart, Value};

use crate::diagnostic::{Problem, Span};

/// What the HTTP client decides, not a rule: with one of these a rule could point a
/// request elsewhere or end it early (request smuggling).
const FORBIDDEN: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "te", "upgrade"];

/// Whether `path` lies in the headers of the envelope.
pub(crate) fn is_header_path(path: &Path) -> bool {
    path.starts_with(&["_txc", "web", "req", "headers"])
}

/// The header that SET names by `@web.req.headers.NAME` or `….NAME.0`.
pub(crate) fn of_path(path: &Path, span: &Span) -> Result<String, Problem> {
    let name = path.strip_prefix(&["_txc", "web", "req", "headers"]).unwrap_or_default();
    match name.segments() {
        [name] => canonical(name.as_str(), span),
        [name, index] if index.index() == Some(0) => canonical(name.as_str(), span),
        [] => Err(Problem::at(span, "this SET names no header").hint("write SET @web.req.headers.NAME = …")),
        _ => Err(Problem::at(span, "a header of the outbound request has one name and one value")
            .hint("a name with dots stands in quotes: @web.req.headers.\"x.y\"")),
    }
}

/// The canonical, lower-case form of a header's name.
pub(crate) fn canonical(name: &str, span: &Span) -> Result<String, Problem> {
    let lower = name.to_ascii_lowercase();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if lower.is_empty() || !lower.bytes().all(token) {
        return Err(Problem::at(span, format!("{name:?} cannot be the name of a header (RFC 9110 §5.6.2)")));
    }
    if FORBIDDEN.contains(&lower.as_str()) || lower.starts_with("proxy-") {
        return Err(Problem::at(span, format!("a rule may not set the header {name}"))
            .hint("the HTTP client decides it from the URL and the body"));
    }
    Ok(lower)
}

/// Whether `text` may stand in a header's value: no line breaks, no control characters.
pub(crate) fn is_value(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || !c.is_control())
}

/// What a SET gives a header: text, or a sealed value as it is.
pub(crate) fn value(value: Value) -> Result<Value, &'static str> {
    match value {
        Value::String(text) if is_value(&text) => Ok(Value::String(text)),
        Value::String(_) => Err("the text has a control character, which no header may have"),
        Value::Number(n) => Ok(Value::String(n.to_string())),
        Value::Bool(b) => Ok(Value::String(b.to_string())),
        Value::Sealed(sealed) if sealed.parts().iter().all(is_part) => Ok(Value::Sealed(sealed)),
        Value::Sealed(_) => {
            Err("the text beside the credential has a control character, which no header may have")
        }
        // Sending without it would be a half-built request (D3).
        Value::Null => Err("there is no value to send"),
        Value::Array(_) => Err("a header takes one text, not an array; inbound headers are arrays: add .0"),
        Value::Object(_) => Err("a header takes one text, not an object"),
    }
}

fn is_part(part: &SealedPart) -> bool {
    match part {
        SealedPart::Text(text) => is_value(text),
        SealedPart::Credential(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use model::{CredentialId, Sealed};

    use super::*;

    #[test]
    fn names_are_tokens_and_some_are_not_ours() {
        let name = |text: &str| canonical(text, &(0..0)).ok();
        assert_eq!(name("X-API-Key").as_deref(), Some("x-api-key"));
        assert_eq!(name("x.y").as_deref(), Some("x.y"));
        for bad in ["", "a b", "a:b", "a\r\nb", "ä", "Host", "CONTENT-length", "te", "Proxy-Authorization"] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn values_are_one_line_of_text() {
        assert_eq!(value(Value::from(7_i64)), Ok(Value::from("7")));
        assert_eq!(value(Value::from("grüß\tdich")), Ok(Value::from("grüß\tdich")));
        let mut sealed = Sealed::credential(CredentialId::new(0));
        assert!(value(Value::Sealed(sealed.clone())).is_ok());
        sealed.push_text("\r\nX: y");
        let sealed = Value::Sealed(sealed);
        for bad in [Value::from("a\r\nX: y"), sealed, Value::Null, Value::Array(vec![]), Value::object()] {
            assert!(value(bad).is_err());
        }
    }
}
