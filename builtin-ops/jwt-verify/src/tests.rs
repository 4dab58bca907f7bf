//! The op natively: the RFCs' tokens, what attackers try, and every line it may fail with.

use serde_json::{Value as Json, json};
use txco_op::prelude::*;

use crate::verify;

const NOW: u64 = 1_700_000_000;
const KEY: &str = "a key of thirty-two bytes, or so";

fn vectors() -> Vec<Json> {
    let vectors: Json = serde_json::from_str(include_str!("../../../tests/vectors/jwt/rfc.json")).unwrap();
    vectors["cases"].as_array().unwrap().clone()
}

fn vector(algorithm: &str) -> Json {
    vectors().into_iter().find(|case| case["algorithm"] == algorithm).unwrap()
}

fn of<'a>(case: &'a Json, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_default()
}

fn host() -> FakeHost {
    FakeHost::new()
        .secret("key", KEY)
        .use_only("key")
        .param("algorithm", "HS256")
        .param("token_path", "token")
}

/// A token under this key, whatever its parts are.
fn token(key: &str, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let key = FakeHost::new().secret("key", key).call().key("key", Encoding::Text).unwrap();
    let mac = key.sign(Algorithm::HmacSha256, message![&input]).unwrap();
    format!("{input}.{}", base64url(&mac))
}

