//! The op natively: RFC 4231, rotations, and every line it may fail with.

use serde_json::Value as Json;
use txco_op::prelude::*;

use crate::verify;

const JEFE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

fn host() -> FakeHost {
    let host = FakeHost::new().secret("key", "Jefe").body("what do ya want for nothing?");
    host.param("expected_path", "@web.req.headers.X-Signature.0")
}

/// The verdict on a MAC that the client sent.
fn valid(host: FakeHost, mac: &str) -> bool {
    let host = host.value("@web.req.headers.X-Signature", Value::json(format!("[{mac:?}]")));
    let [field]: [Field; 1] = host.run(verify).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.sig_valid", Class::Data));
    field.value == Value::json("true")
}

#[test]
fn it_accepts_what_the_rfc_signs() {
    let vectors: Json =
        serde_json::from_str(include_str!("../../../tests/vectors/hmac/rfc4231.json")).unwrap();
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let bytes = |field: &str| from_hex(case[field].as_str().unwrap()).unwrap();
        for algorithm in ["sha256", "sha512"] {
            let host = || {
                let host = FakeHost::new().secret("key", bytes("key")).body(bytes("data"));
                host.param("expected_path", "@web.req.headers.X-Signature.0").param("algorithm", algorithm)
            };
            let mac = case[algorithm].as_str().unwrap();
            // Case 5 publishes the beginning only, and a beginning is not enough.
            assert_eq!(valid(host(), mac), case["case"] != 5, "{}", case["case"]);
            assert_eq!(valid(host(), &mac.to_uppercase()), case["case"] != 5, "{}", case["case"]);
            checked += 1;
        }
    }
    assert_eq!(checked, 14);
}

#[test]
fn anything_else_is_false_and_no_failure() {
    let last = |digit: &str| [&JEFE[..63], digit].concat();
    assert!(valid(host(), &last("3")));
    for mac in [&last("2"), &JEFE[..62], &[JEFE, "00"].concat(), "", "no MAC", &["sha256=", JEFE].concat()] {
        assert!(!valid(host(), mac), "{mac}");
    }
    assert!(!valid(host().param("encoding", "base64"), JEFE));
    assert!(valid(host().param("encoding", "base64"), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="));
    assert!(!valid(host().body("what do ya want for nothing!"), JEFE));
    // Nothing was sent at all.
    let output = host().param("output_path", "ok").run(verify).unwrap();
    assert_eq!(output, [Field { path: "ok".into(), class: Class::Data, value: Value::json("false") }]);
}

#[test]
fn a_version_that_is_being_retired_still_verifies() {
    let rotated = || host().secret("key", "the new one").retiring("key", "older than that");
    assert!(valid(rotated(), JEFE));
    let long_ago = FakeHost::new().secret("key", "the new one").body("what do ya want for nothing?");
    assert!(!valid(long_ago.param("expected_path", "@web.req.headers.X-Signature.0"), JEFE));
}

#[test]
fn its_failures_are_exact() {
    let without = FakeHost::new().secret("key", "Jefe").body("x");
    for (host, message) in [
        (FakeHost::new().body("x"), "missing secrets.key.secret in WITH"),
        (without, "missing expected_path in WITH"),
        (host().param("algorithm", "md5"), "unsupported algorithm \"md5\" (sha256|sha512)"),
        (host().param("encoding", "b64"), "unsupported encoding \"b64\" (hex|base64)"),
        (host().param("input_path", "nope"), "nothing to verify at input_path \"nope\""),
    ] {
        let failure = host.run(verify).unwrap_err();
        assert_eq!(failure.message(), ["hmac-verify: ", message].concat());
        assert_eq!(failure.code(), "hmac-verify-err");
    }
}
