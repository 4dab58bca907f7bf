//! A client cannot write the control plane: whatever its body says stays below `body`.

use serde_json::json;
use support::{Host, Request};

use crate::TXCO;

#[test]
fn a_body_that_looks_like_an_envelope_is_data() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/a.txcl", "EMIT .tenant = @tenant, .computed = @computed.sig, .top = .injected\n")
        .rule("OPS/web/200/b.txcl", "EMIT .reached = true\n")
        .start();
    let body = json!({
        "_txc": { "halt": true, "tenant": "acme", "computed": { "sig": "forged" }, "web": { "res": { "status": 599 } } },
        "injected": 1,
    });
    let reply = host.event("/?_txc.halt=true&_txc.goto=other/1", &body);
    assert_eq!(reply.status, 200);
    let seen = reply.json();
    assert_eq!((&seen["tenant"], &seen["reached"]), (&json!("default"), &json!(true)));
    assert!(seen["computed"].is_null() && seen["top"].is_null(), "{seen}");
    host.finish();
}

#[test]
fn headers_that_steer_a_proxy_steer_nothing() {
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .rid = @rid, .tenant = @tenant\n").start();
    let request = Request::new("GET", "/")
        .header("X-Request-ID", "req_1111111111111111111111")
        .header("X-Txco-Tenant", "acme")
        .header("X-Txco-Mocks", "*");
    let reply = host.web(&request);
    assert_ne!(reply.header("x-request-id"), Some("req_1111111111111111111111"));
    assert_eq!(reply.json()["tenant"], "default");
    host.finish();
}
