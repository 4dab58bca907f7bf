//! The log has the runbook's words to grep for, and at no level a value.

use serde_json::json;
use support::{Answer, Host, Request, Upstream};

use crate::TXCO;

const RULE: &str = "EXEC \"https://api.vendor.com/things\"\n\
                    WITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\", secrets.body.token.secret = \"TOKEN\"\n";

fn run(flags: &[&str]) -> (Host, String) {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })));
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", RULE)
        .upstream(&vendor, "api.vendor.com:443")
        .flags(flags)
        .env("RUST_LOG", "trace")
        .start();
    let (key, token) = (host.store("VENDOR_KEY"), host.store("TOKEN"));
    assert_eq!(host.event("/", &json!({})).status, 200);
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.allow(&token, "upstream vendor body", 1);
    host.stop();
    let log = host.log();
    (host, log)
}

/// The HTTP client and TLS below log headers and bytes when they are let.
#[test]
fn at_its_most_talkative_it_has_no_value() {
    let (host, log) = run(&["--log-level", "trace"]);
    assert!(log.contains("secret_materialize"), "{log}");
    assert!(log.contains("secret_name=VENDOR_KEY") && log.contains("secret_name=TOKEN"), "{log}");
    host.finish();
}

#[test]
fn uses_are_logged_at_debug_and_actions_at_info() {
    let (host, log) = run(&[]);
    assert!(log.contains("INFO secret_action") && !log.contains("secret_materialize"), "{log}");
    host.finish();
    let (host, log) = run(&["--log-level", "debug"]);
    let used = log.lines().filter(|line| line.contains("DEBUG secret_materialize")).count();
    assert_eq!(used, 2, "{log}");
    host.finish();
}

#[test]
fn lines_can_be_json() {
    let (host, log) = run(&["--logger", "json"]);
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let actions = lines.iter().filter(|line| line["message"] == "secret_action").count();
    assert_eq!(actions, 2, "{log}");
    host.finish();
}

/// What clients send to prove who they are is theirs: it is neither logged nor traced.
#[test]
fn a_clients_own_credentials_are_not_kept() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/a.txcl", "EMIT .seen = true\n")
        .flags(&["--log-level", "trace"])
        .start();
    let (bearer, cookie) = (host.canary("bearer token"), host.canary("session cookie"));
    let request = Request::new("GET", "/")
        .header("Authorization", &format!("Bearer {}", bearer.text()))
        .header("Cookie", &format!("session={}", cookie.text()));
    assert_eq!(host.web(&request).json()["seen"], true);
    host.finish();
}
