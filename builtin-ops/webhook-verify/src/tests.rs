//! The op natively: what vendors publish, what attackers try, and every line it may fail with.

use serde_json::{Value as Json, json};
use txco_op::prelude::*;

use crate::verify;

fn vectors() -> Vec<Json> {
    let vectors: Json =
        serde_json::from_str(include_str!("../../../tests/vectors/webhooks/vendors.json")).unwrap();
    vectors["cases"].as_array().unwrap().clone()
}

fn vector(scheme: &str) -> Json {
    vectors().into_iter().find(|case| case["scheme"] == scheme).unwrap()
}

fn of<'a>(case: &'a Json, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_default()
}

fn time(case: &Json) -> u64 {
    of(case, "timestamp").parse().unwrap_or(7)
}

/// The message of a vector as the web head hands it on; the key is never revealed.
fn host(case: &Json) -> FakeHost {
    let (signature, timestamp, id) = match of(case, "scheme") {
        "stripe" => ("Stripe-Signature", "", ""),
        "github" => ("X-Hub-Signature-256", "", ""),
        "slack" => ("X-Slack-Signature", "X-Slack-Request-Timestamp", ""),
        _ => ("Webhook-Signature", "Webhook-Timestamp", "Webhook-Id"),
    };
    let host =
        FakeHost::new().secret("key", of(case, "secret")).use_only("key").param("scheme", of(case, "scheme"));
    let headers = [(signature, "signature"), (timestamp, "timestamp"), (id, "id")];
    headers.into_iter().filter(|(header, _)| !header.is_empty()).fold(
        host.body(of(case, "body")).now_millis(time(case) * 1000),
        |host, (header, field)| match case.get(field) {
            Some(value) => {
                host.value(&format!("@web.req.headers.{header}"), Value::json(json!([value]).to_string()))
            }
            None => host,
        },
    )
}

fn verdict(host: FakeHost) -> Json {
    let [field]: [Field; 1] = host.run(verify).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.webhook", Class::Data));
    serde_json::from_str(field.value.as_text()).unwrap()
}

fn refused(reason: &str) -> Json {
    json!({ "valid": false, "reason": reason })
}

/// A vector with one field changed.
fn changed(scheme: &str, field: &str, value: impl Into<Json>) -> Json {
    let mut case = vector(scheme);
    case[field] = value.into();
    case
}

#[test]
fn it_accepts_what_vendors_sign() {
    let cases = vectors();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let mut expected = json!({ "valid": true, "retiring": false });
        if case["scheme"] != "github" {
            expected["timestamp"] = time(&case).into();
        }
        if let Some(id) = case.get("id") {
            expected["id"] = id.clone();
        }
        assert_eq!(verdict(host(&case)), expected);
    }
}

#[test]
fn a_message_that_was_changed_is_refused() {
    for case in vectors() {
        let scheme = of(&case, "scheme");
        assert_eq!(verdict(host(&case).body("another body")), refused("mismatch"), "{scheme}");
        let other = host(&case).secret("key", "whsec_b3RoZXI=");
        // Only the old version is left to match when a newer one stands before it.
        assert_eq!(verdict(other)["retiring"], true, "{scheme}");
    }
    let slack = changed("slack", "timestamp", "1531420619");
    assert_eq!(verdict(host(&slack)), refused("mismatch"));
    let standard = changed("standard-webhooks", "id", "msg_another");
    assert_eq!(verdict(host(&standard)), refused("mismatch"));
}

#[test]
fn a_key_that_is_neither_version_is_refused() {
    for case in vectors() {
        let other = changed(of(&case, "scheme"), "secret", "whsec_b3RoZXI=");
        assert_eq!(verdict(host(&other)), refused("mismatch"));
    }
}

/// At the limit it is fresh, a second beyond it is not.
#[test]
fn a_message_is_fresh_for_as_long_as_the_rule_says() {
    for scheme in ["stripe", "slack", "standard-webhooks"] {
        let case = vector(scheme);
        let at = |seconds: u64| host(&case).now_millis(seconds * 1000);
        let time = time(&case);
        assert_eq!(verdict(at(time + 300))["valid"], true, "{scheme}");
        assert_eq!(verdict(at(time + 301)), refused("too-old"), "{scheme}");
        assert_eq!(verdict(at(time - 300))["valid"], true, "{scheme}");
        assert_eq!(verdict(at(time - 301)), refused("too-new"), "{scheme}");
        let strict = || host(&case).param("tolerance", Value::json("10"));
        assert_eq!(verdict(strict().now_millis((time + 10) * 1000))["valid"], true, "{scheme}");
        assert_eq!(verdict(strict().now_millis((time + 11) * 1000)), refused("too-old"), "{scheme}");
    }
    assert_eq!(verdict(host(&vector("github")).now_millis(u64::MAX))["valid"], true);
}

