//! What must hold for every HTTP request that becomes an envelope. Compiled into the host's tests too.

use axum::body::Bytes;
use axum::http::Request;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::{Path, RequestId, StackName, TenantSlug, Value};

use super::inlet::Arrived;

/// A target on the first line, headers as `name: value` up to an empty line, then the body.
pub fn received(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let Some(Ok(target)) = lines.next().map(std::str::from_utf8) else { return };
    let mut rest = lines.next().unwrap_or_default();
    let mut request = Request::post(target);
    loop {
        let mut lines = rest.splitn(2, |byte| *byte == b'\n');
        let line = lines.next().unwrap_or_default();
        rest = lines.next().unwrap_or_default();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let (name, value) = line.split_at(colon);
        request = request.header(name, value[1..].trim_ascii());
    }
    let Ok(request) = request.body(rest.to_vec()) else { return };
    let (parts, body) = request.into_parts();
    let id = RequestId::parse("req_1111111111111111111111").expect("an id");
    let arrived = Arrived {
        request: &id,
        tenant: &TenantSlug::default_tenant(),
        stack: &StackName::parse("shop").expect("a name"),
        at: jiff::Timestamp::UNIX_EPOCH,
        parts: &parts,
        body: Bytes::from(body.clone()),
    };
    let Ok(envelope) = arrived.into_envelope() else {
        let query = parts.uri.query().unwrap_or_default();
        assert!(query.contains(['%', ';']), "refused: {query}");
        return;
    };
    let at = |path: &str| envelope.get(&Path::parse(path).expect("a path"));
    Value::parse(envelope.document().to_json().as_bytes()).expect("an envelope is JSON of a legal depth");
    let own = at("_txc").and_then(Value::as_object).expect("the chassis's part");
    assert!(
        own.keys().all(|key| matches!(key.as_str(), "src" | "rid" | "tenant" | "stack" | "web")),
        "{own:?}"
    );
    assert_eq!(at("_txc.rid").and_then(Value::as_str), Some(id.as_str()), "the id is ours, whatever came");
    assert!(
        envelope
            .document()
            .as_object()
            .is_some_and(|all| all.keys().all(|key| { matches!(key.as_str(), "_ts" | "_txc" | "body") }))
    );
    let received = at("_txc.web.req.body").and_then(Value::as_str).map(|text| BASE64_STANDARD.decode(text));
    match received {
        None => assert!(body.is_empty(), "a body is lost"),
        Some(bytes) => assert_eq!(bytes.as_deref(), Ok(body.as_slice())),
    }
    if at("body").is_some() {
        let bytes = envelope.bytes(&Path::parse("body").expect("a path"));
        assert_eq!(bytes.as_deref(), Some(body.as_slice()), "an op signs other bytes than came");
    }
}
