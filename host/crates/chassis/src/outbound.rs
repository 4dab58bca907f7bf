//! What a rule's `WITH` says about its request: method, body, time, and what a reply means.

use std::time::Duration;

use egress::{Draft, DraftBody};
use model::{Failure, Fault, Object, Path, SecretRef, Value};
use txcl::{HTTP_PARAMS, IDEMPOTENCY_KEY, Prepared};

use crate::settings::Settings;

/// What happens to the request when the upstream fails (R5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    Halt,
    Continue,
}

/// A request ready to be spliced and sent, and what to do with its reply.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) draft: Draft,
    pub(crate) on_error: OnError,
    pub(crate) into: Option<Path>,
}

/// Makes the request that `exec` and `prepared` describe.
pub(crate) fn outbound(
    exec: &str,
    secrets: &[SecretRef],
    prepared: &Prepared,
    settings: &Settings,
) -> Result<Outbound, Failure> {
    let nothing = Object::new();
    let with = prepared.params.as_object().unwrap_or(&nothing);
    refuse_unknown(with)?;
    let url = text(with, "url")?.map_or(exec, |url| url.trim());
    let method = text(with, "method")?.map_or_else(|| "POST".to_owned(), |m| m.trim().to_ascii_uppercase());
    let on_error = match text(with, "on_error")? {
        None | Some("halt") => OnError::Halt,
        Some("continue") => OnError::Continue,
        Some(other) => return Err(failed(format!("WITH on_error = {other:?} (\"halt\" or \"continue\")"))),
    };
    let into = match text(with, "into")? {
        None => None,
        Some(place) => Some(writable("into", place)?),
    };
    let (body, root) = body(with, &method, prepared)?;
    let (headers, query) = (headers(with, prepared)?, query(with)?);
    let retries =
        with.get("retries").map_or(Ok(0), txcl::retries).map_err(|why| failed(format!("WITH {why}")))?;
    let arriving = with.get("credential").map_or_else(|| Ok(Vec::new()), txcl::credentials);
    let arriving = arriving.map_err(|why| failed(format!("WITH credential: {why}")))?;
    let draft = Draft::new(url, &method)
        .and_then(|draft| draft.query(&query).headers(headers))
        .and_then(|draft| draft.body(body).own_below(&prepared.own, &root).secrets(secrets))
        .and_then(|draft| draft.retries(retries))
        .map_err(|e| e.failure())?
        .arriving(arriving)
        .timeout(timeout(with.get("timeout"), settings)?);
    Ok(Outbound { draft, on_error, into })
}

/// A key that does nothing would be a mistake that nobody sees.
fn refuse_unknown(with: &Object) -> Result<(), Failure> {
    match with.keys().find(|key| !HTTP_PARAMS.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) if matches!(key.as_str(), "mode" | "continue_after" | "join_at_scope" | "max_duration") => {
            Err(Failure::new(
                Fault::OpUnsupported,
                format!("WITH {key}: continuations are not in this release"),
            ))
        }
        Some(key) => Err(failed(format!("WITH {key}: an http op knows {}", HTTP_PARAMS.join(", ")))),
    }
}

/// The body, and the place of the input that it is the value of.
fn body(with: &Object, method: &str, prepared: &Prepared) -> Result<(DraftBody, Path), Failure> {
    let encoding = text(with, "body_encoding")?;
    let place = text(with, "body_path")?.map(|p| path("body_path", p)).transpose()?;
    if !matches!(method, "POST" | "PUT" | "PATCH") {
        return match (encoding, place) {
            (None, None) => Ok((DraftBody::None, Path::default())),
            _ => Err(failed(format!("WITH body_path or body_encoding: a {method} request has no body"))),
        };
    }
    let encoding = encoding.unwrap_or("json");
    let root = place.clone().unwrap_or_default();
    let value = || match &place {
        // The op's input, without what is the chassis's own and nobody else's business (R4).
        None => Ok(prepared.input.filtered(|key| key != "_txc" && key != "_ts").document().clone()),
        Some(place) => prepared.input.get(place).cloned().ok_or_else(|| missing(place)),
    };
    let body = match (encoding, &place) {
        ("json", _) => DraftBody::Json(value()?),
        ("urlencoded" | "form", _) => DraftBody::Form(value()?),
        ("raw", Some(place)) => DraftBody::Raw(raw(prepared, place)?),
        ("raw", None) => return Err(failed("WITH body_encoding = \"raw\" needs body_path".to_owned())),
        (other, _) => {
            return Err(failed(format!(
                "WITH body_encoding = {other:?} (\"json\", \"urlencoded\" or \"raw\")"
            )));
        }
    };
    Ok((body, root))
}

