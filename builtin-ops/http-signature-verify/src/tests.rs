//! The op natively: RFC 9421, appendix B, and every reason and every line it may fail with.

use serde_json::{Value as Json, json};
use txco_op::prelude::*;

use crate::dictionary::dictionary;
use crate::verify;

const AT: u64 = 1_618_884_473;
/// RFC 9421, appendix B.1.4.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n\
                      -----END PUBLIC KEY-----\n";
const COVERED: &str = "date @method @path @authority content-type content-length";

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../tests/vectors/http-signature/rfc9421.json")).unwrap()
}

/// The request of the RFC with these two headers.
fn request(input: &str, signature: &str) -> FakeHost {
    let vectors = vectors();
    let mut headers = serde_json::Map::new();
    for pair in vectors["request"]["headers"].as_array().unwrap() {
        headers.insert(canonical(pair[0].as_str().unwrap()), json!([pair[1]]));
    }
    headers.insert("Signature-Input".to_owned(), json!([input]));
    headers.insert("Signature".to_owned(), json!([signature]));
    FakeHost::new()
        .body(vectors["request"]["body"].as_str().unwrap())
        .value("@web.req.headers", Value::json(Json::Object(headers).to_string()))
        .value("@web.req.method", "POST")
        .value("@web.req.host", "example.com")
        .value("@web.req.url.full", "/foo?param=Value&Pet=dog")
        .now_millis(AT * 1000)
}

fn canonical(name: &str) -> String {
    name.split('-').map(|part| [&part[..1].to_uppercase(), &part[1..]].concat()).collect::<Vec<_>>().join("-")
}

/// The case of appendix B with this algorithm: its members of both headers.
fn case(algorithm: &str) -> (String, String, String) {
    let vectors = vectors();
    let cases = vectors["cases"].as_array().unwrap().iter();
    let case = cases.clone().find(|case| case["algorithm"] == algorithm).unwrap();
    let of = |field: &str| case[field].as_str().unwrap().to_owned();
    (of("input"), format!(":{}:", of("signature")), of("components"))
}

/// B.2.6, with the public key.
fn signed() -> FakeHost {
    let (input, signature, _) = case("ed25519");
    with(&input, &signature)
}

fn with(input: &str, signature: &str) -> FakeHost {
    let host = request(&format!("sig1={input}"), &format!("sig1={signature}"));
    host.param("algorithm", "ed25519").param("public_key", PUBLIC).param("components", COVERED)
}

fn verdict(host: FakeHost) -> Json {
    let [field]: [Field; 1] = host.run(verify).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.http_signature", Class::Data));
    serde_json::from_str(field.value.as_text()).unwrap()
}

#[track_caller]
fn refused(host: FakeHost, reason: &str) {
    assert_eq!(verdict(host), json!({ "valid": false, "reason": reason }));
}

#[test]
fn what_the_rfc_signs_is_accepted() {
    let vectors = vectors();
    let valid = |key_id: &str| json!({ "valid": true, "retiring": false, "label": "sig1", "created": AT, "key_id": key_id });
    assert_eq!(verdict(signed()), valid("test-key-ed25519"));
    let (input, signature, components) = case("hmac-sha256");
    let secret = from_base64(vectors["keys"]["test-shared-secret"].as_str().unwrap()).unwrap();
    let host = || request(&format!("sig1={input}"), &format!("sig1={signature}"));
    let host = || host().param("algorithm", "hmac-sha256").param("components", components.as_str());
    assert_eq!(verdict(host().secret("key", &secret)), valid("test-shared-secret"));
    let mut retiring = valid("test-shared-secret");
    retiring["retiring"] = json!(true);
    assert_eq!(verdict(host().secret("key", "the new one").retiring("key", &secret)), retiring);
    refused(host().secret("key", "another"), "bad-signature");
    // A key that is the secret's, and one of two that everybody knows.
    let pem = vectors["keys"]["test-key-ed25519"].as_str().unwrap();
    assert_eq!(verdict(signed().param("public_key", "").secret("key", pem)), valid("test-key-ed25519"));
    let other = vectors["keys"]["test-key-ecc-p256"].as_str().unwrap();
    let (input, signature, _) = case("ecdsa-p256-sha256");
    let answer = request(&format!("sig1={input}"), &format!("sig1={signature}"));
    let answer = answer.param("algorithm", "ecdsa-p256-sha256").param("public_key", other);
    // Its signature is of an answer, and a request has no status.
    refused(answer.param("components", "@status"), "component-missing");
}

