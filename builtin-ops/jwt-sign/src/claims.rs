//! The claims of a token: those of the rule, and those that the op makes itself.

use alloc::string::String;
use alloc::vec::Vec;

use parts::{failure, json};
use txco_op::{Failure, Value, decimal};

/// How long a token lives when nothing says it, in seconds.
const LIFE: u64 = 300;

/// The claims that a rule gives as an object.
pub(crate) struct Claims<'a>(Option<json::Object<'a>>);

/// What parameters say.
pub(crate) struct Own {
    pub(crate) issuer: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) audience: Option<Value>,
    pub(crate) expires_in: Option<u64>,
    pub(crate) id: Option<String>,
    pub(crate) now: u64,
}

impl<'a> Claims<'a> {
    pub(crate) fn read(claims: Option<&'a Value>) -> Result<Self, Failure> {
        match claims {
            None => Ok(Self(None)),
            Some(Value::Json(text)) => match json::Object::read(text) {
                Some(object) => Ok(Self(Some(object))),
                None => Err(failure(&["claims must be an object that nests at most 32 deep"])),
            },
            Some(Value::Text(_)) => Err(failure(&["claims must be an object"])),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|claims| claims.raw(name).is_some())
    }

    /// The payload: what parameters say first, then the claims in their order.
    pub(crate) fn with(&self, own: Own) -> Result<String, Failure> {
        let audience = own.audience.map(audience).transpose()?;
        let issued = (!self.has("iat")).then(|| decimal(own.now));
        let expires = match own.expires_in {
            None if self.has("exp") => None,
            Some(0) => None,
            asked => Some(decimal(own.now.saturating_add(asked.unwrap_or(LIFE)))),
        };
        let made = [
            ("iss", "issuer", own.issuer.map(|text| json::quoted(&text))),
            ("sub", "subject", own.subject.map(|text| json::quoted(&text))),
            ("aud", "audience", audience),
            ("iat", "", issued),
            ("exp", "expires_in", expires),
            ("jti", "token_id", own.id.map(|text| json::quoted(&text))),
        ];
        let mut members = Vec::new();
        for (name, param, value) in made {
            let Some(value) = value else { continue };
            if self.has(name) {
                return Err(failure(&[name, " is in claims, and made by ", param]));
            }
            members.push((name, value));
        }
        let given = self.0.iter().flat_map(json::Object::members);
        Ok(json::object(members.into_iter().chain(given.map(|(name, raw)| (name, raw.into())))))
    }
}

/// RFC 7519, section 4.1.3: one text or several.
fn audience(value: Value) -> Result<String, Failure> {
    match value {
        Value::Text(text) => Ok(json::quoted(&text)),
        Value::Json(raw) if raw.starts_with('[') && json::texts(&raw).is_some() => Ok(raw),
        Value::Json(_) => Err(failure(&["audience must be a text or an array of texts"])),
    }
}
