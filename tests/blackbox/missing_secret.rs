//! A rule that cannot have its secrets never runs, and the client learns neither name nor cause.

use serde_json::{Value, json};
use support::{Answer, Host, Request, Upstream};

use crate::TXCO;

const RULE: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";

fn vendor() -> Upstream {
    Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })))
}

/// The trace of the one request.
fn step(host: &Host) -> Value {
    let files = host.files("data/trace/requests");
    let meta: Vec<_> = files.iter().filter(|file| file.ends_with("meta.json")).collect();
    assert_eq!(meta.len(), 1, "{files:?}");
    serde_json::from_str(&host.read(meta[0])).unwrap()
}

/// H1 of the weaknesses.
#[test]
fn an_unknown_secret_halts_the_request() {
    let vendor = vendor();
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", RULE)
        .rule("OPS/web/200/later.txcl", "EMIT .later = true\n")
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500);
    let text = reply.text();
    assert!(text.contains("secret_unavailable"), "{text}");
    for hidden in ["VENDOR_KEY", "secret_not_found", "later"] {
        assert!(!text.contains(hidden), "{text}");
    }
    let id = reply.header("x-request-id").expect("a request id").to_owned();
    assert!(id.starts_with("req_") && id.len() == 26 && text.contains(&id), "{text}");
    assert!(vendor.received().is_empty(), "nothing was sent");

    let step = step(&host);
    assert_eq!((&step["status"], &step["error"]["code"]), (&json!("error"), &json!("secret_not_found")));
    assert_eq!(step["error"]["secret"], "VENDOR_KEY");
    let line = host.wait_log("secret_not_found");
    assert!(line.contains("VENDOR_KEY") && line.contains(&id), "{line}");
    host.finish();
}

#[test]
fn a_revoked_secret_is_no_secret_at_once() {
    let vendor = vendor();
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/call.txcl", RULE).upstream(&vendor, "api.vendor.com:443").start();
    let key = host.store("VENDOR_KEY");
    assert_eq!(host.event("/", &json!({})).status, 200);
    host.secrets(&["revoke", "VENDOR_KEY"]).succeeds();
    assert_eq!(host.event("/", &json!({})).status, 500);
    assert_eq!(vendor.received().len(), 1);
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.finish();
}

#[test]
fn a_store_that_is_off_is_503() {
    let vendor = vendor();
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", RULE)
        .upstream(&vendor, "api.vendor.com:443")
        .flags(&["--secret-master-key", ""])
        .start();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("secret_store_unavailable"), "{}", reply.text());
    assert!(vendor.received().is_empty());
    host.finish();
}

#[test]
fn dev_tells_what_is_missing() {
    let mut host = Host::dev(TXCO).rule("OPS/web/100/call.txcl", RULE).start();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500);
    let text = reply.text();
    assert!(text.contains("secret_not_found") && text.contains("VENDOR_KEY"), "{text}");
    host.finish();
}

#[test]
fn other_requests_go_on() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", &format!("WHEN @web.req.url.path == \"/call\"\n{RULE}"))
        .rule("OPS/web/100/hello.txcl", "WHEN @web.req.url.path == \"/hello\"\nEMIT .hello = true\n")
        .start();
    assert_eq!(host.event("/call", &json!({})).status, 500);
    assert_eq!(host.web(&Request::new("GET", "/hello")).json(), json!({ "hello": true }));
    host.finish();
}

#[test]
fn a_secret_with_a_line_break_is_refused_for_a_header() {
    let vendor = vendor();
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/call.txcl", RULE).upstream(&vendor, "api.vendor.com:443").start();
    let canary = host.canary("with a line break");
    let value = format!("{}\r\nX-Injected: yes", canary.text());
    let body = json!({ "name": "VENDOR_KEY", "value": value });
    assert_eq!(host.admin(&Request::new("POST", "/v1/tenants/default/secrets").json(&body)).status, 201);
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(vendor.received().is_empty());
    assert_eq!(step(&host)["error"]["code"], "secret_unusable");
    host.finish();
}
