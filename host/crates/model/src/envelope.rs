//! The travelling document of one request.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::{CREDENTIAL_TEXT, Object, Path, PathError, Segment, Value};

/// Why a document cannot be an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// An envelope is an object.
    #[error("an envelope is a JSON object")]
    NotAnObject,
}

/// One JSON object, and beside it the bytes of `body` exactly as they were received,
/// for as long as no rule has written to it (R4): that is what vendors sign.
///
/// A clone shares the document until one of the two writes to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    document: Arc<Value>,
    received: Option<Arc<[u8]>>,
}

/// What an envelope begins with; all share it until they write.
static EMPTY: LazyLock<Arc<Value>> = LazyLock::new(|| Arc::new(Value::object()));

impl Default for Envelope {
    fn default() -> Self {
        Self { document: Arc::clone(&EMPTY), received: None }
    }
}

impl Envelope {
    /// An envelope of `document`.
    ///
    /// # Errors
    /// [`EnvelopeError::NotAnObject`].
    pub fn new(document: Value) -> Result<Self, EnvelopeError> {
        if document.as_object().is_none() {
            return Err(EnvelopeError::NotAnObject);
        }
        Ok(Self { document: Arc::new(document), received: None })
    }

    /// Sets top-level `body` to `value` and remembers `received`, the bytes it came from.
    /// Bytes that are no text have no value, and can be signed all the same.
    pub fn receive_body(&mut self, value: impl Into<Option<Value>>, received: Arc<[u8]>) {
        if let (Some(value), Value::Object(object)) = (value.into(), Arc::make_mut(&mut self.document)) {
            object.insert("body".to_owned(), value);
        }
        self.received = Some(received);
    }

    /// The bytes that `body` was received as, when no rule has written to it.
    #[must_use]
    pub fn received(&self) -> Option<&[u8]> {
        self.received.as_deref()
    }

    /// The document, always an object.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The members of the document.
    pub fn members(&self) -> impl Iterator<Item = (&SmolStr, &Value)> {
        self.document.as_object().into_iter().flatten()
    }

    /// The value at `path`.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Value> {
        self.document.get(path)
    }

    /// The value at members of these names, each within the one before: for places that a
    /// program knows.
    #[must_use]
    pub fn member<const N: usize>(&self, names: [&str; N]) -> Option<&Value> {
        names.into_iter().try_fold(self.document(), |value, name| value.as_object()?.get(name))
    }

    /// Writes `value` at `path`; writing into `body` forgets the bytes it was received as.
    ///
    /// # Errors
    /// As [`Value::set`]; and the empty path takes only an object.
    pub fn set(&mut self, path: &Path, value: Value) -> Result<(), PathError> {
        if path.is_empty() && value.as_object().is_none() {
            return Err(PathError::EmptySegment { path: String::new() });
        }
        Arc::make_mut(&mut self.document).set(path, value)?;
        self.forget_if_body(path);
        Ok(())
    }

    /// Lets `merge` add `output` to the document; an output with a `body` ends what was
    /// received as one.
    pub fn absorb(&mut self, output: Object, merge: impl FnOnce(&mut Object, Object)) {
        if output.contains_key("body") {
            self.received = None;
        }
        if let Value::Object(document) = Arc::make_mut(&mut self.document) {
            merge(document, output);
        }
    }

    /// Removes what is at `path`.
    pub fn remove(&mut self, path: &Path) -> Option<Value> {
        self.forget_if_body(path);
        self.document.get(path)?;
        Arc::make_mut(&mut self.document).remove(path)
    }

    /// The bytes that a signature over `path` covers: the body as received; a string's
    /// own bytes; of anything else its raw JSON text, as received where it is part of the
    /// received body, otherwise compact.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Cow<'_, [u8]>> {
        if path.first() == Some("body")
            && let Some(received) = &self.received
            && let Some(raw) = received_at(received, path.segments().get(1..).unwrap_or_default())
        {
            return Some(raw);
        }
        let value = self.get(path)?;
        Some(match value {
            Value::String(text) => Cow::Borrowed(text.as_bytes()),
            // A text as well, of which only this is shown (R1).
            Value::Sealed(_) => Cow::Borrowed(CREDENTIAL_TEXT.as_bytes()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Cow::Owned(value.to_json().into_bytes())
            }
        })
    }

    /// A copy with only the members for which `keep` says yes, with the received body
    /// when that is among them.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let members: Object =
            self.members().filter(|(k, _)| keep(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let received = self.received.clone().filter(|_| keep("body"));
        Self { document: Arc::new(Value::Object(members)), received }
    }

    fn forget_if_body(&mut self, path: &Path) {
        if path.is_empty() || path.first() == Some("body") {
            self.received = None;
        }
    }
}