#[test]
fn what_is_covered_cannot_be_changed() {
    refused(signed().value("@web.req.method", "PUT"), "bad-signature");
    refused(signed().value("@web.req.url.full", "/bar?param=Value&Pet=dog"), "bad-signature");
    refused(signed().value("@web.req.host", "example.org"), "bad-signature");
    refused(signed().param("origin", "https://example.org"), "bad-signature");
    assert_eq!(verdict(signed().param("origin", "https://example.com:443"))["valid"], true);
    let vectors = vectors();
    let (input, signature, _) = case("ed25519");
    for (from, to) in [("\"@path\"", "\"@scheme\""), ("1618884473", "1618884474"), ("ed25519\"", "ed25518\"")]
    {
        assert!(input.contains(from));
        refused(with(&input.replace(from, to), &signature).param("components", "@method"), "bad-signature");
    }
    let other = vectors["cases"][4]["signature"].as_str().unwrap();
    refused(with(&input, &format!(":{other}:")), "bad-signature");
    // What is not covered can be.
    let query = signed().value("@web.req.url.full", "/foo?changed=1");
    assert_eq!(verdict(query)["valid"], true);
}

#[test]
fn what_must_be_covered_is_the_rules() {
    refused(signed().param("components", ""), "not-covered");
    refused(signed().param("components", "@method @target-uri"), "not-covered");
    refused(signed().param("components", "content-digest"), "not-covered");
    refused(signed().param("components", "@query-param;name=\"Pet\""), "not-covered");
    assert_eq!(verdict(signed().param("components", "Date @method"))["valid"], true);
}

#[test]
fn a_signature_is_as_old_as_it_may_be() {
    let at = |seconds: u64| signed().now_millis(seconds * 1000);
    assert_eq!(verdict(at(AT + 300))["valid"], true);
    refused(at(AT + 301), "too-old");
    assert_eq!(verdict(at(AT - 300))["valid"], true);
    refused(at(AT - 301), "too-new");
    refused(at(AT + 11).param("tolerance", "10"), "too-old");
    let (input, signature, _) = case("ed25519");
    let says = |from: &str, to: &str| with(&input.replace(from, to), &signature);
    let created = ";created=1618884473";
    refused(says(created, ""), "no-created");
    refused(says(created, ";created=\"1618884473\""), "malformed");
    refused(says(created, ";created=1618884473.5"), "malformed");
    refused(says(created, ";created=-1"), "malformed");
    refused(says(created, &format!("{created};expires={AT}")), "expired");
    // In time, and then it shows that this is not what was signed.
    refused(says(created, &format!("{created};expires={}", AT + 1)), "bad-signature");
}

#[test]
fn the_algorithm_and_the_signature_are_the_rules() {
    let (input, signature, _) = case("ed25519");
    refused(with(&format!("{input};alg=\"rsa-pss-sha512\""), &signature), "wrong-algorithm");
    refused(with(&format!("{input};alg=\"hmac-sha256\""), &signature), "wrong-algorithm");
    refused(with(&format!("{input};alg=\"ed25519\""), &signature), "bad-signature");
    refused(with(&format!("{input};alg=ed25519"), &signature), "malformed");
    refused(signed().param("key_id", "another"), "no-such-signature");
    refused(signed().param("tag", "app"), "no-such-signature");
    refused(signed().param("label", "sig2"), "no-such-signature");
    assert_eq!(verdict(signed().param("label", "sig1").param("key_id", "test-key-ed25519"))["valid"], true);

    // Of several the rule says which.
    let two = |first: &str, second: &str| {
        request(&format!("sig1={first}, proxy={second}"), &format!("proxy=:AAAA:, sig1={signature}"))
            .param("algorithm", "ed25519")
            .param("public_key", PUBLIC)
            .param("components", COVERED)
    };
    let proxy = "(\"@method\";req \"x\";sf);created=1;keyid=\"proxy\";tag=\"p\"";
    refused(two(&input, proxy), "several-signatures");
    assert_eq!(verdict(two(&input, proxy).param("label", "sig1"))["valid"], true);
    assert_eq!(verdict(two(&input, proxy).param("key_id", "test-key-ed25519"))["valid"], true);
    refused(two(&input, proxy).param("tag", "p"), "too-old");
    refused(two(&input, proxy).param("tag", "p").now_millis(1000), "unsupported-component");
}