#[test]
fn one_of_several_signatures_is_enough() {
    let stripe = vector("stripe");
    let (t, v1) = of(&stripe, "signature").split_once(',').unwrap();
    let zeros = "0".repeat(64);
    for header in [
        // In any order, and with versions that nobody knows (weakness H16).
        format!("{v1},{t}"),
        format!("{t},v1={zeros},{v1}"),
        format!(" {t} , v9=x , {v1} "),
    ] {
        let case = changed("stripe", "signature", header.as_str());
        assert_eq!(verdict(host(&case))["valid"], true, "{header}");
    }
    let standard = vector("standard-webhooks");
    let good = of(&standard, "signature");
    let case = changed("standard-webhooks", "signature", format!("v1,AAAA v1a,x== {good} v2,{good}"));
    assert_eq!(verdict(host(&case))["valid"], true);
}

#[test]
fn what_is_not_there_is_said() {
    let without = |scheme: &str, field: &str| {
        let mut case = vector(scheme);
        case.as_object_mut().unwrap().remove(field);
        verdict(host(&case).now_millis(time(&vector(scheme)) * 1000))
    };
    for case in vectors() {
        let scheme = of(&case, "scheme");
        assert_eq!(without(scheme, "signature"), refused("signature-missing"), "{scheme}");
        assert_eq!(verdict(host(&case).param("input_path", "nope")), refused("body-missing"), "{scheme}");
    }
    assert_eq!(without("slack", "timestamp"), refused("timestamp-missing"));
    assert_eq!(without("standard-webhooks", "timestamp"), refused("timestamp-missing"));
    assert_eq!(without("standard-webhooks", "id"), refused("id-missing"));
    let v1 = of(&vector("stripe"), "signature").split_once(',').unwrap().1.to_owned();
    assert_eq!(verdict(host(&changed("stripe", "signature", v1))), refused("timestamp-missing"));
}

#[test]
fn what_is_malformed_is_said() {
    let sig = "0".repeat(64);
    for (scheme, field, value) in [
        ("stripe", "signature", format!("t=1492774577,v0={sig}")),
        ("stripe", "signature", format!("t=1492774577,t=1492774578,v1={sig}")),
        ("stripe", "signature", format!("t=-1,v1={sig}")),
        ("stripe", "signature", format!("t=+1492774577,v1={sig}")),
        ("stripe", "signature", "t=1492774577,v1=xyz".to_owned()),
        ("github", "signature", format!("sha1={sig}")),
        ("github", "signature", sig.clone()),
        ("slack", "signature", format!("v1={sig}")),
        ("slack", "timestamp", "1531420618.0".to_owned()),
        ("standard-webhooks", "signature", "v1,!".to_owned()),
        ("standard-webhooks", "signature", "v1a,AAAA".to_owned()),
        ("standard-webhooks", "timestamp", "now".to_owned()),
    ] {
        assert_eq!(verdict(host(&changed(scheme, field, value.as_str()))), refused("malformed"), "{value}");
    }
}

/// One signature must not be of two messages: `a.1` `2` `x` and `a` `1` `2.x` are signed alike.
#[test]
fn a_message_cannot_be_cut_in_another_place() {
    let case = vector("standard-webhooks");
    let (id, time) = (of(&case, "id"), of(&case, "timestamp"));
    let mut cut = case.clone();
    cut["id"] = format!("{id}.{time}").into();
    assert_eq!(verdict(host(&cut)), refused("malformed"));
}

#[test]
fn headers_of_another_name_are_found_where_the_rule_says() {
    let case = vector("standard-webhooks");
    let host = FakeHost::new().secret("key", of(&case, "secret")).param("scheme", "standard-webhooks");
    let host = host.body(of(&case, "body")).now_millis(time(&case) * 1000);
    let host = host.value("h.svix-id", of(&case, "id")).param("id_path", "h.svix-id");
    let host =
        host.value("h.svix-timestamp", of(&case, "timestamp")).param("timestamp_path", "h.svix-timestamp");
    let host =
        host.value("h.svix-signature", of(&case, "signature")).param("signature_path", "h.svix-signature");
    assert_eq!(verdict(host)["valid"], true);
}

#[test]
fn its_failures_are_exact() {
    let slack = || host(&vector("slack"));
    let base64 = "the secret in secrets.key is no such key: expected base64 (RFC 4648 section 4)";
    for (host, message) in [
        (FakeHost::new(), "missing scheme in WITH"),
        (slack().param("scheme", "x"), "unsupported scheme \"x\" (stripe|github|slack|standard-webhooks)"),
        (slack().param("tolerance", "-1"), "unsupported tolerance \"-1\" (an integer, 0 or more)"),
        (FakeHost::new().param("scheme", "slack"), "missing secrets.key.secret in WITH"),
        (slack().secret("key", "a-b").param("key_encoding", "base64"), base64),
        (slack().denied("key"), "the secret in secrets.key may not be used by it"),
    ] {
        let failure = host.run(verify).unwrap_err();
        assert_eq!(failure.message(), ["webhook-verify: ", message].concat());
        assert_eq!(failure.code(), "webhook-verify-err");
    }
}
