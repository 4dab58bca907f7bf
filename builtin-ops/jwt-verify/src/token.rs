//! A token in compact form, and what is expected of it.

use alloc::string::String;
use alloc::vec::Vec;

use parts::json;
use parts::signature::Jws;
use txco_op::from_base64url;

/// What a rule expects.
pub(crate) struct Expected {
    pub(crate) algorithm: Jws,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) leeway: u64,
    pub(crate) require_exp: bool,
    pub(crate) now: u64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Missing,
    Malformed,
    Algorithm,
    Critical,
    Kind,
    Signature,
    NoExpiry,
    Expired,
    NotYet,
    Issuer,
    Audience,
    Subject,
}

impl Reason {
    /// Its word for rules.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Algorithm => "wrong-algorithm",
            Self::Critical => "critical-header",
            Self::Kind => "wrong-type",
            Self::Signature => "bad-signature",
            Self::NoExpiry => "no-expiry",
            Self::Expired => "expired",
            Self::NotYet => "not-yet-valid",
            Self::Issuer => "wrong-issuer",
            Self::Audience => "wrong-audience",
            Self::Subject => "wrong-subject",
        }
    }
}

/// A token whose header is what is expected; its signature is not checked yet.
pub(crate) struct Token<'a> {
    /// Header and payload as they are signed.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart: what an Authorization header says, or the token alone.
    pub(crate) fn read(found: &'a str, expected: &Expected) -> Result<Self, Reason> {
        let found = found.trim();
        let text = match found.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
            Some(_) => return Err(Reason::Malformed),
            None => found,
        };
        if text.is_empty() {
            return Err(Reason::Missing);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Reason::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Reason::Malformed)?;
        if payload.contains('.') {
            return Err(Reason::Malformed);
        }
        let signature = bytes(signature)?;
        let header = decoded(header)?;
        let header = json::Object::read(&header).ok_or(Reason::Malformed)?;
        let member = |name| header.raw(name).map(|raw| json::text(raw).ok_or(Reason::Malformed)).transpose();
        // The rule says which algorithm; a token that wants another is refused, `none` with it.
        if member("alg")?.ok_or(Reason::Malformed)? != expected.algorithm.name() {
            return Err(Reason::Algorithm);
        }
        // RFC 7515, section 4.1.11: what it lists must be understood, and nothing is.
        if header.raw("crit").is_some() {
            return Err(Reason::Critical);
        }
        let kind = member("typ")?;
        if expected.kind.as_deref().is_some_and(|wanted| !is_kind(kind.as_deref(), wanted)) {
            return Err(Reason::Kind);
        }
        Ok(Self { signed, signature, payload })
    }

    /// The claims of a token that is signed, as JSON text, if they are what is expected.
    pub(crate) fn claims(&self, expected: &Expected) -> Result<String, Reason> {
        let text = decoded(self.payload)?;
        let claims = json::Object::read(&text).ok_or(Reason::Malformed)?;
        let time = |name| claims.raw(name).map(|raw| json::seconds(raw).ok_or(Reason::Malformed)).transpose();
        match time("exp")? {
            None if expected.require_exp => return Err(Reason::NoExpiry),
            Some(exp) if exp.saturating_add(expected.leeway) <= expected.now => return Err(Reason::Expired),
            _ => {}
        }
        if time("nbf")?.is_some_and(|nbf| nbf > expected.now.saturating_add(expected.leeway)) {
            return Err(Reason::NotYet);
        }
        let is = |name, wanted: &Option<String>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| claims.raw(name).and_then(json::text).as_ref() == Some(wanted))
        };
        if !is("iss", &expected.issuer) {
            return Err(Reason::Issuer);
        }
        if !is("sub", &expected.subject) {
            return Err(Reason::Subject);
        }
        let audiences = claims.raw("aud").and_then(json::texts).unwrap_or_default();
        if expected.audience.as_ref().is_some_and(|wanted| !audiences.contains(wanted)) {
            return Err(Reason::Audience);
        }
        Ok(text)
    }
}

/// RFC 7515, section 4.1.9: media types in any case, `application/` left out or not.
fn is_kind(kind: Option<&str>, wanted: &str) -> bool {
    let short = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        kind.strip_prefix("application/").map_or_else(|| kind.clone(), Into::into)
    };
    kind.is_some_and(|kind| short(kind) == short(wanted))
}

fn bytes(text: &str) -> Result<Vec<u8>, Reason> {
    // RFC 7515, section 2: without padding.
    if text.contains('=') { None } else { from_base64url(text) }.ok_or(Reason::Malformed)
}

fn decoded(text: &str) -> Result<String, Reason> {
    String::from_utf8(bytes(text)?).map_err(|_| Reason::Malformed)
}
