//! A secret typed at the prompt is not shown, and what was typed is what is stored.

use serde_json::json;
use support::{Answer, Host, Upstream};

use crate::TXCO;

const RULE: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";

#[test]
fn the_prompt_is_hidden_and_on_standard_error() {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })));
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/call.txcl", RULE).upstream(&vendor, "api.vendor.com:443").start();
    let canary = host.canary("typed");
    let mut terminal = host.on_terminal(&host.secrets_call(&["set", "VENDOR_KEY"]));
    terminal.expect("VENDOR_KEY").type_in(canary.text()).type_in("\r");
    let output = host.end_of(terminal);
    assert_eq!(output.succeeds(), "created VENDOR_KEY (v1) in tenant \"default\"\n");

    assert_eq!(host.event("/", &json!({})).status, 200);
    assert_eq!(vendor.only().header("x-api-key"), Some(canary.text()));
    host.allow(&canary, "upstream vendor header x-api-key", 1);
    host.finish();
}

#[test]
fn rotate_prompts_too() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let canary = host.canary("typed");
    let mut terminal = host.on_terminal(&host.secrets_call(&["rotate", "A_KEY"]));
    terminal.expect("A_KEY").type_in(canary.text()).type_in("\r");
    assert_eq!(host.end_of(terminal).succeeds(), "rotated A_KEY → v2 in tenant \"default\"\n");
    host.finish();
}

#[test]
fn a_pasted_multi_line_value_is_refused_whole() {
    let mut host = Host::serve(TXCO).start();
    let (first, second) = (host.canary("first line"), host.canary("second line"));
    let mut terminal = host.on_terminal(&host.secrets_call(&["set", "A_KEY"]));
    terminal.expect("A_KEY").type_in(&format!("{}\r{}\r", first.text(), second.text()));
    let output = host.end_of(terminal);
    assert!(output.stderr.contains("--from-file"), "{}", output.stderr);
    output.fails(1);
    assert_eq!(host.secrets(&["list"]).succeeds(), "(no secrets in tenant \"default\")\n");
    host.finish();
}

#[test]
fn nothing_typed_is_no_secret() {
    let mut host = Host::serve(TXCO).start();
    let mut terminal = host.on_terminal(&host.secrets_call(&["set", "A_KEY"]));
    terminal.expect("A_KEY").type_in("\r");
    let output = host.end_of(terminal);
    assert!(output.stderr.contains("empty secret"), "{}", output.stderr);
    output.fails(1);
    host.finish();
}

#[test]
fn ctrl_c_stores_nothing() {
    let mut host = Host::serve(TXCO).start();
    let canary = host.canary("typed");
    let mut terminal = host.on_terminal(&host.secrets_call(&["set", "A_KEY"]));
    terminal.expect("A_KEY").type_in(canary.text()).type_in("\u{3}");
    let output = host.end_of(terminal);
    assert_ne!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(host.secrets(&["list"]).succeeds(), "(no secrets in tenant \"default\")\n");
    host.finish();
}
