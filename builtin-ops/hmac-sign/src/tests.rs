//! The op natively: RFC 4231, and every line it may fail with.

use serde_json::Value as Json;
use txco_op::prelude::*;

use crate::sign;

const JEFE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

fn host() -> FakeHost {
    FakeHost::new().secret("key", "Jefe").body("what do ya want for nothing?")
}

#[test]
fn it_signs_what_the_rfc_signs() {
    let vectors: Json =
        serde_json::from_str(include_str!("../../../tests/vectors/hmac/rfc4231.json")).unwrap();
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let bytes = |field: &str| from_hex(case[field].as_str().unwrap()).unwrap();
        for algorithm in ["sha256", "sha512"] {
            let host = FakeHost::new().secret("key", bytes("key")).body(bytes("data"));
            let [field]: [Field; 1] =
                host.param("algorithm", algorithm).run(sign).unwrap().try_into().unwrap();
            assert_eq!((field.path.as_str(), field.class), ("@computed.hmac", Class::Digest));
            // Case 5 publishes the beginning only.
            assert!(field.value.as_text().starts_with(case[algorithm].as_str().unwrap()), "{}", case["case"]);
            checked += 1;
        }
    }
    assert_eq!(checked, 14);
}

#[test]
fn a_rule_says_what_is_signed_and_how_it_is_written() {
    let host = FakeHost::new().secret("key", "Jefe").value("a.b", "what do ya want for nothing?");
    let host = host.param("input_path", "a.b").param("output_path", "@a");
    assert_eq!(host.run(sign).unwrap(), [Field::digest("@a", JEFE)]);
    let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    let written = with("encoding", "base64").run(sign).unwrap();
    assert_eq!(written, [Field::digest("@computed.hmac", base64)]);
}

fn with(param: &str, value: &str) -> FakeHost {
    host().param(param, value)
}

#[test]
fn its_failures_are_exact() {
    for (host, message) in [
        (FakeHost::new().body("x"), "missing secrets.key.secret in WITH"),
        (with("algorithm", "sha1"), "unsupported algorithm \"sha1\" (sha256|sha512)"),
        (with("algorithm", "SHA256"), "unsupported algorithm \"SHA256\" (sha256|sha512)"),
        (with("encoding", "x"), "unsupported encoding \"x\" (hex|base64)"),
        (with("input_path", "x.y"), "nothing to sign at input_path \"x.y\""),
    ] {
        let failure = host.run(sign).unwrap_err();
        assert_eq!(failure.message(), ["hmac-sign: ", message].concat());
        assert_eq!(failure.code(), "hmac-sign-err");
    }
}

/// A secret that is never revealed: the build with `use-keys` signs with it, the other cannot.
#[test]
fn a_secret_for_use_only_needs_the_build_with_handles() {
    let result = host().use_only("key").run(sign);
    if cfg!(feature = "use-keys") {
        assert_eq!(result.unwrap(), [Field::digest("@computed.hmac", JEFE)]);
    } else {
        let denied = "hmac-sign: the secret in secrets.key may not be revealed to it";
        assert_eq!(result.unwrap_err().message(), denied);
    }
}
