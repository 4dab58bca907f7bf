//! While a key is replaced both versions verify, for as long as it was said and no longer; signatures are by the newest (R22).

use std::time::Duration;

use serde_json::{Value, json};
use support::{Canary, Host};

use crate::TXCO;
use crate::op_new::mac;

const TEXT: &str = "an order";
const RULES: &str = r#"
EXEC "txco://hmac-verify"
WITH secrets.key.secret = "KEY", input_path = "body.text", expected_path = "body.mac", output_path = "hmac"

EXEC "txco://webhook-verify"
WITH secrets.key.secret = "KEY", scheme = "github", input_path = "body.text",
     signature_path = "body.signature", output_path = "webhook"

EXEC "txco://hmac-sign"
WITH secrets.key.secret = "KEY", input_path = "body.text", output_path = "signed"

EXEC "txco://webhook-sign"
WITH secrets.key.secret = "KEY", scheme = "github", input_path = "body.text", output_path = "github"

EXEC "txco://webhook-sign"
WITH secrets.key.secret = "KEY", scheme = "stripe", input_path = "body.text", output_path = "stripe"
"#;

/// What is said of a text that `key` signed, and of the text: all five ops.
fn said(host: &mut Host, key: &Canary) -> Value {
    let mac = mac(key.text(), TEXT);
    let signed = json!({ "text": TEXT, "mac": mac, "signature": format!("sha256={mac}") });
    let reply = host.event("/", &signed);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[track_caller]
fn accepted(host: &mut Host, key: &Canary, retiring: bool) {
    let said = said(host, key);
    let webhook = json!({ "valid": true, "retiring": retiring });
    assert_eq!((&said["hmac"], &said["webhook"]), (&json!(true), &webhook));
}

#[track_caller]
fn refused(host: &mut Host, key: &Canary) {
    let said = said(host, key);
    let webhook = json!({ "valid": false, "reason": "mismatch" });
    assert_eq!((&said["hmac"], &said["webhook"]), (&json!(false), &webhook));
}

/// Signed by the first of them; the one scheme with room for several carries all of them.
#[track_caller]
fn signed_by(host: &mut Host, keys: &[&Canary]) {
    let said = said(host, keys[0]);
    let newest = mac(keys[0].text(), TEXT);
    assert_eq!(said["signed"], newest);
    assert_eq!(said["github"]["signature"], format!("sha256={newest}"));
    let stripe = said["stripe"]["signature"].as_str().unwrap();
    let (time, signatures) = stripe.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let expected: Vec<_> = keys.iter().map(|key| mac(key.text(), &format!("{time}.{TEXT}"))).collect();
    assert_eq!(signatures.split(",v1=").collect::<Vec<_>>(), expected);
}

fn rotate(host: &mut Host, label: &str, more: &[&str]) -> Canary {
    let canary = host.canary(label);
    let call = host.secrets_call(&[&["rotate", "KEY"], more].concat()).stdin(canary.text());
    host.run(&call).succeeds();
    canary
}

/// The whole of a key's replacement; `policy` decides whether ops see it or have a handle.
fn replaced(policy: &[&str]) {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/rules.txcl", RULES).start();
    let first = host.canary("first");
    let call = host.secrets_call(&[&["set", "KEY"], policy].concat()).stdin(first.text());
    host.run(&call).succeeds();
    accepted(&mut host, &first, false);

    // An overlap that ends by itself.
    let second = rotate(&mut host, "second", &["--overlap", "10s"]);
    accepted(&mut host, &first, true);
    accepted(&mut host, &second, false);
    signed_by(&mut host, &[&second, &first]);
    std::thread::sleep(Duration::from_millis(10_200));
    refused(&mut host, &first);
    accepted(&mut host, &second, false);
    signed_by(&mut host, &[&second]);

    // One that a destruction ends.
    let third = rotate(&mut host, "third", &["--overlap", "24h"]);
    accepted(&mut host, &second, true);
    refused(&mut host, &first);
    host.secrets(&["destroy", "KEY", "--version", "2"]).succeeds();
    refused(&mut host, &second);
    accepted(&mut host, &third, false);
    signed_by(&mut host, &[&third]);

    // One that the next rotation ends, with and without an overlap of its own.
    let fourth = rotate(&mut host, "fourth", &["--overlap", "24h"]);
    accepted(&mut host, &third, true);
    let fifth = rotate(&mut host, "fifth", &["--overlap", "24h"]);
    refused(&mut host, &third);
    accepted(&mut host, &fourth, true);
    let sixth = rotate(&mut host, "sixth", &[]);
    refused(&mut host, &fourth);
    refused(&mut host, &fifth);
    accepted(&mut host, &sixth, false);
    host.finish();
}

#[test]
fn a_key_that_ops_are_shown() {
    replaced(&[]);
}

#[test]
fn a_key_that_ops_have_by_handle() {
    replaced(&["--use-only"]);
}
