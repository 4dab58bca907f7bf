//! The JSON of the admin API: what comes in, checked, and what goes out.

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model::Id;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;
use serde_json::{Map, Value, json};
use store::{Retiring, Tenant};
use vault::{Metadata, SecretValue, VersionFacts, Written};
use zeroize::Zeroizing;

use super::policy::PolicyRecord;
use crate::admin::{AdminError, Answer, Ask, Beside, MAX_IMPORT_BYTES, MAX_IMPORTED, PolicyAsked, Stored};
use crate::http::problem::json_reply;

/// What the verbs that store may be given; what is unknown is ignored.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "SecretValue")]
pub(super) struct Incoming {
    pub(super) name: Option<String>,
    #[schemars(with = "Option<String>")]
    value: Option<Hidden>,
    /// A value that is no text, in base64.
    #[schemars(with = "Option<String>")]
    value_b64: Option<Hidden>,
    pub(super) stack: Option<String>,
    pub(super) byte_len: Option<i64>,
    description: Option<String>,
    key_encoding: Option<String>,
    expires: Option<String>,
    overlap: Option<String>,
    policy: Option<PolicyAsked>,
}

impl Incoming {
    /// The value that was sent, as text or in base64.
    pub(super) fn value(&mut self) -> Result<SecretValue, AdminError> {
        value_of(self.value.take(), self.value_b64.take())
    }

    /// What is said beside it.
    pub(super) fn beside(&self) -> Beside<'_> {
        Beside {
            description: self.description.as_deref(),
            key_encoding: self.key_encoding.as_deref(),
            expires: self.expires.as_deref(),
            overlap: self.overlap.as_deref(),
            policy: self.policy.as_ref(),
        }
    }
}

/// The numbers that some verbs take; an empty body has none.
#[derive(Default, Deserialize, JsonSchema)]
pub(super) struct Numbers {
    pub(super) to: Option<u32>,
    pub(super) keep: Option<u32>,
}

impl Numbers {
    pub(super) fn parse(body: &[u8]) -> Result<Self, AdminError> {
        if body.is_empty() { Ok(Self::default()) } else { first_of(body) }
    }
}

/// Questions about uses.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Asks {
    #[serde(default)]
    pub(super) asks: Vec<Ask>,
}

/// A value on its way in: wiped when dropped, not printable.
struct Hidden(Zeroizing<String>);

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
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SecretImport")]
pub(super) struct Importing {
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
#[derive(Deserialize, JsonSchema)]
pub(super) struct NewTenant {
    #[serde(default)]
    pub(super) slug: String,
    pub(super) name: Option<String>,
}

/// What replaces a description; read leniently by [`new_description`].
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only: a PATCH is looked through for a name first")]
pub(super) struct NewDescription {
    description: Option<String>,
}

/// A secret's record, as [`record_of`] writes it; a test compares the two.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct SecretRecord {
    secret_id: String,
    tenant_id: String,
    stack: Option<String>,
    name: String,
    description: Option<String>,
    created_at: String,
    created_by: Option<String>,
    last_rotated_at: Option<String>,
    key_encoding: Option<String>,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    key_version: i64,
    version_no: u32,
    versions: u32,
    uses: Option<u64>,
    retiring: Option<RetiringRecord<'static>>,
    policy: Option<PolicyRecord>,
}

/// A version that still verifies for a while.
#[derive(Serialize, JsonSchema)]
struct RetiringRecord<'a> {
    version_no: u32,
    until: &'a str,
}

/// Several.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct SecretRecords {
    secrets: Vec<SecretRecord>,
}

/// One.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct SecretReply {
    secret: SecretRecord,
}

/// One that was stored, with a minted value this once.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct StoredReply {
    secret: SecretRecord,
    value: Option<String>,
}

/// A version's record, as [`versions_of`] writes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct VersionRecord {
    version_no: u32,
    /// `active`, `retiring`, `superseded`, `expired`, `rolled_back` or `destroyed`.
    state: String,
    created_at: Option<String>,
    created_by: Option<String>,
    key_encoding: Option<String>,
    key_id: Option<String>,
    expires_at: Option<String>,
    retiring_until: Option<String>,
    destroyed_at: Option<String>,
    destroyed_by: Option<String>,
    last_used_at: Option<String>,
    uses: u64,
}

/// A secret and its versions, newest first.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct VersionsReply {
    secret: SecretRecord,
    versions: Vec<VersionRecord>,
}

/// A secret, and which of its versions were destroyed.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct DestroyedReply {
    secret: SecretRecord,
    destroyed: Vec<u32>,
}