/// The raw text at `segments` below a received body.
fn received_at<'a>(received: &'a [u8], segments: &[Segment]) -> Option<Cow<'a, [u8]>> {
    let Some((first, rest)) = segments.split_first() else {
        return Some(Cow::Borrowed(received));
    };
    let raw: &RawValue = match received.iter().find(|b| !b.is_ascii_whitespace())? {
        b'{' => {
            let members: HashMap<String, &RawValue> = serde_json::from_slice(received).ok()?;
            members.get(first.as_str()).copied()?
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_slice(received).ok()?;
            items.get(first.index()?).copied()?
        }
        _ => return None,
    };
    if rest.is_empty() && raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).ok()?;
        return Some(Cow::Owned(text.into_bytes()));
    }
    received_at(raw.get().as_bytes(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIVED: &[u8] = b"{ \"b\" : [1 , {\"c\":1.50}],\"a\":\"x\\u0041\" }\n";

    fn envelope() -> Envelope {
        let mut envelope = Envelope::default();
        envelope.receive_body(Value::parse(RECEIVED).unwrap(), Arc::from(RECEIVED));
        envelope
    }

    fn bytes(envelope: &Envelope, path: &str) -> String {
        let bytes = envelope.bytes(&Path::parse(path).unwrap()).unwrap();
        String::from_utf8(bytes.into_owned()).unwrap()
    }

    #[test]
    fn what_was_received_is_what_is_signed() {
        let envelope = envelope();
        assert_eq!(bytes(&envelope, "body").as_bytes(), RECEIVED);
        assert_eq!(bytes(&envelope, "body.b"), "[1 , {\"c\":1.50}]");
        assert_eq!(bytes(&envelope, "body.b.1"), "{\"c\":1.50}");
        assert_eq!(bytes(&envelope, "body.a"), "xA");
        assert_eq!(envelope.bytes(&Path::parse("body.nope").unwrap()), None);
    }

    #[test]
    fn a_write_forgets_the_bytes() {
        let mut envelope = envelope();
        envelope.set(&Path::parse("body.n").unwrap(), Value::from(1_i64)).unwrap();
        assert_eq!(bytes(&envelope, "body"), r#"{"b":[1,{"c":1.50}],"a":"xA","n":1}"#.replace("1.50", "1.5"));
    }

    #[test]
    fn a_body_that_is_no_text_is_signed_and_forgotten_like_any() {
        let mut envelope = Envelope::default();
        envelope.receive_body(None, Arc::from([0xff, 0].as_slice()));
        let body = Path::parse("body").unwrap();
        assert_eq!(envelope.get(&body), None, "rules see nothing of it");
        assert_eq!(envelope.bytes(&body).as_deref(), Some([0xff, 0].as_slice()));
        assert_eq!(envelope.filtered(|k| k == "body").bytes(&body).as_deref(), Some([0xff, 0].as_slice()));
        assert_eq!(envelope.filtered(|k| k != "body").bytes(&body), None);
        assert_eq!(envelope.remove(&body), None);
        assert_eq!(envelope.bytes(&body), None, "what is taken away from an op is away");
    }

    #[test]
    fn a_write_elsewhere_keeps_them() {
        let mut envelope = envelope();
        envelope.set(&Path::parse("other").unwrap(), Value::Null).unwrap();
        assert_eq!(bytes(&envelope, "body").as_bytes(), RECEIVED);
        assert_eq!(bytes(&envelope.filtered(|k| k == "body"), "body").as_bytes(), RECEIVED);
    }

    #[test]
    fn the_document_stays_an_object() {
        let mut envelope = Envelope::default();
        assert!(envelope.set(&Path::default(), Value::Null).is_err());
        assert_eq!(Envelope::new(Value::from("x")), Err(EnvelopeError::NotAnObject));
    }
}
