//! `txco://hmac-sign` agrees with RFC 4231, through the real binary, in every algorithm and encoding.

use serde_json::json;
use support::{Host, Request};

use crate::TXCO;

const CASE_1_SHA256: &str = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
const CASE_2_SHA256: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
const CASE_2_SHA512: &str = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d\
                             034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";

fn rule(extra: &str) -> String {
    format!(
        "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\",\n input_path = \"body\",\n \
         output_path = \"digest\"{extra}\n"
    )
}

/// The digest of `text` under `key`, both as they are.
fn digest(key: &str, text: &str, extra: &str) -> String {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", &rule(extra)).start();
    let body = json!({ "name": "KEY", "value": key });
    assert_eq!(host.admin(&Request::new("POST", "/v1/tenants/default/secrets").json(&body)).status, 201);
    let reply = host.web(&Request::new("POST", "/").header("Content-Type", "text/plain").body(text));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let digest = reply.json()["digest"].as_str().expect("a digest").to_owned();
    host.finish();
    digest
}

#[test]
fn rfc_4231_case_1() {
    assert_eq!(digest(&"\u{b}".repeat(20), "Hi There", ""), CASE_1_SHA256);
}

#[test]
fn rfc_4231_case_2() {
    let text = "what do ya want for nothing?";
    assert_eq!(digest("Jefe", text, ""), CASE_2_SHA256);
    assert_eq!(digest("Jefe", text, ", algorithm = \"sha512\""), CASE_2_SHA512);
    assert_eq!(
        digest("Jefe", text, ", encoding = \"base64\""),
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
    );
}

/// D2: what `generate` shows is what ops use.
#[test]
fn a_generated_key_signs_as_its_text() {
    use hmac::{Hmac, KeyInit, Mac};
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", &rule("")).start();
    let shown = host.secrets(&["generate", "KEY"]).succeeds();
    let canary = support::Canary::found("generated", shown.trim_end().as_bytes());
    host.guard(&canary);
    host.allow(&canary, "stdout", 1);
    let reply = host.web(&Request::new("POST", "/").header("Content-Type", "text/plain").body("text"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(shown.trim_end().as_bytes()).unwrap();
    mac.update(b"text");
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(reply.json()["digest"], expected);
    host.finish();
}

#[test]
fn the_latest_version_signs() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", &rule("")).start();
    host.store("KEY");
    let first = host.event("/", &json!("text")).json()["digest"].clone();
    let canary = host.canary("second");
    let call = host.secrets_call(&["rotate", "KEY"]).stdin(canary.text());
    host.run(&call).succeeds();
    let second = host.event("/", &json!("text")).json()["digest"].clone();
    assert!(first.is_string() && second.is_string());
    assert_ne!(first, second);
    host.finish();
}

#[test]
fn a_missing_input_is_a_fault_and_not_a_signature_of_nothing() {
    let mut host = Host::serve(TXCO)
        .rule(
            "OPS/web/100/sign.txcl",
            "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"no.such\"\n",
        )
        .start();
    host.store("KEY");
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(reply.text().contains("op_failed"), "{}", reply.text());
    host.finish();
}

#[test]
fn a_signature_can_go_to_another_file_of_a_later_scope() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/sign.txcl", &rule(""))
        .rule("OPS/web/200/show.txcl", "WHEN .digest != null\nEMIT .signature = &concat(\"v1=\", .digest)\n")
        .start();
    host.store("KEY");
    let reply = host.event("/", &json!("text")).json();
    assert_eq!(reply["signature"], format!("v1={}", reply["digest"].as_str().unwrap()));
    host.finish();
}