/// Which versions of revoked secrets were destroyed.
#[derive(Serialize, JsonSchema)]
pub(super) struct DestroyedVersions<'a> {
    destroyed: Vec<DestroyedVersion<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct DestroyedVersion<'a> {
    secret_id: &'a str,
    version_no: u32,
}

impl<'a> DestroyedVersions<'a> {
    pub(super) fn of(gone: &'a [(Id, u32)]) -> Self {
        let one = |(id, version_no): &'a (Id, u32)| DestroyedVersion {
            secret_id: id.as_str(),
            version_no: *version_no,
        };
        Self { destroyed: gone.iter().map(one).collect() }
    }
}

/// What questions about uses are answered.
#[derive(Serialize, JsonSchema)]
pub(super) struct Answers {
    pub(super) answers: Vec<Answer>,
}

/// What an import answers.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct Imported {
    created: usize,
    rotated: usize,
    secrets: Vec<SecretRecord>,
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

fn value_of(text: Option<Hidden>, base64: Option<Hidden>) -> Result<SecretValue, AdminError> {
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
    put("key_encoding", metadata.key_encoding.as_deref());
    put("expires_at", metadata.expires_at.as_deref());
    put("last_used_at", metadata.last_used_at.as_deref());
    record.insert("key_version".to_owned(), metadata.key_version.into());
    record.insert("version_no".to_owned(), metadata.version_no.into());
    record.insert("versions".to_owned(), metadata.versions.into());
    if metadata.uses > 0 {
        record.insert("uses".to_owned(), metadata.uses.into());
    }
    if let Some(retiring) = &metadata.retiring {
        let Retiring { version_no, until } = retiring;
        record.insert("retiring".to_owned(), json!(RetiringRecord { version_no: *version_no, until }));
    }
    if let Some(policy) = &metadata.policy {
        record.insert("policy".to_owned(), json!(PolicyRecord::of(policy)));
    }
    Value::Object(record)
}

/// The versions of a secret, newest first.
pub(super) fn versions_of(metadata: &Metadata, versions: &[VersionFacts]) -> Value {
    let now = Timestamp::now();
    let all: Vec<_> = versions.iter().map(|one| version_of(metadata, one, now)).collect();
    json!({ "secret": record_of(metadata), "versions": all })
}

fn version_of(metadata: &Metadata, version: &VersionFacts, now: Timestamp) -> Value {
    let past = |text: &Option<String>| {
        text.as_deref().is_some_and(|text| text.parse::<Timestamp>().map_or(true, |at| at <= now))
    };
    let state = if version.destroyed_at.is_some() {
        "destroyed"
    } else if version.revoked_at.is_some() {
        "rolled_back"
    } else if version.version_no == metadata.version_no {
        if past(&version.expires_at) { "expired" } else { "active" }
    } else if version.retiring_until.is_some() && !past(&version.retiring_until) {
        "retiring"
    } else {
        "superseded"
    };
    let mut record = Map::new();
    record.insert("version_no".to_owned(), version.version_no.into());
    record.insert("state".to_owned(), state.into());
    for (member, text) in [
        ("created_at", Some(&version.created_at)),
        ("created_by", version.created_by.as_ref()),
        ("key_encoding", version.key_encoding.as_ref()),
        ("key_id", version.key_id.as_ref()),
        ("expires_at", version.expires_at.as_ref()),
        ("retiring_until", version.retiring_until.as_ref()),
        ("destroyed_at", version.destroyed_at.as_ref()),
        ("destroyed_by", version.destroyed_by.as_ref()),
        ("last_used_at", version.last_used_at.as_ref()),
    ] {
        if let Some(text) = text {
            record.insert(member.to_owned(), text.as_str().into());
        }
    }
    record.insert("uses".to_owned(), version.uses.into());
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
#[derive(Serialize, JsonSchema)]
pub(super) struct TenantRecord<'a> {
    tenant_id: &'a str,
    slug: &'a str,
    name: &'a str,
    created_at: &'a str,
}

impl<'a> TenantRecord<'a> {
    pub(super) fn of(tenant: &'a Tenant) -> Self {
        Self {
            tenant_id: tenant.id.as_str(),
            slug: tenant.slug.as_str(),
            name: tenant.name.as_deref().unwrap_or_default(),
            created_at: &tenant.created_at,
        }
    }
}

/// Several.
#[derive(Serialize, JsonSchema)]
pub(super) struct TenantRecords<'a> {
    pub(super) tenants: Vec<TenantRecord<'a>>,
}
