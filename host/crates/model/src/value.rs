//! JSON values as rules and ops see them, and the one kind that is not JSON: a sealed value.

mod object;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use smol_str::SmolStr;

use crate::{Path, PathError, Segment};

pub use object::{Members, Object};

/// What everything that looks at a sealed value sees in its place (R1). It parses back
/// as plain text and grants nothing.
pub const CREDENTIAL_TEXT: &str = "[credential]";

/// The number of a credential among those of one request. Only `vault::Credentials`
/// of that very request turns it into bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialId(u32);

impl CredentialId {
    /// The credential at `index` of its request; for `vault`, which mints them.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The index.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// A piece of a sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedPart {
    /// Text a rule put beside the credential, such as `Basic `.
    Text(String),
    /// A credential of this request.
    Credential(CredentialId),
}

/// A text that contains a credential: it can be moved and concatenated, not looked into (R1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Vec<SealedPart>);

impl Sealed {
    /// A sealed value that is one credential.
    #[must_use]
    pub fn credential(id: CredentialId) -> Self {
        Self(vec![SealedPart::Credential(id)])
    }

    /// The pieces, in order; at least one is a credential.
    #[must_use]
    pub fn parts(&self) -> &[SealedPart] {
        &self.0
    }

    /// The credentials in it, in order.
    pub fn credentials(&self) -> impl Iterator<Item = CredentialId> + '_ {
        self.0.iter().filter_map(|part| match part {
            SealedPart::Credential(id) => Some(*id),
            SealedPart::Text(_) => None,
        })
    }

    /// Puts `text` behind it.
    pub fn push_text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(SealedPart::Text(last)) => last.push_str(text),
            _ => self.0.push(SealedPart::Text(text.to_owned())),
        }
    }

    /// Puts `text` before it.
    pub fn prepend_text(&mut self, text: String) {
        if !text.is_empty() {
            self.0.insert(0, SealedPart::Text(text));
        }
    }

    /// Puts another sealed value behind it.
    pub fn push_sealed(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }
}

/// Why a text is not a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not JSON (RFC 8259), with the parser's position.
    #[error("not JSON: line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Nested deeper than [`Value::MAX_DEPTH`].
    #[error("nested deeper than {} levels", Value::MAX_DEPTH)]
    TooDeep,
}

/// A value of the envelope.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; integers stay exact over the whole range of 64 bits.
    Number(serde_json::Number),
    /// Text.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object),
    /// A text with a credential in it.
    Sealed(Sealed),
}

impl Value {
    /// How deep documents may nest.
    pub const MAX_DEPTH: usize = 96;
    /// How far beyond the end of an array a write may reach; the gap is filled with `null`.
    pub const MAX_GAP: usize = 1_024;

    /// An empty object.
    #[must_use]
    pub fn object() -> Self {
        Self::Object(Object::default())
    }

