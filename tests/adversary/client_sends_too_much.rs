//! Documents, headers and queries made to exhaust or crash are answered, and the next request too.

use serde_json::json;
use support::{Host, Request};

use crate::TXCO;

#[test]
fn each_is_answered_and_the_chassis_lives() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = .body.a.0.b\n").start();
    let json =
        |body: Vec<u8>| Request::new("POST", "/").header("Content-Type", "application/json").body(body);
    let attacks = [
        ("deep arrays", json("[".repeat(200_000).into_bytes())),
        ("deep objects", json("{\"a\":".repeat(200_000).into_bytes())),
        ("deep and closed", json(format!("{}{}", "[".repeat(90_000), "]".repeat(90_000)).into_bytes())),
        ("not UTF-8", json(vec![b'"', 0xff, 0xfe, b'"'])),
        ("a huge number", json(format!("1{}", "0".repeat(100_000)).into_bytes())),
        ("lone surrogates", json(b"\"\\ud800\"".to_vec())),
        ("a huge header", Request::new("GET", "/").header("X-Huge", &"x".repeat(300_000))),
        ("a huge target", Request::new("GET", &format!("/?{}", "a=b&".repeat(20_000)))),
        ("a broken query", Request::new("GET", "/?%zz")),
        ("a null byte", Request::new("GET", "/%00?%00=%00")),
    ];
    for (name, request) in attacks {
        // An answer or a closed connection, never a hang; the client of the test waits at most a minute.
        if let Ok(reply) = support::send(host.web_address(), &request) {
            assert!((200..=499).contains(&reply.status), "{name}: {} {}", reply.status, reply.text());
            host.record("web reply", &reply.raw);
        }
        let after = host.event("/", &json!({ "a": [{ "b": name }] }));
        assert_eq!((after.status, &after.json()["a"]), (200, &json!(name)));
    }
    assert!(!host.log().contains("panic"), "{}", host.log());
    host.finish();
}

#[test]
fn a_value_over_64_kib_is_no_secret() {
    let mut host = Host::serve(TXCO).start();
    let store = |value: String| {
        Request::new("POST", "/v1/tenants/default/secrets").json(&json!({ "name": "BIG", "value": value }))
    };
    let refused = host.admin(&store("x".repeat((64 << 10) + 1)));
    assert!(matches!(refused.status, 400 | 413 | 422), "{}", refused.text());
    assert_eq!(host.admin(&store("x".repeat(64 << 10))).status, 201);
    let endless = host.admin(&store("x".repeat(40 << 20)));
    assert!(matches!(endless.status, 400 | 413), "{}", endless.status);
    host.finish();
}
