//! The op natively: RFC 9421, appendix B, and every line it may fail with.

use parts::target::Target;
use serde_json::Value as Json;
use txco_op::prelude::*;

use parts::http_signature::{Component, Message, base};

use crate::parameters::Parameters;
use crate::sign;

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../tests/vectors/http-signature/rfc9421.json")).unwrap()
}

fn pairs(headers: &Json) -> Vec<(String, String)> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    headers.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

#[test]
fn the_bases_and_signatures_of_the_rfc() {
    let vectors = vectors();
    let request = &vectors["request"];
    let target = Target::parse(request["url"].as_str().unwrap()).unwrap();
    let mut signatures = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let of = |field: &str| case[field].as_str().unwrap();
        let message = match case["of"].as_str() {
            None => Message::request("POST", &target, pairs(&request["headers"])),
            Some(_) => Message::answer(200, pairs(&vectors["answer"]["headers"])),
        };
        let said = |name: &str| case["parameters"][name].as_str().map(str::to_owned);
        let parameters = Parameters {
            created: case["parameters"]["created"].as_u64(),
            expires: None,
            key_id: said("keyid"),
            nonce: said("nonce"),
            tag: said("tag"),
        };
        let components = Component::list(of("components")).unwrap();
        let input = parameters.input(&components).unwrap();
        let made = base(&message, &components, &input).unwrap();
        assert_eq!(made, of("base"), "{}", of("where"));
        assert_eq!(input, of("input"), "{}", of("where"));
        // RSASSA-PSS is not among what the host computes.
        let Some(algorithm) = case["algorithm"].as_str() else { continue };
        let key_id = said("keyid").unwrap();
        let key = vectors["keys"][&key_id].as_str().unwrap();
        let signature = from_base64(of("signature")).unwrap();
        let key = |encoding| {
            FakeHost::new().secret("key", key).use_only("key").call().key("key", encoding).unwrap()
        };
        match algorithm {
            "hmac-sha256" => {
                let mac = key(Encoding::Base64).sign(Algorithm::HmacSha256, message![&made]);
                assert_eq!(mac.unwrap(), signature);
            }
            "ed25519" => {
                assert_eq!(key(Encoding::Text).sign(Algorithm::Ed25519, message![&made]).unwrap(), signature);
            }
            _ => {
                let key = Key::public(vectors["keys"][&key_id].as_str().unwrap()).unwrap();
                assert!(key.verify(Algorithm::EcdsaP256Sha256, message![&made], &signature).unwrap());
            }
        }
        signatures += 1;
    }
    assert_eq!(signatures, 3);
}

/// B.2.6 as a rule would have it made.
fn host() -> FakeHost {
    let vectors = vectors();
    let host =
        FakeHost::new().secret("key", vectors["keys"]["test-key-ed25519"].as_str().unwrap()).use_only("key");
    let host = host.param("algorithm", "ed25519").param("url", vectors["request"]["url"].as_str().unwrap());
    let headers: serde_json::Map<String, Json> =
        pairs(&vectors["request"]["headers"]).into_iter().map(|(name, value)| (name, value.into())).collect();
    let host = host.param("headers", Value::json(Json::Object(headers).to_string()));
    host.param("key_id", "test-key-ed25519").now_millis(1_618_884_473_999)
}

fn headers(host: FakeHost) -> Json {
    let [field]: [Field; 1] = host.run(sign).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.http_signature", Class::Digest));
    serde_json::from_str(field.value.as_text()).unwrap()
}

#[test]
fn the_op_makes_the_headers_of_the_rfc() {
    let components = "date @method @path @authority content-type content-length";
    let made = headers(host().param("components", components).param("label", "sig-b26"));
    let input = "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
                 ;created=1618884473;keyid=\"test-key-ed25519\"";
    let signature =
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
    assert_eq!(made, serde_json::json!({ "signature_input": input, "signature": signature }));
}

