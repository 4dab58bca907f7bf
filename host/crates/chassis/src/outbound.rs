//! What a rule's `WITH` says about its request: method, body, time, and what a reply means.

use std::time::Duration;

use egress::{Draft, DraftBody};
use jiff::SignedDuration;
use model::{Failure, Fault, Object, Path, Value};
use txcl::Prepared;

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

const KEYS: [&str; 7] = ["url", "method", "timeout", "body_encoding", "body_path", "into", "on_error"];

/// Makes the request that `exec` and `prepared` describe.
pub(crate) fn outbound(exec: &str, prepared: &Prepared, settings: &Settings) -> Result<Outbound, Failure> {
    let with = prepared.params.as_object().cloned().unwrap_or_default();
    refuse_unknown(&with)?;
    let url = text(&with, "url")?.map_or(exec, |url| url.trim());
    let method = text(&with, "method")?.map_or_else(|| "POST".to_owned(), |m| m.trim().to_ascii_uppercase());
    let on_error = match text(&with, "on_error")? {
        None | Some("halt") => OnError::Halt,
        Some("continue") => OnError::Continue,
        Some(other) => return Err(failed(format!("WITH on_error = {other:?} (\"halt\" or \"continue\")"))),
    };
    let into = match text(&with, "into")? {
        None => None,
        Some(place) => Some(writable("into", place)?),
    };
    let draft = Draft::new(url, &method)
        .map_err(|e| e.failure())?
        .headers(prepared.headers.clone())
        .map_err(|e| e.failure())?
        .body(body(&with, &method, prepared)?)
        .own(prepared.own.clone())
        .timeout(timeout(with.get("timeout"), settings)?);
    Ok(Outbound { draft, on_error, into })
}

/// A key that does nothing would be a mistake that nobody sees.
fn refuse_unknown(with: &Object) -> Result<(), Failure> {
    match with.keys().find(|key| !KEYS.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) if matches!(key.as_str(), "mode" | "continue_after" | "join_at_scope" | "max_duration") => {
            Err(Failure::new(Fault::OpUnsupported, format!("WITH {key}: continuations are not in this release")))
        }
        Some(key) if matches!(key.as_str(), "redact" | "omit") => Ok(()),
        Some(key) => Err(failed(format!("WITH {key}: an http op knows {}", KEYS.join(", ")))),
    }
}

fn body(with: &Object, method: &str, prepared: &Prepared) -> Result<DraftBody, Failure> {
    let encoding = text(with, "body_encoding")?;
    let place = text(with, "body_path")?.map(|p| path("body_path", p)).transpose()?;
    if !matches!(method, "POST" | "PUT" | "PATCH") {
        return match (encoding, place) {
            (None, None) => Ok(DraftBody::None),
            _ => Err(failed(format!("WITH body_path or body_encoding: a {method} request has no body"))),
        };
    }
    match (encoding, place) {
        (None | Some("json"), None) => {
            let input = prepared.input.filtered(|key| key != "_txc" && key != "_ts");
            Ok(DraftBody::Json(input.document().clone()))
        }
        (None | Some("json"), Some(place)) => match prepared.input.get(&place) {
            Some(value) => Ok(DraftBody::Json(value.clone())),
            None => Err(missing(&place)),
        },
        (Some("raw"), Some(place)) => match prepared.input.get(&place) {
            Some(value) if value.has_sealed() => Err(Failure::new(
                Fault::CredentialNotInspectable,
                format!("WITH body_path = {place}: raw bytes of a credential"),
            )),
            Some(_) => prepared
                .input
                .bytes(&place)
                .map(|bytes| DraftBody::Raw(bytes.into_owned()))
                .ok_or_else(|| missing(&place)),
            None => Err(missing(&place)),
        },
        (Some("raw"), None) => Err(failed("WITH body_encoding = \"raw\" needs body_path".to_owned())),
        (Some("urlencoded" | "form"), _) => Err(Failure::new(
            Fault::OpUnsupported,
            "WITH body_encoding: form encoding is not in this release (\"json\" or \"raw\")",
        )),
        (Some(other), _) => Err(failed(format!("WITH body_encoding = {other:?} (\"json\" or \"raw\")"))),
    }
}

/// A number is milliseconds; a text is a duration such as `250ms` or `1m30s`. More than the
/// maximum is an error, not a request that silently does not happen (weakness H12).
fn timeout(value: Option<&Value>, settings: &Settings) -> Result<Duration, Failure> {
    let asked = match value {
        None => return Ok(settings.op_timeout),
        Some(Value::Number(millis)) => millis.as_u64().map(Duration::from_millis),
        Some(Value::String(text)) => {
            text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok())
        }
        Some(_) => None,
    };
    match asked {
        Some(asked) if asked.is_zero() => Err(failed("WITH timeout: must be more than nothing".to_owned())),
        Some(asked) if asked > settings.op_timeout_max => Err(failed(format!(
            "WITH timeout: at most {} s (--op-timeout-max)",
            settings.op_timeout_max.as_secs()
        ))),
        Some(asked) => Ok(asked),
        None => Err(failed("WITH timeout: a number of milliseconds or a duration such as \"2s\"".to_owned())),
    }
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
