//! The JSON of the admin API: what comes in, checked, and what goes out.

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::{Map, Value, json};
use store::Tenant;
use vault::{Metadata, SecretValue, Written};
use zeroize::Zeroizing;

use crate::admin::{AdminError, MAX_IMPORT_BYTES, MAX_IMPORTED, Stored};
use crate::http::problem::json_reply;

/// What the verbs that store may be given; what is unknown is ignored.
#[derive(Deserialize)]
pub(super) struct Incoming {
    pub(super) name: Option<String>,
    pub(super) value: Option<Hidden>,
    /// A value that is no text, in base64.
    pub(super) value_b64: Option<Hidden>,
    pub(super) description: Option<String>,
    pub(super) stack: Option<String>,
    pub(super) byte_len: Option<i64>,
}

/// A value on its way in: wiped when dropped, not printable.
pub(super) struct Hidden(Zeroizing<String>);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Incoming {
    pub(super) fn parse(body: &[u8]) -> Result<Self, AdminError> {
        first_of(body)
    }
}

/// What an import may be given.
#[derive(Deserialize)]
struct Importing {
    #[serde(default)]
    secrets: Vec<Incoming>,
    stack: Option<String>,
}

/// The stack of an import, and its names and values.
type Arriving = (Option<String>, Vec<(String, SecretValue)>);

/// The stack of an import, and its names and values, as far as they may be stored in one step.
pub(super) fn import_of(body: &[u8]) -> Result<Arriving, AdminError> {
    let importing: Importing = first_of(body)?;
    if importing.secrets.len() > MAX_IMPORTED {
        return Err(AdminError::TooManyAtOnce { most: MAX_IMPORTED });
    }
    let mut left = MAX_IMPORT_BYTES;
    let mut values = Vec::with_capacity(importing.secrets.len());
    for one in importing.secrets {
        let name = one.name.filter(|name| !name.is_empty()).ok_or(AdminError::MissingName)?;
        let value = value_of(one.value, one.value_b64)?;
        left = left.checked_sub(value.length()).ok_or(AdminError::BodyTooLarge)?;
        values.push((name, value));
    }
    Ok((importing.stack, values))
}

/// What an import answers: how many are new, and the record of each in the order given.
pub(super) fn imported_reply(stored: &[Stored]) -> Response<Body> {
    let created = stored.iter().filter(|one| one.written == Written::Created).count();
    let records: Vec<_> = stored.iter().map(|one| record_of(&one.metadata)).collect();
    json_reply(200, &json!({ "created": created, "rotated": stored.len() - created, "secrets": records }))
}

/// What creating a tenant may be given.
#[derive(Deserialize)]
pub(super) struct NewTenant {
    #[serde(default)]
    pub(super) slug: String,
    pub(super) name: Option<String>,
}

impl NewTenant {
    pub(super) fn parse(body: &[u8]) -> Result<Self, AdminError> {
        first_of(body)
    }
}

/// The first JSON value of a body. The complaint says where, and repeats nothing: the
/// parser's own would quote a value that stands in the wrong place.
pub(super) fn first_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, AdminError> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    T::deserialize(&mut parser).map_err(|error| {
        let what = match error.classify() {
            Category::Data => "a member of the object is not what it should be",
            Category::Eof => "the JSON ends too early",
            Category::Syntax | Category::Io => "not JSON",
        };
        AdminError::InvalidBody(format!("{what} (line {}, column {})", error.line(), error.column()))
    })
}

/// The value that was sent, as text or in base64.
pub(super) fn value_of(text: Option<Hidden>, base64: Option<Hidden>) -> Result<SecretValue, AdminError> {
    let bytes = match (text, base64) {
        (Some(_), Some(_)) => {
            return Err(AdminError::InvalidBody("value and value_b64 exclude each other".to_owned()));
        }
        (Some(mut text), None) => std::mem::take(&mut *text.0).into_bytes(),
        (None, Some(base64)) => STANDARD
            .decode(base64.0.as_bytes())
            .map_err(|_| AdminError::InvalidBody("value_b64 is not base64".to_owned()))?,
        (None, None) => Vec::new(),
    };
    Ok(SecretValue::new(bytes)?)
}

/// The description of a PATCH; an empty body clears it, a `name` is refused first.
pub(super) fn new_description(body: &[u8]) -> Result<String, AdminError> {
    if body.is_empty() {
        return Ok(String::new());
    }
    let members: Map<String, Value> = first_of(body)?;
    if members.contains_key("name") {
        return Err(AdminError::NameImmutable);
    }
    match members.get("description") {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(AdminError::InvalidBody("description is not a string".to_owned())),
    }
}

/// A secret's record: never its value.
pub(super) fn record_of(metadata: &Metadata) -> Value {
    let mut record = Map::new();
    let mut put = |member: &str, text: Option<&str>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            record.insert(member.to_owned(), text.into());
        }
    };
    put("secret_id", Some(metadata.secret_id.as_str()));
    put("tenant_id", Some(metadata.tenant_id.as_str()));
    put("stack", metadata.stack.as_ref().map(model::StackName::as_str));
    put("name", Some(metadata.name.as_str()));
    put("description", metadata.description.as_deref());
    put("created_at", Some(&metadata.created_at));
    put("created_by", metadata.created_by.as_deref());
    put("last_rotated_at", metadata.last_rotated_at.as_deref());
    record.insert("key_version".to_owned(), metadata.key_version.into());
    record.insert("version_no".to_owned(), metadata.version_no.into());
    Value::Object(record)
}

/// What a verb that stores answers: 201 for a new secret, and a minted value this once.
pub(super) fn stored_reply(stored: &Stored) -> Response<Body> {
    let status = match stored.written {
        Written::Created => 201,
        Written::Rotated => 200,
    };
    let mut body = json!({ "secret": record_of(&stored.metadata) });
    if let (Value::Object(members), Some(shown)) = (&mut body, &stored.shown) {
        members.insert("value".to_owned(), shown.text().into());
    }
    json_reply(status, &body)
}

/// A tenant's record.
pub(super) fn tenant_of(tenant: &Tenant) -> Value {
    json!({
        "tenant_id": tenant.id.as_str(),
        "slug": tenant.slug.as_str(),
        "name": tenant.name.as_deref().unwrap_or_default(),
        "created_at": tenant.created_at,
    })
}
