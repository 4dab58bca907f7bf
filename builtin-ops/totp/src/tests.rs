//! The op natively: RFC 6238, key encodings, and every line it may fail with.

use serde_json::Value as Json;
use txco_op::prelude::*;

use crate::totp;

/// The RFC's key for SHA-1, as an authenticator app shows it.
const BASE32: &str = "gezd gnbv gy3t qojq GEZD GNBV GY3T QOJQ";

fn password(host: FakeHost) -> String {
    let [field]: [Field; 1] = host.run(totp).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.totp", Class::Credential));
    field.value.into_text()
}

#[test]
fn it_agrees_with_the_rfc() {
    let vectors: Json =
        serde_json::from_str(include_str!("../../../tests/vectors/totp/rfc6238.json")).unwrap();
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        for algorithm in ["sha1", "sha256", "sha512"] {
            let key = vectors["keys"][algorithm].as_str().unwrap();
            let host = FakeHost::new().secret("key", key).param("key_encoding", "text").use_only("key");
            let host = host.param("algorithm", algorithm).param("digits", Value::json("8"));
            let made = password(host.now_millis(case["seconds"].as_u64().unwrap() * 1000));
            assert_eq!(made, case[algorithm].as_str().unwrap(), "{case}");
            checked += 1;
        }
    }
    assert_eq!(checked, 18);
}

#[test]
fn digits_period_and_encoding_are_the_rules() {
    let host = || FakeHost::new().secret("key", BASE32).now_millis(1_111_111_109_999);
    assert_eq!(password(host()), "081804");
    assert_eq!(password(host().param("digits", "7")), "7081804");
    // Within a step it stays, and then it changes.
    assert_eq!(password(host().now_millis(1_111_111_080_000)), "081804");
    assert_ne!(password(host().now_millis(1_111_111_110_000)), "081804");
    assert_eq!(password(host().param("period", "60")), password(host().now_millis(1_111_111_099_000 / 2)));
    let hex = FakeHost::new().secret("key", hex(b"12345678901234567890")).declares("key", Encoding::Hex);
    assert_eq!(password(hex.param("key_encoding", "declared").now_millis(1_111_111_109_000)), "081804");
}

#[test]
fn its_failures_are_exact() {
    let host = || FakeHost::new().secret("key", BASE32);
    let base32 = "the secret in secrets.key is no such key: expected base32 (RFC 4648 section 6)";
    for (host, message) in [
        (FakeHost::new(), "missing secrets.key.secret in WITH"),
        (host().param("digits", "9"), "unsupported digits \"9\" (6|7|8)"),
        (host().param("algorithm", "md5"), "unsupported algorithm \"md5\" (sha1|sha256|sha512)"),
        (host().param("period", "0"), "period must be 1 or more"),
        (host().param("period", "-1"), "unsupported period \"-1\" (an integer from 0 to 4294967295)"),
        (FakeHost::new().secret("key", "0189"), base32),
        (host().denied("key"), "the secret in secrets.key may not be used by it"),
    ] {
        let failure = host.run(totp).unwrap_err();
        assert_eq!(failure.message(), ["totp: ", message].concat());
        assert_eq!(failure.code(), "totp-err");
    }
}
