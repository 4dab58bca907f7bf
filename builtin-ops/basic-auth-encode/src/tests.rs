//! The op natively: RFC 7617, and every line it may fail with.

use serde_json::Value as Json;
use txco_op::prelude::*;

use crate::encode;

#[test]
fn it_encodes_what_the_rfc_encodes() {
    let vectors = include_str!("../../../tests/vectors/basic-auth/rfc7617.json");
    let vectors: Json = serde_json::from_str(vectors).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let of = |field: &str| case[field].as_str().unwrap();
        let host = FakeHost::new().secret("password", of("password")).param("user", of("user"));
        assert_eq!(host.run(encode).unwrap(), [Field::credential("@computed.basic_auth", of("encoded"))]);
    }
}

#[test]
fn its_failures_are_exact() {
    let user = |user: &str| FakeHost::new().secret("password", "p").param("user", user);
    for (host, message) in [
        (FakeHost::new().param("user", "u"), "missing secrets.password.secret in WITH"),
        (FakeHost::new().secret("password", "p"), "missing user in WITH"),
        (user(""), "missing user in WITH"),
        (user("a:b"), "user must not contain a colon"),
        (user("u").denied("password"), "the secret in secrets.password may not be revealed to it"),
    ] {
        let failure = host.run(encode).unwrap_err();
        assert_eq!(failure.message(), ["basic-auth-encode: ", message].concat());
        assert_eq!(failure.code(), "basic-auth-encode-err");
    }
}
