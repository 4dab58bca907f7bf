//! One request to a chassis's admin head, and its reply as a command needs it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use super::output::Complaint;
use super::remedy::{self, Remedy};
use super::target::{Access, Target};
use crate::request_signature::{Message, signed_headers};

/// A reply that is no error.
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// The JSON body; `null` when there is none.
    pub(super) body: Value,
}

/// A reply that is one.
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// How long the chassis asks to wait before the next try.
    pub(super) retry_after: Option<Duration>,
    /// Its code, when it has one.
    pub(super) code: String,
    /// What it is about, by name.
    pub(super) detail: Value,
    /// What to tell a person.
    pub(super) text: String,
}

/// No reply came.
pub(super) struct Lost {
    /// What to tell a person.
    pub(super) complaint: Complaint,
    /// What that means for another try.
    pub(super) how: How,
}

/// How a request was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Nobody was there, and nothing was sent.
    Unsent,
    /// The connection broke off: it may have been done.
    Unknown,
    /// Another try would end like this one.
    ForGood,
}

impl From<Complaint> for Lost {
    fn from(complaint: Complaint) -> Self {
        Self { complaint, how: How::ForGood }
    }
}

impl From<egress::AdminError> for Lost {
    fn from(error: egress::AdminError) -> Self {
        let how = match &error {
            error if error.is_nobody_there() => How::Unsent,
            error if error.is_broken_off() => How::Unknown,
            _ => How::ForGood,
        };
        Self { complaint: Complaint::failed(error.to_string()), how }
    }
}

impl Refusal {
    /// The end of a command that cannot do anything about it.
    pub(super) fn complaint(self) -> Complaint {
        Complaint::failed(self.text)
    }
}

/// How long somebody is waited for who may not be there at all.
const LOOK: Duration = Duration::from_secs(5);

/// What a chassis tells everybody, also when that is an error; it is not told who asks.
pub(super) fn look(target: &Target, path: &str) -> Result<Reply, Complaint> {
    let failed = |e: egress::AdminError| Complaint::failed(e.to_string());
    let client = egress::AdminClient::new(&target.url).map_err(failed)?.patient_for(LOOK);
    let reply = runtime()?.block_on(client.call("GET", path, None)).map_err(failed)?;
    Ok(Reply { status: reply.status(), body: serde_json::from_slice(reply.body()).unwrap_or(Value::Null) })
}

fn runtime() -> Result<tokio::runtime::Runtime, Complaint> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Complaint::failed(format!("cannot start: {e}")))
}

/// Sends one request and waits for its reply.
pub(super) fn call(
    target: &Target,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Reply, Complaint> {
    ask(target, method, path, body, Vec::new())?.map_err(|refusal| explained(target, refusal))
}

/// A refusal that ends a command, with what to do when the key is not good there.
pub(super) fn explained(target: &Target, refusal: Refusal) -> Complaint {
    let hint = match (&target.access, refusal.code.as_str()) {
        (Access::Signed(profile, _), "unknown_key" | "revoked_key" | "actor_revoked") => format!(
            " — the key of profile {} is not (or no longer) good at {}; choose another by --profile",
            profile.name, target.url
        ),
        (Access::Unsigned, "missing_signature_headers") => format!(
            " — nothing was signed: no profile at hand is of {}; become known there (txco auth accept, \
             txco auth bootstrap-local), or sign as another by --profile NAME",
            target.url
        ),
        _ => String::new(),
    };
    Complaint::failed(refusal.text + &hint)
}

/// The same, with headers of its own; a refusal is looked at by whoever asks.
pub(super) fn ask(
    target: &Target,
    method: &str,
    path: &str,
    body: Option<&Value>,
    headers: Vec<(&'static str, Zeroizing<String>)>,
) -> Result<Result<Reply, Refusal>, Complaint> {
    attempt(target, method, path, body, headers).map_err(|lost| lost.complaint)
}

/// The same, telling also how a request was lost.
pub(super) fn attempt(
    target: &Target,
    method: &str,
    path: &str,
    body: Option<&Value>,
    mut headers: Vec<(&'static str, Zeroizing<String>)>,
) -> Result<Result<Reply, Refusal>, Lost> {
    let client = egress::AdminClient::new(&target.url)?;
    let body = body.map(|body| Zeroizing::new(body.to_string().into_bytes()));
    match &target.access {
        Access::Unsigned => {}
        Access::Basic(value) => headers.push(("authorization", value.clone())),
        Access::Signed(profile, signer) => {
            let line = client.line(path)?;
            let message = Message {
                method,
                path: &line.path,
                query: line.query.as_deref(),
                authority: &line.authority,
                header: &|_| None,
            };
            let body = body.as_ref().map(|body| body.as_slice()).unwrap_or_default();
            let when = (profile.meta.key_id.as_str(), Timestamp::now().as_second());
            let signed = signed_headers(&message, body, when, |base| signer.sign(base))?;
            let signed = signed.ok_or_else(|| Complaint::failed("the request cannot be signed"))?;
            headers.extend(signed.map(|(name, value)| (name, Zeroizing::new(value))));
        }
    }
    let reply = runtime()?.block_on(client.call_with(method, path, body, headers))?;
    let body: Value = serde_json::from_slice(reply.body()).unwrap_or(Value::Null);
    if !reply.is_success() {
        let detail = body.get("detail").cloned().unwrap_or(Value::Null);
        let code = reply.code().unwrap_or_default();
        let remedy = match remedy::of(&code) {
            // Nobody can grant that: it is the first actor's, or who has the chassis's own password.
            Some(Remedy::Say(_))
                if code == "capability_denied" && reply.refusal().contains("super_admin") =>
            {
                format!(" — {}", remedy::SUPER_ADMIN)
            }
            Some(Remedy::Say(text)) => format!(" — {text}"),
            Some(Remedy::Said) | None => String::new(),
        };
        let text = format!("{}{remedy}", reply.refusal());
        let (status, retry_after) = (reply.status(), reply.retry_after());
        return Ok(Err(Refusal { status, retry_after, code, detail, text }));
    }
    Ok(Ok(Reply { status: reply.status(), body }))
}

/// A text as one segment of a path or one value of a query (RFC 3986, unreserved characters).
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
        // A dot too, so that `..` is a name and not a way up.
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(encoded("../a b?c"), "%2E%2E%2Fa%20b%3Fc");
        assert_eq!(encoded("A_z-9"), "A_z-9");
    }
}