#[test]
fn the_digest_of_the_body_is_made() {
    let host = host().param("headers", Value::json("{}")).body(r#"{"hello": "world"}"#);
    let made = headers(host.param("key_id", "").param("expires_in", "60").param("tag", "app"));
    // RFC 9530, appendix B.1, has this digest of this body.
    assert_eq!(made["content_digest"], "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    let input = "sig1=(\"@method\" \"@target-uri\" \"content-digest\");created=1618884473;expires=1618884533;tag=\"app\"";
    assert_eq!(made["signature_input"], input);
}

#[test]
fn a_nonce_is_fresh() {
    let nonce = |seed: u64| {
        headers(host().param("components", "@method").param("nonce", "true").seed(seed))["signature_input"]
            .clone()
    };
    assert!(nonce(1).as_str().unwrap().contains(";nonce=\""));
    assert_ne!(nonce(1), nonce(2));
}

/// RFC 9421, section 2.1: several values, blanks around them, broken lines, none at all.
#[test]
fn fields_are_written_in_one_way() {
    let target = Target::parse("https://www.example.com/").unwrap();
    let fields = [
        ("x-ows-header", "  Leading and trailing whitespace.   "),
        ("x-obs-fold-header", "Obsolete\n    line folding."),
        ("cache-control", "max-age=60"),
        ("cache-control", "    must-revalidate"),
        ("x-empty-header", ""),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let message = Message::request("GET", &target, fields);
    for (name, value) in [
        ("x-ows-header", "Leading and trailing whitespace."),
        ("X-Obs-Fold-Header", "Obsolete line folding."),
        ("cache-control", "max-age=60, must-revalidate"),
        ("x-empty-header", ""),
    ] {
        let [component] = Component::list(name).unwrap().try_into().ok().unwrap();
        assert_eq!(message.value(&component).unwrap(), value, "{name}");
    }
}

/// RFC 9421, section 2.2, its examples.
#[test]
fn components_are_derived_from_the_request() {
    let value = |url: &str, component: &str| {
        let target = Target::parse(url).unwrap();
        let message = Message::request("POST", &target, Vec::new());
        let [component] = Component::list(component).unwrap().try_into().ok().unwrap();
        message.value(&component)
    };
    let url = "https://www.example.com/path?param=value";
    for (component, expected) in [
        ("@method", "POST"),
        ("@target-uri", url),
        ("@authority", "www.example.com"),
        ("@scheme", "https"),
        ("@request-target", "/path?param=value"),
        ("@path", "/path"),
        ("@query", "?param=value"),
        ("@query-param;name=\"param\"", "value"),
    ] {
        assert_eq!(value(url, component).as_deref(), Some(expected), "{component}");
    }
    assert_eq!(value("https://www.example.com/path", "@query").as_deref(), Some("?"));
    assert_eq!(value("https://www.example.com", "@path").as_deref(), Some("/"));
    let parameters = "https://www.example.com/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
    for (name, expected) in [
        ("var", "this%20is%20a%20big%0Amultiline%20value"),
        ("bar", "with%20plus%20whitespace"),
        ("fa%C3%A7ade%22%3A%20", "something"),
    ] {
        assert_eq!(value(parameters, &format!("@query-param;name=\"{name}\"")).as_deref(), Some(expected));
    }
    assert_eq!(value(url, "@query-param;name=\"a\""), None);
    assert_eq!(value("https://a.b/?a=1&a=2", "@query-param;name=\"a\""), None);
}

#[test]
fn its_failures_are_exact() {
    let components = |list: &str| host().param("components", list);
    let algorithms = "hmac-sha256|ed25519|ecdsa-p256-sha256|rsa-v1_5-sha256";
    let pss = format!("unsupported algorithm \"rsa-pss-sha512\" ({algorithms})");
    for (host, message) in [
        (FakeHost::new(), "missing algorithm in WITH"),
        (host().param("algorithm", "rsa-pss-sha512"), pss.as_str()),
        (
            FakeHost::new().param("algorithm", "ed25519").param("url", "https://a.b/"),
            "missing secrets.key.secret in WITH",
        ),
        (host().param("url", "/foo"), "url must be absolute and written as it is sent"),
        (components("@methot"), "components: @methot is no component"),
        (components("a(b)"), "components: a(b) is no component"),
        (components("@query-param"), "components: @query-param is no component"),
        (components("date;sf"), "components: date;sf: parameters are not supported here"),
        (components("date Date"), "components: Date is there twice"),
        (components("x-a"), "components: the request has no \"x-a\""),
        (components("@status"), "components: the request has no \"@status\""),
        (host().param("headers", Value::json("{}")), "nothing to sign at input_path \"body\""),
        (host().param("headers", Value::json(r#"{"a":"b\nc"}"#)), "headers must be an object of texts"),
        (components("@method").param("key_id", "schlüssel"), "key_id must be printable ASCII"),
        (
            components("@method").param("label", "Sig"),
            "label must begin with a letter and have a-z, 0-9, _, -, . or * only",
        ),
        (components("@method").denied("key"), "the secret in secrets.key may not be used by it"),
    ] {
        let failure = host.run(sign).unwrap_err();
        assert_eq!(failure.message(), ["http-signature: ", message].concat());
        assert_eq!(failure.code(), "http-signature-err");
    }
}
