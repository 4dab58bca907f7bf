//! One request to a chassis's admin head, and its reply as a command needs it.

use serde_json::Value;
use zeroize::Zeroizing;

use super::output::Complaint;
use super::target::Target;

/// A reply that is no error.
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// The JSON body; `null` when there is none.
    pub(super) body: Value,
}

/// Sends one request and waits for its reply.
pub(super) fn call(
    target: &Target,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Reply, Complaint> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Complaint::failed(format!("cannot start: {e}")))?;
    let client = egress::AdminClient::new(&target.url).map_err(|e| Complaint::failed(e.to_string()))?;
    let body = body.map(|body| Zeroizing::new(body.to_string().into_bytes()));
    let reply =
        runtime.block_on(client.call(method, path, body)).map_err(|e| Complaint::failed(e.to_string()))?;
    if !reply.is_success() {
        let remedy = reply.code().and_then(|code| remedy(&code)).map(|remedy| format!(" — {remedy}"));
        return Err(Complaint::failed(format!("{}{}", reply.refusal(), remedy.unwrap_or_default())));
    }
    Ok(Reply { status: reply.status(), body: serde_json::from_slice(reply.body()).unwrap_or(Value::Null) })
}

/// What to do about a refusal, where its code alone does not say it.
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "secret_not_found" => "`txco auth tenant secrets list` shows what there is, `set` makes a new one",
        "secret_exists" => "`rotate` gives it a new value (`rotate --generate`: a minted one)",
        "tenant_not_found" => "`txco auth tenants` lists them",
        "tenant_slug_taken" => "choose another, or use the tenant that has it",
        _ => return None,
    })
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
