//! The op natively: the RFCs' tokens, the claims it makes, and every line it may fail with.

use serde_json::{Value as Json, json};
use txco_op::prelude::*;

use crate::{compact, sign};

const NOW: u64 = 1_700_000_000;

fn vectors() -> Vec<Json> {
    let vectors: Json = serde_json::from_str(include_str!("../../../tests/vectors/jwt/rfc.json")).unwrap();
    vectors["cases"].as_array().unwrap().clone()
}

fn host() -> FakeHost {
    FakeHost::new()
        .secret("key", "a key of thirty-two bytes, or so")
        .use_only("key")
        .param("algorithm", "HS256")
}

fn token(host: FakeHost) -> String {
    let [field]: [Field; 1] = host.run(sign).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.jwt", Class::Credential));
    field.value.into_text()
}

/// Header and claims of a token.
fn parts(token: &str) -> (String, Json) {
    let part =
        |index| String::from_utf8(from_base64url(token.split('.').nth(index).unwrap()).unwrap()).unwrap();
    (part(0), serde_json::from_str(&part(1)).unwrap())
}

fn claims(host: FakeHost) -> Json {
    parts(&token(host)).1
}

#[test]
fn the_tokens_of_the_rfcs_are_made_byte_for_byte() {
    let mut same = 0;
    for case in vectors() {
        let of = |field: &str| case[field].as_str().unwrap();
        let encoding = if of("algorithm") == "HS256" { Encoding::Base64url } else { Encoding::Text };
        let key = FakeHost::new().secret("key", of("key")).call().key("key", encoding).unwrap();
        let algorithm = parts::signature::Jws::from_param(Value::text(of("algorithm"))).unwrap().algorithm();
        let made = compact(of("header").as_bytes(), of("payload").as_bytes(), |input| {
            key.sign(algorithm, message![input])
        });
        // Each signature of ECDSA is another.
        if of("algorithm") == "ES256" {
            let (input, signature) = made.as_ref().unwrap().rsplit_once('.').unwrap();
            assert_eq!(Some(input), of("token").rsplit_once('.').map(|(input, _)| input));
            let public = Key::public(of("public")).unwrap();
            assert!(public.verify(algorithm, message![input], &from_base64url(signature).unwrap()).unwrap());
            continue;
        }
        assert_eq!(made.unwrap(), of("token"), "{}", of("where"));
        same += 1;
    }
    assert_eq!(same, 3);
}

#[test]
fn a_token_says_who_for_whom_and_how_long() {
    let host =
        host().param("issuer", "shop").param("subject", "u-7").param("audience", "api").param("key_id", "k1");
    let (header, claims) = parts(&token(host.param("expires_in", Value::json("60"))));
    assert_eq!(header, r#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#);
    let expected = json!({ "iss": "shop", "sub": "u-7", "aud": "api", "iat": NOW, "exp": NOW + 60 });
    assert_eq!(claims, expected);
}

#[test]
fn claims_of_the_rule_go_with_those_that_are_made() {
    let with = |json: &str| host().param("claims", Value::json(json));
    let expected = json!({ "iat": NOW, "exp": NOW + 300, "role": ["a", { "b": 1 }], "né\"": null });
    assert_eq!(claims(with(r#"{"role": ["a",{"b":1}],"n\u00e9\"":null}"#)), expected);
    // What a claim says already, nothing is made for.
    assert_eq!(claims(with(r#"{"iat":1,"exp":2}"#)), json!({ "iat": 1, "exp": 2 }));
    assert_eq!(claims(with("{}").param("expires_in", "0")), json!({ "iat": NOW }));
    let several = host().param("audience", Value::json(r#"["a","b"]"#));
    assert_eq!(claims(several)["aud"], json!(["a", "b"]));
}

#[test]
fn a_token_id_is_fresh() {
    let id = |seed: u64| claims(host().param("token_id", Value::json("true")).seed(seed))["jti"].clone();
    assert_eq!(id(1).as_str().unwrap().len(), 32);
    assert_ne!(id(1), id(2));
}

#[test]
fn a_token_for_the_client_is_an_ordinary_value() {
    let fields = host().param("visible", "true").param("output_path", "session").run(sign).unwrap();
    let [field]: [Field; 1] = fields.try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("session", Class::Digest));
    assert_eq!(field.value.into_text(), token(host()));
}

#[test]
fn its_failures_are_exact() {
    let with = |json: &str| host().param("claims", Value::json(json));
    let pem = "the secret in secrets.key is no such key: no PEM with -----BEGIN PRIVATE KEY-----";
    let nested = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    for (host, message) in [
        (FakeHost::new().secret("key", "k"), "missing algorithm in WITH"),
        (host().param("algorithm", "none"), "unsupported algorithm \"none\" (HS256|EdDSA|ES256|RS256)"),
        (host().param("algorithm", "hs256"), "unsupported algorithm \"hs256\" (HS256|EdDSA|ES256|RS256)"),
        (FakeHost::new().param("algorithm", "HS256"), "missing secrets.key.secret in WITH"),
        (host().param("algorithm", "EdDSA"), pem),
        (host().param("claims", "sub"), "claims must be an object"),
        (with("[1]"), "claims must be an object that nests at most 32 deep"),
        (with(&nested), "claims must be an object that nests at most 32 deep"),
        (with(r#"{"iss":"a"}"#).param("issuer", "b"), "iss is in claims, and made by issuer"),
        (with(r#"{"exp":1}"#).param("expires_in", "5"), "exp is in claims, and made by expires_in"),
        (host().param("audience", Value::json("7")), "audience must be a text or an array of texts"),
        (host().param("expires_in", "1.5"), "unsupported expires_in \"1.5\" (an integer, 0 or more)"),
        (host().denied("key"), "the secret in secrets.key may not be used by it"),
    ] {
        let failure = host.run(sign).unwrap_err();
        assert_eq!(failure.message(), ["jwt-sign: ", message].concat());
        assert_eq!(failure.code(), "jwt-sign-err");
    }
}
