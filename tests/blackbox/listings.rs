//! The listings of §3 of the runbook are rule files: as they stand there they do what is written beside them.

use serde_json::json;
use support::{Answer, Host, Request, Upstream};

use crate::TXCO;

fn upstream(name: &str, host: &str) -> Upstream {
    Upstream::https(name, &[host], |_| Answer::json(&json!({ "ok": true })))
}

#[test]
fn a_templated_header() {
    let stripe = upstream("stripe", "api.stripe.com");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/charge.txcl", include_str!("../vectors/txcl/runbook/templated-header.txcl"))
        .upstream(&stripe, "api.stripe.com:443")
        .start();
    let key = host.store("STRIPE_API_KEY");
    let reply = host.event("/charge", &json!({ "amount": 4200 }));
    assert_eq!((reply.status, &reply.json()["ok"]), (200, &json!(true)), "{}", reply.text());

    let sent = stripe.only();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/charges"));
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {}", key.text()).as_str()));
    assert_eq!(sent.header("host"), Some("api.stripe.com"));
    host.allow(&key, "upstream stripe header authorization", 1);
    host.finish();
}

#[test]
fn a_raw_substitution() {
    let vendor = upstream("vendor", "api.vendor.com");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/things.txcl", include_str!("../vectors/txcl/runbook/raw-header.txcl"))
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    let key = host.store("VENDOR_KEY");
    assert_eq!(host.event("/", &json!({})).status, 200);
    assert_eq!(vendor.only().header("x-api-key"), Some(key.text()));
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.finish();
}

#[test]
fn a_body_field() {
    let partner = upstream("partner", "api.partner.com");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/auth.txcl", include_str!("../vectors/txcl/runbook/body-field.txcl"))
        .upstream(&partner, "api.partner.com:443")
        .start();
    let secret = host.store("PARTNER_OAUTH_SECRET");
    assert_eq!(host.event("/", &json!({ "grant": "client" })).status, 200);
    let sent = partner.only();
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.json()["client_secret"], secret.text());
    assert_eq!(sent.json()["body"], json!({ "grant": "client" }), "the input goes along");
    assert!(sent.json().get("_txc").is_none(), "the control plane does not");
    host.allow(&secret, "upstream partner body", 1);
    host.finish();
}

/// Two rules in one file: the second sends what the first computed. The upstream verifies the signature over
/// the body as the client sent it, byte for byte.
#[test]
fn a_computed_signature() {
    use hmac::{Hmac, KeyInit, Mac};
    let stripe = upstream("stripe", "api.stripe.com");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/callback.txcl", include_str!("../vectors/txcl/runbook/computed.txcl"))
        .upstream(&stripe, "api.stripe.com:443")
        .start();
    let key = host.store("STRIPE_WEBHOOK_SECRET");
    let body = "{ \"amount\": 4200,\t\"note\": \"gr\\u00fc\u{df}e\" }";
    let request = Request::new("POST", "/").header("Content-Type", "application/json").body(body);
    let reply = host.web(&request);
    assert_eq!(reply.status, 200, "{}", reply.text());

    let sent = stripe.only();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/webhook-callback"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.text().as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent.header("stripe-signature"), Some(expected.as_str()));
    host.finish();
}
