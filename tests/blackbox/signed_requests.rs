//! A request that one rule signs (RFC 9421) is what another accepts, and nothing that was changed on the way is.

use serde_json::{Value, json};
use support::{Host, Reply, Request};

use crate::TXCO;

const SIGN: &str = r#"
WHEN @web.req.headers.Signature == null
EXEC "txco://http-signature"
WITH secrets.key.secret = "KEY", algorithm = "hmac-sha256", key_id = "k1",
     url = "https://shop.example.com/orders?a=1", nonce = "true", output_path = "made"
"#;
const VERIFY: &str = r#"
WHEN @web.req.headers.Signature != null
EXEC "txco://http-signature-verify"
WITH secrets.key.secret = "KEY", algorithm = "hmac-sha256", origin = "https://shop.example.com",
     output_path = "verdict"
"#;

fn sent(host: &mut Host, target: &str, headers: &Value, body: &str) -> Value {
    let mut request = Request::new("POST", target).header("Content-Type", "application/json").body(body);
    for (name, member) in [
        ("Content-Digest", "content_digest"),
        ("Signature-Input", "signature_input"),
        ("Signature", "signature"),
    ] {
        request = request.header(name, headers[member].as_str().unwrap());
    }
    let reply: Reply = host.web(&request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["verdict"].clone()
}

#[test]
fn what_was_signed_is_accepted_and_what_was_changed_is_not() {
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/sign.txcl", SIGN).rule("OPS/web/100/verify.txcl", VERIFY).start();
    host.store("KEY");
    let (target, body) = ("/orders?a=1", json!({ "order": 7 }).to_string());
    let made = host.event(target, &json!({ "order": 7 })).json()["made"].clone();
    let verdict = sent(&mut host, target, &made, &body);
    let known = (&verdict["valid"], &verdict["retiring"], &verdict["label"], &verdict["key_id"]);
    assert_eq!(known, (&json!(true), &json!(false), &json!("sig1"), &json!("k1")), "{verdict}");
    assert!(verdict["nonce"].is_string() && verdict["created"].is_u64(), "{verdict}");

    let refused = |reason: &str| json!({ "valid": false, "reason": reason });
    assert_eq!(sent(&mut host, target, &made, &body.replace('7', "8")), refused("wrong-digest"));
    assert_eq!(sent(&mut host, "/orders?a=2", &made, &body), refused("bad-signature"));
    let mut changed = made.clone();
    changed["signature_input"] = json!(made["signature_input"].as_str().unwrap().replace("\"@method\" ", ""));
    assert_eq!(sent(&mut host, target, &changed, &body), refused("not-covered"));
    let canary = host.canary("another");
    let call = host.secrets_call(&["rotate", "KEY"]).stdin(canary.text());
    host.run(&call).succeeds();
    assert_eq!(sent(&mut host, target, &made, &body), refused("bad-signature"));
    host.finish();
}