    /// The value as compact JSON text; sealed values print as [`CREDENTIAL_TEXT`].
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The text, when it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The members, when it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The members themselves, when it is an object.
    #[must_use]
    pub fn into_object(self) -> Option<Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The integer, when it is a number without fraction in the range of 64 bits: `404.0` is 404,
    /// as JSON has one kind of number only.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        let Self::Number(number) = self else { return None };
        number.as_i64().or_else(|| number.as_f64().and_then(exact))
    }

    /// Whether there is a sealed value anywhere in it.
    #[must_use]
    pub fn has_sealed(&self) -> bool {
        match self {
            Self::Sealed(_) => true,
            Self::Array(items) => items.iter().any(Self::has_sealed),
            Self::Object(object) => object.values().any(Self::has_sealed),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    /// The value at `path`, when there is one.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Self> {
        path.segments().iter().try_fold(self, Self::child)
    }

    /// Writes `new` at `path`, making what is missing on the way: an array where the next
    /// segment is an index (or `-1`, append), otherwise an object. A scalar on the way is
    /// replaced. Nothing is changed when it fails.
    ///
    /// # Errors
    /// [`PathError::NotAnIndex`], [`PathError::Gap`].
    pub fn set(&mut self, path: &Path, new: Self) -> Result<(), PathError> {
        self.check_write(path)?;
        let mut place = self;
        for segment in path.segments() {
            if !matches!(place, Self::Object(_) | Self::Array(_)) {
                let array = segment.index().is_some() || segment.is_append();
                *place = if array { Self::Array(Vec::new()) } else { Self::object() };
            }
            place = match place {
                Self::Array(items) => {
                    let index = segment.index().unwrap_or(items.len());
                    if items.len() <= index {
                        items.resize(index + 1, Self::Null);
                    }
                    match items.get_mut(index) {
                        Some(item) => item,
                        None => return Ok(()),
                    }
                }
                Self::Object(object) => object.member(segment.as_str()),
                // Just made an object or an array.
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Sealed(_) => {
                    return Ok(());
                }
            };
        }
        *place = new;
        Ok(())
    }

    /// Removes and returns what is at `path`; an array closes the gap.
    pub fn remove(&mut self, path: &Path) -> Option<Self> {
        let (last, parents) = path.segments().split_last()?;
        match parents.iter().try_fold(self, Self::child_mut)? {
            Self::Object(object) => object.remove(last.as_str()),
            Self::Array(items) => last.index().filter(|i| *i < items.len()).map(|i| items.remove(i)),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Sealed(_) => None,
        }
    }

    fn child(&self, segment: &Segment) -> Option<&Self> {
        match self {
            Self::Object(object) => object.get(segment.as_str()),
            Self::Array(items) => items.get(segment.index()?),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Sealed(_) => None,
        }
    }

    fn child_mut(&mut self, segment: &Segment) -> Option<&mut Self> {
        match self {
            Self::Object(object) => object.value_mut(segment.as_str()),
            Self::Array(items) => items.get_mut(segment.index()?),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Sealed(_) => None,
        }
    }

    /// Finds out beforehand whether a write can be done, so that none is done by half.
    fn check_write(&self, path: &Path) -> Result<(), PathError> {
        let mut place = Some(self);
        for (depth, segment) in path.segments().iter().enumerate() {
            if let Some(Self::Object(object)) = place {
                place = object.get(segment.as_str());
                continue;
            }
            let items = if let Some(Self::Array(items)) = place { Some(items) } else { None };
            let at = || {
                let so_far = path.segments().iter().take(depth).map(Segment::as_str);
                Path::from_segments(so_far).map(|p| p.to_string()).unwrap_or_default()
            };
            place = match (items, segment.index()) {
                (_, Some(index)) if index > items.map_or(0, Vec::len).saturating_add(Self::MAX_GAP) => {
                    return Err(PathError::Gap { path: at(), index, max: Self::MAX_GAP });
                }
                (Some(_), None) if !segment.is_append() => {
                    return Err(PathError::NotAnIndex { path: at(), member: segment.as_str().to_owned() });
                }
                (Some(items), Some(index)) => items.get(index),
                (Some(_) | None, _) => None,
            };
        }
        Ok(())
    }
}

/// Up to here every whole number is exact as a float too.
pub const EXACT: i64 = 1 << 53;

/// A float as the whole number that it is, when it is one and exact.
#[must_use]
pub fn exact(float: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
    let within = float.abs() <= EXACT as f64;
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and lies within 2^53")]
    (within && float.fract() == 0.0).then_some(float as i64)
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(b),
            serde_json::Value::Number(n) => Self::Number(n),
            serde_json::Value::String(s) => Self::String(s),
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(map) => {
                Self::Object(map.into_iter().map(|(k, v)| (k, Self::from(v))).collect())
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Number(n.into())
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Number(n.into())
    }
}

/// A float; what JSON has no number for (NaN, infinities) becomes `null`.
impl From<f64> for Value {
    fn from(n: f64) -> Self {
        serde_json::Number::from_f64(n).map_or(Self::Null, Self::Number)
    }
}

impl<K: Into<SmolStr> + AsRef<str>> FromIterator<(K, Self)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, Self)>>(members: I) -> Self {
        Self::Object(members.into_iter().collect())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Number(n) => n.serialize(serializer),
            Self::String(s) => serializer.serialize_str(s),
            Self::Sealed(_) => serializer.serialize_str(CREDENTIAL_TEXT),
            Self::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, value) in object {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests;