/// Exactly the bytes that an op signs at `place`.
fn raw(prepared: &Prepared, place: &Path) -> Result<Vec<u8>, Failure> {
    if prepared.input.get(place).is_some_and(Value::has_sealed) {
        let detail = format!("WITH body_path = {place}: raw bytes of a credential");
        return Err(Failure::new(Fault::CredentialNotInspectable, detail));
    }
    prepared.input.bytes(place).map(std::borrow::Cow::into_owned).ok_or_else(|| missing(place))
}

/// The headers of SET, of `WITH headers` and of `WITH idempotency_key`. A credential comes
/// only by SET (R2).
fn headers(with: &Object, prepared: &Prepared) -> Result<Vec<(String, Value)>, Failure> {
    let mut all = prepared.headers.clone();
    let given = with.get("headers").and_then(Value::as_object).into_iter().flatten();
    let key = with.get("idempotency_key").map(|value| (IDEMPOTENCY_KEY, value));
    for (name, value) in given.map(|(name, value)| (name.as_str(), value)).chain(key) {
        let place = format!("WITH headers.{name}");
        all.push((
            name.to_owned(),
            match value {
                Value::Sealed(_) => {
                    let why = format!("{place}: a credential is given by SET @web.req.headers.{name}");
                    return Err(Failure::new(Fault::CredentialNotAllowedHere, why));
                }
                Value::Null => return Err(failed(format!("{place}: there is no value to send"))),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                    value.clone()
                }
            },
        ));
    }
    Ok(all)
}

/// The parameters that `WITH query` adds to the URL.
fn query(with: &Object) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    for (name, value) in with.get("query").and_then(Value::as_object).into_iter().flatten() {
        if value.has_sealed() {
            return Err(Failure::new(Fault::CredentialNotAllowedHere, format!("WITH query.{name}")));
        }
        let values = txcl::query_value(value).map_err(|why| failed(format!("WITH query.{name}: {why}")))?;
        all.extend(values.into_iter().map(|value| (name.clone(), value)));
    }
    Ok(all)
}

/// More than the maximum is an error, not a request that silently does not happen (weakness
/// H12).
pub(crate) fn timeout(value: Option<&Value>, settings: &Settings) -> Result<Duration, Failure> {
    let Some(value) = value else { return Ok(settings.op_timeout) };
    let asked = txcl::duration(value).map_err(|why| failed(format!("WITH {why}")))?;
    if asked > settings.op_timeout_max {
        let most = settings.op_timeout_max.as_secs();
        return Err(failed(format!("WITH timeout: at most {most} s (--op-timeout-max)")));
    }
    Ok(asked)
}

fn text<'a>(with: &'a Object, key: &str) -> Result<Option<&'a str>, Failure> {
    match with.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Sealed(_)) => Err(Failure::new(Fault::CredentialNotAllowedHere, format!("WITH {key}"))),
        Some(_) => Err(failed(format!("WITH {key}: must be a text"))),
    }
}

fn path(key: &str, text: &str) -> Result<Path, Failure> {
    match Path::parse_sugared(text) {
        Ok(path) if !path.is_empty() => Ok(path),
        Ok(_) => Err(failed(format!("WITH {key}: is empty"))),
        Err(error) => Err(failed(format!("WITH {key}: {error}"))),
    }
}

fn writable(key: &str, text: &str) -> Result<Path, Failure> {
    let path = path(key, text)?;
    if txcl::author_may_write(&path) {
        Ok(path)
    } else {
        Err(failed(format!("WITH {key}: {path} belongs to the chassis")))
    }
}

fn missing(place: &Path) -> Failure {
    failed(format!("WITH body_path: there is nothing at {place}"))
}

fn failed(detail: String) -> Failure {
    Failure::new(Fault::RuleFailed, detail)
}