fn hs256(payload: &str) -> String {
    token(KEY, r#"{"alg":"HS256","typ":"JWT"}"#, payload)
}

fn verdict(host: FakeHost, token: &str) -> Json {
    let [field]: [Field; 1] = host.value("token", token).run(verify).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.jwt", Class::Data));
    serde_json::from_str(field.value.as_text()).unwrap()
}

fn refused(reason: &str) -> Json {
    json!({ "valid": false, "reason": reason })
}

#[test]
fn the_tokens_of_the_rfcs_are_accepted() {
    for algorithm in ["HS256", "RS256", "ES256"] {
        let case = vector(algorithm);
        let host = |key: &str| {
            let host = FakeHost::new().secret("key", key).declares("key", Encoding::Base64url);
            let host = host.param("algorithm", algorithm).param("token_path", "token");
            host.now_millis(1_300_819_379_000)
        };
        let claims: Json = serde_json::from_str(of(&case, "payload")).unwrap();
        let expected = json!({ "valid": true, "retiring": false, "claims": claims });
        assert_eq!(verdict(host(of(&case, "key")), of(&case, "token")), expected, "{algorithm}");
        if algorithm != "HS256" {
            // A public key is no secret: in the rule, or in the store.
            assert_eq!(verdict(host(of(&case, "public")), of(&case, "token")), expected);
            let given =
                FakeHost::new().param("public_key", of(&case, "public")).param("algorithm", algorithm);
            let given = given.param("token_path", "token").now_millis(1_300_819_379_000);
            assert_eq!(verdict(given, of(&case, "token")), expected);
        }
    }
}

/// RFC 8037, A.5: the signature is right, and the payload is no set of claims.
#[test]
fn a_signature_over_something_else_is_no_token() {
    let case = vector("EdDSA");
    let host = || FakeHost::new().param("public_key", of(&case, "public")).param("algorithm", "EdDSA");
    assert_eq!(verdict(host().param("token_path", "token"), of(&case, "token")), refused("malformed"));
    let altered = of(&case, "token").replace("hgyY", "hgyZ");
    assert_eq!(verdict(host().param("token_path", "token"), &altered), refused("bad-signature"));
}

#[test]
fn the_rule_and_not_the_token_says_which_algorithm() {
    let payload = format!(r#"{{"exp":{}}}"#, NOW + 9);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
    ] {
        assert_eq!(verdict(host(), &token(KEY, header, &payload)), refused("wrong-algorithm"), "{header}");
    }
    let unsigned = format!("{}.{}.", base64url(br#"{"alg":"none"}"#), base64url(payload.as_bytes()));
    assert_eq!(verdict(host(), &unsigned), refused("wrong-algorithm"));
    // The old trick: a MAC under the text of the public key that everybody has.
    let public = vector("RS256")["public"].as_str().unwrap().to_owned();
    let forged = token(&public, r#"{"alg":"HS256"}"#, &payload);
    let rs256 = FakeHost::new().param("public_key", public.as_str()).param("algorithm", "RS256");
    assert_eq!(verdict(rs256.param("token_path", "token"), &forged), refused("wrong-algorithm"));
}

#[test]
fn claims_are_what_the_rule_expects() {
    let exp = NOW + 9;
    let full = format!(r#"{{"exp":{exp},"iss":"shop","sub":"u","aud":["a","b"],"nbf":{NOW}}}"#);
    let expecting = |param: &str, value: &str| verdict(host().param(param, value), &hs256(&full));
    for (param, right, reason) in [
        ("issuer", "shop", "wrong-issuer"),
        ("subject", "u", "wrong-subject"),
        ("audience", "b", "wrong-audience"),
    ] {
        assert_eq!(expecting(param, right)["valid"], true, "{param}");
        assert_eq!(expecting(param, "x"), refused(reason), "{param}");
        let bare = hs256(&format!(r#"{{"exp":{exp}}}"#));
        assert_eq!(verdict(host().param(param, right), &bare), refused(reason), "{param}");
    }
    let one = hs256(&format!(r#"{{"exp":{exp},"aud":"a"}}"#));
    assert_eq!(verdict(host().param("audience", "a"), &one)["valid"], true);
    let numbers = hs256(&format!(r#"{{"exp":{exp},"iss":7,"aud":[7]}}"#));
    assert_eq!(verdict(host().param("issuer", "7"), &numbers), refused("wrong-issuer"));
    assert_eq!(verdict(host().param("audience", "7"), &numbers), refused("wrong-audience"));
}

/// At the limit it holds, a second beyond it does not.
#[test]
fn a_token_holds_from_its_beginning_to_its_end() {
    let at = |payload: String, leeway: &str| verdict(host().param("leeway", leeway), &hs256(&payload));
    let exp = |seconds: u64| format!(r#"{{"exp":{seconds}}}"#);
    assert_eq!(at(exp(NOW + 1), "0")["valid"], true);
    assert_eq!(at(exp(NOW), "0"), refused("expired"));
    assert_eq!(at(exp(NOW - 59), "60")["valid"], true);
    assert_eq!(at(exp(NOW - 60), "60"), refused("expired"));
    let nbf = |seconds: u64| format!(r#"{{"exp":{},"nbf":{seconds}}}"#, NOW + 999);
    assert_eq!(at(nbf(NOW), "0")["valid"], true);
    assert_eq!(at(nbf(NOW + 1), "0"), refused("not-yet-valid"));
    assert_eq!(at(nbf(NOW + 60), "60")["valid"], true);
    assert_eq!(at(nbf(NOW + 61), "60"), refused("not-yet-valid"));
    assert_eq!(at("{}".to_owned(), "0"), refused("no-expiry"));
    assert_eq!(verdict(host().param("require_exp", "false"), &hs256("{}"))["valid"], true);
    for odd in [r#"{"exp":"soon"}"#, r#"{"exp":1e99}"#, r#"{"exp":null}"#] {
        assert_eq!(at(odd.to_owned(), "0"), refused("malformed"), "{odd}");
    }
}

#[test]
fn a_version_that_is_being_retired_still_verifies() {
    let token = hs256(&format!(r#"{{"exp":{}}}"#, NOW + 9));
    let rotated =
        FakeHost::new().secret("key", "the new one").retiring("key", KEY).param("algorithm", "HS256");
    assert_eq!(verdict(rotated.param("token_path", "token"), &token)["retiring"], true);
    let gone = FakeHost::new().secret("key", "the new one").param("algorithm", "HS256");
    assert_eq!(verdict(gone.param("token_path", "token"), &token), refused("bad-signature"));
    // The same with public keys, one PEM after the other.
    let (new, old) = (vector("EdDSA"), vector("ES256"));
    let both = [of(&old, "public"), of(&old, "public")].concat();
    let host = |keys: &str| {
        let host = FakeHost::new().param("public_key", keys).param("algorithm", "ES256");
        host.param("token_path", "token").now_millis(1_300_819_379_000)
    };
    assert_eq!(verdict(host(&both), of(&old, "token"))["retiring"], false);
    let mixed = host(&[of(&new, "public"), of(&old, "public")].concat()).value("token", of(&old, "token"));
    let other = "jwt-verify: the public key is no such key: a public key of another algorithm";
    assert_eq!(mixed.run(verify).unwrap_err().message(), other);
}

#[test]
fn a_token_is_found_in_the_authorization_header() {
    let token = hs256(&format!(r#"{{"exp":{}}}"#, NOW + 9));
    let sent = |header: &str| {
        let host = FakeHost::new().secret("key", KEY).param("algorithm", "HS256");
        let value = Value::json(json!([header]).to_string());
        let fields = host.value("@web.req.headers.Authorization", value).run(verify).unwrap();
        serde_json::from_str::<Json>(fields[0].value.as_text()).unwrap()
    };
    assert_eq!(sent(&format!("Bearer {token}"))["valid"], true);
    assert_eq!(sent(&format!("bearer  {token} "))["valid"], true);
    assert_eq!(sent(&token)["valid"], true);
    assert_eq!(sent(&format!("Basic {token}")), refused("malformed"));
    assert_eq!(sent("Bearer "), refused("malformed"));
    let nothing = FakeHost::new().secret("key", KEY).param("algorithm", "HS256").run(verify).unwrap();
    let nothing: Json = serde_json::from_str(nothing[0].value.as_text()).unwrap();
    assert_eq!(nothing, refused("missing"));
}

#[test]
fn what_is_no_token_is_malformed() {
    let payload = format!(r#"{{"exp":{}}}"#, NOW + 9);
    let good = hs256(&payload);
    assert_eq!(verdict(host(), &good)["valid"], true);
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for bad in [
        "x".to_owned(),
        "a.b".to_owned(),
        format!("{header}.{claims}"),
        format!("{good}."),
        format!("{good}="),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}.{signature}+"),
        token(KEY, r#"{"alg":7}"#, &payload),
        token(KEY, r#"{"typ":"JWT"}"#, &payload),
        token(KEY, r#"{"alg":"HS256","alg":"none"}"#, &payload),
        token(KEY, r#"["HS256"]"#, &payload),
        hs256(r#"{"exp":1,"exp":9999999999}"#),
        hs256("[]"),
        hs256("{"),
    ] {
        assert_eq!(verdict(host(), &bad), refused("malformed"), "{bad}");
    }
    let cut = &good[..good.len() - 3];
    assert_eq!(verdict(host(), cut), refused("bad-signature"));
    assert_eq!(verdict(host(), &good.replace('.', "..")), refused("malformed"));
    let critical = token(KEY, r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, &payload);
    assert_eq!(verdict(host(), &critical), refused("critical-header"));
}

#[test]
fn the_type_is_looked_at_when_the_rule_says_one() {
    let payload = format!(r#"{{"exp":{}}}"#, NOW + 9);
    let typed = |header: &str| verdict(host().param("type", "at+jwt"), &token(KEY, header, &payload));
    assert_eq!(typed(r#"{"alg":"HS256","typ":"application/AT+JWT"}"#)["valid"], true);
    assert_eq!(typed(r#"{"alg":"HS256","typ":"JWT"}"#), refused("wrong-type"));
    assert_eq!(typed(r#"{"alg":"HS256"}"#), refused("wrong-type"));
}

#[test]
fn its_failures_are_exact() {
    let public = |algorithm: &str, pem: &str| {
        FakeHost::new().param("algorithm", algorithm).param("public_key", pem).param("token_path", "token")
    };
    for (host, message) in [
        (FakeHost::new().secret("key", "k"), "missing algorithm in WITH"),
        (host().param("algorithm", "none"), "unsupported algorithm \"none\" (HS256|EdDSA|ES256|RS256)"),
        (FakeHost::new().param("algorithm", "HS256"), "missing secrets.key.secret in WITH"),
        (public("HS256", "x"), "HS256 has no public key; give the secret at secrets.key"),
        (public("EdDSA", "x"), "the public key is no such key: no PEM with -----BEGIN PUBLIC KEY-----"),
        (host().param("leeway", "x"), "unsupported leeway \"x\" (an integer, 0 or more)"),
        (host().denied("key"), "the secret in secrets.key may not be used by it"),
    ] {
        let failure = host.run(verify).unwrap_err();
        assert_eq!(failure.message(), ["jwt-verify: ", message].concat());
        assert_eq!(failure.code(), "jwt-verify-err");
    }
}
