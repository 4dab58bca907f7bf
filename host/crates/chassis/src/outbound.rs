//! What a rule's `WITH` says about its request: method, body, time, and what a reply means.

use std::collections::BTreeSet;
use std::time::Duration;

use egress::{Draft, DraftBody};
use model::{Failure, Fault, Object, Path, SecretRef, Segment, Slot, Value};
use txcl::{HTTP_PARAMS, IDEMPOTENCY_KEY, Prepared, Rule, Waits};

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
    rule: &Rule,
    prepared: &Prepared,
    settings: &Settings,
) -> Result<Outbound, Failure> {
    made(exec, rule, prepared, settings, None)
}

/// What a rule says about its reply: whether an error is one, and where it goes.
pub(crate) fn after_reply(prepared: &Prepared) -> Result<(OnError, Option<Path>), Failure> {
    let nothing = Object::default();
    let with = prepared.params.as_object().unwrap_or(&nothing);
    let on_error = match text(with, "on_error")? {
        None | Some("halt") => OnError::Halt,
        Some("continue") => OnError::Continue,
        Some(other) => return Err(failed(format!("WITH on_error = {other:?} (\"halt\" or \"continue\")"))),
    };
    let into = text(with, "into")?.map(|place| writable("into", place)).transpose()?;
    Ok((on_error, into))
}

/// Makes the request that hands a job to a worker: as any other, only that the body has the
/// rule's own below `input`, beside the contract, and a header has the worker's token.
pub(crate) fn job(
    exec: &str,
    rule: &Rule,
    prepared: &Prepared,
    settings: &Settings,
    job: Job<'_>,
) -> Result<(Outbound, Vec<SecretRef>), Failure> {
    let secrets: Vec<_> = rule.secrets().iter().map(below_input).collect();
    Ok((made(exec, rule, prepared, settings, Some((job, &secrets)))?, secrets))
}

/// What a worker is told of its job beside the input.
pub(crate) struct Job<'a> {
    pub(crate) contract: Value,
    pub(crate) token: &'a str,
}

/// The header with which a worker proves that the job is its own.
const TOKEN_HEADER: &str = "x-txco-continuation-token";
/// The member of a job's body that is the rule's own.
const INPUT: &str = "input";

fn made(
    exec: &str,
    rule: &Rule,
    prepared: &Prepared,
    settings: &Settings,
    job: Option<(Job<'_>, &[SecretRef])>,
) -> Result<Outbound, Failure> {
    let nothing = Object::default();
    let with = prepared.params.as_object().unwrap_or(&nothing);
    refuse_unknown(with)?;
    let url = text(with, "url")?.map_or(exec, |url| url.trim());
    let method = text(with, "method")?.map_or_else(|| "POST".to_owned(), |m| m.trim().to_ascii_uppercase());
    let (on_error, into) = after_reply(prepared)?;
    let (body, root) = body(with, &method, prepared)?;
    let (mut headers, query) = (headers(with, prepared)?, query(with)?);
    let (contract, secrets) = match job {
        None => (None, rule.secrets()),
        Some(_) if !matches!(body, DraftBody::Json(_)) => {
            return Err(failed("WITH mode = \"async\": the body of a job is JSON".to_owned()));
        }
        Some((job, secrets)) => {
            headers.push((TOKEN_HEADER.to_owned(), Value::from(job.token)));
            (Some(job.contract), secrets)
        }
    };
    let wrapped = |draft: Draft| match contract {
        None => draft,
        Some(contract) => draft.inside(INPUT, "_txc", contract),
    };
    let retries =
        with.get("retries").map_or(Ok(0), txcl::retries).map_err(|why| failed(format!("WITH {why}")))?;
    let arriving = with.get("credential").map_or_else(|| Ok(Vec::new()), txcl::credentials);
    let arriving = arriving.map_err(|why| failed(format!("WITH credential: {why}")))?;
    let hosts = with.get("credential_hosts").map_or_else(|| Ok(BTreeSet::new()), txcl::credential_hosts);
    let hosts = hosts.map_err(|why| failed(format!("WITH credential_hosts: {why}")))?;
    let draft = Draft::new(url, &method)
        .and_then(|draft| draft.query(&query).headers(headers))
        .and_then(|draft| wrapped(draft.body(body).own_below(&prepared.own, &root)).secrets(secrets))
        .and_then(|draft| draft.retries(retries))
        .map_err(|e| e.failure())?
        .arriving(arriving, hosts)
        .timeout(timeout(with.get("timeout"), usual(rule, settings), settings)?);
    Ok(Outbound { draft, on_error, into })
}

/// A key that does nothing would be a mistake that nobody sees.
fn refuse_unknown(with: &Object) -> Result<(), Failure> {
    match with.keys().find(|key| !HTTP_PARAMS.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(failed(format!("WITH {key}: an http op knows {}", HTTP_PARAMS.join(", ")))),
    }
}

/// The same reference for a job's body: a place of the rule's own body lies below `input` there.
fn below_input(one: &SecretRef) -> SecretRef {
    let place = one.slot.path().strip_prefix(&["body"]).and_then(|below| inside(INPUT, &below));
    let slot = place.and_then(|place| Slot::new(inside("body", &place)?).ok());
    SecretRef { slot: slot.unwrap_or_else(|| one.slot.clone()), ..one.clone() }
}

fn inside(member: &str, path: &Path) -> Option<Path> {
    let segments = path.segments().iter().map(Segment::as_str);
    Path::from_segments(std::iter::once(member).chain(segments)).ok()
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
        all.extend(values.into_iter().map(|value| (name.to_string(), value)));
    }
    Ok(all)
}

/// How long a rule's op may take when the rule says nothing: of a worker that is the time to
/// accept the job.
pub(crate) fn usual(rule: &Rule, settings: &Settings) -> Duration {
    match rule.waits() {
        Waits::Here => settings.op_timeout,
        Waits::Worker { .. } => settings.waiting.accept,
        Waits::Promised { .. } => settings.waiting.promised.min(settings.op_timeout_max),
    }
}

/// More than the maximum is an error, not a request that silently does not happen (weakness
/// H12).
pub(crate) fn timeout(
    value: Option<&Value>,
    usual: Duration,
    settings: &Settings,
) -> Result<Duration, Failure> {
    let Some(value) = value else { return Ok(usual) };
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
