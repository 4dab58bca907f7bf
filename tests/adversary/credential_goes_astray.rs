//! A credential is spliced only where its rule names it; anywhere else it is dropped or the request halts (R2).

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use support::{Canary, Host, Upstream};

use crate::attack::{chassis, fault, vendor};

const ENCODE: &str = "EXEC \"txco://basic-auth-encode\"\n\
    WITH secrets.password.secret = \"PASSWORD\", user = \"me\", output_path = \"basic\"\n";

/// The rule `send` after one that made a credential at `.basic`.
fn after_encode(send: &str) -> (Host, Upstream, Canary) {
    let vendor = vendor();
    let mut host = chassis(&vendor, send).rule("OPS/web/50/encode.txcl", ENCODE).start();
    let password = host.store("PASSWORD");
    (host, vendor, password)
}

#[test]
fn in_the_default_body_it_is_left_out() {
    let (mut host, vendor, _) = after_encode("EXEC \"https://api.vendor.com/things\"\n");
    let reply = host.event("/", &json!({ "n": 1 }));
    assert_eq!((reply.status, &reply.json()["basic"]), (200, &json!("[credential]")), "{}", reply.text());
    let body = vendor.only().json();
    assert_eq!(body["body"], json!({ "n": 1 }));
    assert!(body.get("basic").is_none_or(Value::is_null), "{body}");
    let traces: String = host.files("data/trace").iter().map(|file| host.read(file)).collect();
    assert!(traces.contains("credential_not_sent"), "the trace says so");
    host.finish();
}

#[test]
fn in_a_url_a_method_or_a_header_name_the_request_halts() {
    for send in [
        "EXEC \"https://api.vendor.com/things\"\nWITH url = &concat(\"https://api.vendor.com/\", .basic)\n",
        "EXEC \"https://api.vendor.com/things\"\nWITH url = &concat(\"https://\", .basic, \".vendor.com/\")\n",
        "EXEC \"https://api.vendor.com/things\"\nWITH method = .basic\n",
    ] {
        let (mut host, vendor, _) = after_encode(send);
        let reply = host.event("/", &json!({}));
        assert_eq!(reply.status, 500, "{send}: {}", reply.text());
        assert_eq!(fault(&host), "credential_not_allowed_here", "{send}");
        assert!(vendor.received().is_empty());
        host.finish();
    }
}

#[test]
fn in_a_condition_or_a_function_the_request_halts() {
    for rule in [
        "EMIT .x = &b64encode(.basic)\n",
        "EMIT .x = &json(.basic)\n",
        "WHEN .basic =~ /^Q/\nEMIT .x = 1\n",
        "WHEN .basic > \"A\"\nEMIT .x = 1\n",
    ] {
        let (mut host, _vendor, _) = after_encode(rule);
        let reply = host.event("/", &json!({}));
        assert_eq!(reply.status, 500, "{rule}: {}", reply.text());
        assert_eq!(fault(&host), "credential_not_inspectable", "{rule}");
        host.finish();
    }
}

#[test]
fn in_another_ops_input_it_is_a_fixed_text() {
    let rule = "EXEC \"txco://hmac-sign\"\n\
                WITH secrets.key.secret = \"PASSWORD\", input_path = \"basic\", output_path = \"digest\"\n";
    let (mut host, _vendor, password) = after_encode(rule);
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(password.text().as_bytes()).unwrap();
    mac.update(b"[credential]");
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(reply.json()["digest"], expected);
    host.finish();
}

#[test]
fn the_answer_to_the_client_never_has_it() {
    let rule = "EMIT @web.res.headers.x-leak.0 = .basic, @web.res.body = .basic\n";
    let (mut host, _vendor, _) = after_encode(rule);
    let reply = host.event("/", &json!({}));
    assert_eq!((reply.status, reply.text().as_str()), (200, "[credential]"));
    assert_eq!(reply.header("x-leak"), Some("[credential]"));
    host.finish();
}
