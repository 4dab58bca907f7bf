//! Key pairs by handle, in the fake host.

use crate::prelude::*;

/// RFC 8410 §10.3 and §10.1: an Ed25519 key and its public half.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

#[test]
fn a_key_pair_signs_and_its_public_half_verifies() {
    let call = FakeHost::new().secret("key", PRIVATE).body("body").call();
    let body = call.bytes("body").unwrap();
    let key = call.key("key", Encoding::Declared).unwrap();
    let signature = key.sign(Algorithm::Ed25519, message!["the ", &body]).unwrap();
    let public = Key::public(PUBLIC).unwrap();
    assert!(public.verify(Algorithm::Ed25519, message!["the body"], &signature).unwrap());
    assert!(key.verify(Algorithm::Ed25519, message!["the body"], &signature).unwrap());
    assert!(!public.verify(Algorithm::Ed25519, message!["another"], &signature).unwrap());
}

/// A private key and its public half, each: made with `openssl genpkey` for these tests.
#[test]
fn so_do_the_other_algorithms() {
    for (algorithm, pem, length) in [
        (Algorithm::EcdsaP256Sha256, include_str!("p256.pem"), 64),
        (Algorithm::RsaPkcs1Sha256, include_str!("rsa.pem"), 256),
    ] {
        let (private, public) = pem.split_once("-----BEGIN PUBLIC").unwrap();
        let call = FakeHost::new().secret("key", private).call();
        let key = call.key("key", Encoding::Text).unwrap();
        let signature = key.sign(algorithm, message!["m"]).unwrap();
        assert_eq!(signature.len(), length);
        assert!(key.verify(algorithm, message!["m"], &signature).unwrap());
        let public = Key::public(&["-----BEGIN PUBLIC", public].concat()).unwrap();
        assert!(public.verify(algorithm, message!["m"], &signature).unwrap());
        assert!(!public.verify(algorithm, message!["n"], &signature).unwrap());
    }
}

#[test]
fn a_key_does_what_it_can_and_no_more() {
    let said = |failure: Failure| failure.message().to_owned();
    let call = FakeHost::new().secret("key", PRIVATE).secret("text", "k").call();
    let (key, text) = (call.key("key", Encoding::Text).unwrap(), call.key("text", Encoding::Text).unwrap());
    let public = Key::public(PUBLIC).unwrap();
    assert_eq!(
        said(key.sign(Algorithm::RsaPkcs1Sha256, message![]).unwrap_err()),
        "the secret in secrets.key is no such key: not a PKCS #8 key of this algorithm"
    );
    assert_eq!(
        said(text.sign(Algorithm::Ed25519, message![]).unwrap_err()),
        "the secret in secrets.text is no such key: no PEM with -----BEGIN PRIVATE KEY-----"
    );
    assert_eq!(
        said(public.sign(Algorithm::Ed25519, message![]).unwrap_err()),
        "the public key is no such key: a public key verifies only"
    );
    assert_eq!(
        said(public.verify(Algorithm::EcdsaP256Sha256, message![], b"").unwrap_err()),
        "the public key is no such key: a public key of another algorithm"
    );
    assert_eq!(
        said(Key::public("x").err().unwrap()),
        "the public key is no such key: no PEM with -----BEGIN PUBLIC KEY-----"
    );
    let derived = text.derive(Algorithm::HmacSha256, b"", b"m").unwrap();
    assert_eq!(
        said(derived.sign(Algorithm::Ed25519, message![]).unwrap_err()),
        "the secret in secrets.text is no such key: a derived key makes MACs only"
    );
}