#[test]
fn the_digest_is_of_the_body() {
    // Signed with the op's own pair by `http-signature`, in the black-box test of the manual; here the digests alone.
    let digest = |header: &str, body: &str| {
        let headers = json!({ "Content-Digest": [header] }).to_string();
        let host = FakeHost::new().value("@web.req.headers", Value::json(headers)).body(body);
        let host = host.param("algorithm", "ed25519");
        let call = host.call();
        crate::digest(&call, &call.params().unwrap(), &crate::fields(&call)).map_err(crate::Reason::word)
    };
    let body = r#"{"hello": "world"}"#;
    // RFC 9530, appendix B, and RFC 9421, appendix B.2.
    let (short, long) = ("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", vectors());
    let long = long["request"]["headers"][2][1].as_str().unwrap();
    assert_eq!(digest(short, body), Ok(()));
    assert_eq!(digest(long, body), Ok(()));
    assert_eq!(digest(&format!("{short}, {long}, md5=:AAAA:"), body), Ok(()));
    assert_eq!(digest(short, "{}"), Err("wrong-digest"));
    assert_eq!(digest(&format!("{short}, sha-512=:AAAA:"), body), Err("wrong-digest"));
    assert_eq!(digest("md5=:AAAA:", body), Err("wrong-digest"));
    assert_eq!(digest("sha-256=X48E", body), Err("wrong-digest"));
    assert_eq!(digest("sha-256", body), Err("malformed"));
}

#[test]
fn headers_are_read_strictly() {
    let (input, signature, _) = case("ed25519");
    let none = FakeHost::new().param("algorithm", "ed25519").param("public_key", PUBLIC);
    refused(none, "signature-missing");
    for (input, signature) in [
        ("", signature.as_str()),
        ("sig1", &signature),
        ("(\"@method\"", &signature),
        ("(\"@method\"\"@path\");created=1618884473", &signature),
        ("(\"@method\" \"@method\");created=1618884473", &signature),
        ("(@method);created=1618884473", &signature),
        ("(\"@method\");created=1618884473;created=1618884473", &signature),
        (&format!("{input}, sig1={input}"), &signature),
        (&format!("{input},"), &signature),
        (&input, ":not base64:"),
        (&input, "\"text\""),
        (&input, ""),
    ] {
        refused(with(input, signature).param("components", "@method"), "malformed");
    }
    refused(with("(\"@methot\");created=1618884473", &signature), "unsupported-component");
    refused(with("(\"Date\");created=1618884473", &signature), "unsupported-component");
    refused(with("(\"date\";bs);created=1618884473", &signature), "unsupported-component");
    refused(
        request(&format!("sig1={input}"), "sig2=:AAAA:")
            .param("algorithm", "ed25519")
            .param("public_key", PUBLIC),
        "no-such-signature",
    );
    // Blanks are not signed, and what is signed has none of them to spare.
    let spaced =
        input.replace("(\"", "(  \"").replace("\" \"", "\"   \"").replace("\")", "\" )").replace(';', "; ");
    assert_eq!(verdict(with(&spaced, &signature))["valid"], true);
    let list = dictionary("a=( \"x\";name=\"\\\"\\\\\"   tok/en );n=-1.5; b , c=?1", |reader| {
        reader.list().map(|list| list.text).or_else(|| reader.value().map(|_| "other".to_owned()))
    });
    assert_eq!(list.unwrap()[0].1, "(\"x\";name=\"\\\"\\\\\" tok/en);n=-1.5;b");
}

#[test]
fn its_failures_are_exact() {
    for (host, message) in [
        (FakeHost::new(), "missing algorithm in WITH"),
        (FakeHost::new().param("algorithm", "ed25519"), "missing secrets.key.secret in WITH"),
        (
            signed().param("algorithm", "hmac-sha256"),
            "hmac-sha256 has no public key; give the secret at secrets.key",
        ),
        (signed().param("components", "@methot"), "components: @methot is no component"),
        (signed().param("origin", "example.com"), "origin must be https://HOST or http://HOST"),
        (signed().param("origin", "https://example.com/"), "origin must be https://HOST or http://HOST"),
        (signed().param("origin", "https://example.com/a"), "origin must be https://HOST or http://HOST"),
    ] {
        let failure = host.run(verify).unwrap_err();
        assert_eq!(failure.message(), ["http-signature-verify: ", message].concat());
        assert_eq!(failure.code(), "http-signature-verify-err");
    }
}
