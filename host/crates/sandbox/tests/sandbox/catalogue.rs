//! The embedded ops beyond those of the Go chassis: each real component against its public vectors.
//!
//! Their logic is tested natively, with all of the vectors, in `builtin-ops`.

use std::sync::Arc;
use std::time::Duration;

use model::{Envelope, Value};
use sandbox::{Error, Limits, Op, Over};
use serde_json::{Value as Json, json};
use vault::Credentials;

use crate::bench::{Secrets, input, text};
use crate::builtins::built;

/// One call: what its slots hold, the rule's parameters, the envelope, the time.
struct Run<'a> {
    slots: &'a [(&'a str, &'a [u8])],
    params: Json,
    envelope: Json,
    body: &'a [u8],
    seconds: u64,
}

impl Run<'_> {
    /// Its fields as text, the same whether the op's module is called directly or its component.
    fn on(&self, ways: &[Op; 2]) -> Result<Vec<(String, String)>, Error> {
        let [directly, component] = ways.each_ref().map(|op| self.once(op));
        // ECDSA signs with a nonce: never twice the same.
        if self.params["algorithm"] != "ES256" {
            assert_eq!(directly, component);
        }
        directly
    }

    /// Its fields as text; a credential is opened, and marked.
    fn once(&self, op: &Op) -> Result<Vec<(String, String)>, Error> {
        let (secrets, credentials) = (Secrets::new(), Credentials::new());
        let names: Vec<String> = (0..self.slots.len()).map(|index| format!("SECRET_{index}")).collect();
        for (name, (_, value)) in names.iter().zip(self.slots) {
            secrets.store(name, value);
        }
        let slots: Vec<_> =
            names.iter().zip(self.slots).map(|(name, (slot, _))| (*slot, name.as_str())).collect();
        let mut envelope =
            Envelope::new(Value::parse(self.envelope.to_string().as_bytes()).unwrap()).unwrap();
        if !self.body.is_empty() {
            envelope.receive_body(Value::from("as received"), Arc::from(self.body));
        }
        let mut input = input(self.seconds * 1000);
        input.params = Arc::new(Value::parse(self.params.to_string().as_bytes()).unwrap());
        input.envelope = Arc::new(envelope);
        let output = op.call(input, secrets.pack(op, &slots), &credentials)?;
        let fields = output.fields.into_iter().map(|(path, value)| {
            let text = if let Value::Sealed(sealed) = &value {
                let id = sealed.credentials().next().unwrap();
                let opened = credentials.with(id, <[u8]>::to_vec).unwrap();
                format!("sealed {}", String::from_utf8(opened).unwrap())
            } else {
                value.as_str().map_or_else(|| value.to_json(), str::to_owned)
            };
            (path.to_string(), text)
        });
        Ok(fields.collect())
    }

    /// Its only field.
    fn one(&self, file: &str) -> (String, String) {
        let [field] = self.on(&built(file, Limits::default())).unwrap().try_into().unwrap();
        field
    }

    /// Its only field, a document.
    fn document(&self, file: &str, path: &str) -> Json {
        let (place, text) = self.one(file);
        assert_eq!(place, path);
        serde_json::from_str(&text).unwrap()
    }
}

fn vectors(path: &str) -> Json {
    serde_json::from_str(&text(&format!("tests/vectors/{path}"))).unwrap()
}

fn nothing() -> Run<'static> {
    Run { slots: &[], params: json!({}), envelope: json!({}), body: b"", seconds: 0 }
}

#[test]
fn hmac_verify_accepts_what_the_rfc_signs() {
    let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    for file in ["hmac-verify.wasm", "hmac-verify.use.wasm"] {
        let said = |mac: &str| {
            let slots: &[(&str, &[u8])] = &[("key", b"Jefe")];
            let envelope = json!({ "_txc": { "web": { "req": { "headers": { "X-Signature": [mac] } } } } });
            let params = json!({ "expected_path": "@web.req.headers.X-Signature.0" });
            let body = b"what do ya want for nothing?";
            Run { slots, params, envelope, body, ..nothing() }.one(file)
        };
        let verdict = |valid: &str| ("_txc.computed.sig_valid".to_owned(), valid.to_owned());
        assert_eq!(said(mac), verdict("true"), "{file}");
        assert_eq!(said(&mac.to_uppercase()), verdict("true"), "{file}");
        assert_eq!(said(&mac.replace("5bdc", "5bdd")), verdict("false"), "{file}");
        assert_eq!(said("no MAC"), verdict("false"), "{file}");
    }
}

#[test]
fn webhooks_are_signed_and_verified_as_vendors_do() {
    let vectors = vectors("webhooks/vendors.json");
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let of = |field: &str| case[field].as_str().unwrap_or_default();
        let slots: &[(&str, &[u8])] = &[("key", of("secret").as_bytes())];
        let seconds = of("timestamp").parse().unwrap_or(7);
        let signed = Run {
            slots,
            params: json!({ "scheme": of("scheme"), "id": of("id") }),
            envelope: json!({}),
            body: of("body").as_bytes(),
            seconds,
        };
        let signed = signed.document("webhook-sign.use.wasm", "_txc.computed.webhook");
        assert_eq!(signed["signature"], of("signature").split(",v0=").next().unwrap());
        let verified = |seconds: u64| {
            let run = Run {
                slots,
                params: json!({
                    "scheme": of("scheme"), "signature_path": "h.signature", "timestamp_path": "h.timestamp",
                    "id_path": "h.id",
                }),
                envelope: json!({ "h": { "signature": of("signature"), "timestamp": of("timestamp"), "id": of("id") } }),
                body: of("body").as_bytes(),
                seconds,
            };
            run.document("webhook-verify.use.wasm", "_txc.computed.webhook")
        };
        assert_eq!(verified(seconds)["valid"], true, "{}", of("scheme"));
        let late = if of("scheme") == "github" { json!(true) } else { json!(false) };
        assert_eq!(verified(seconds + 301)["valid"], late, "{}", of("scheme"));
    }
}

/// A body of megabytes is read by neither: the host computes, in fewer calls than reading would take.
#[test]
fn by_handle_a_long_body_stays_where_it_is() {
    let long = vec![b'a'; 4 << 20];
    let few = Limits { host_calls: 40, wall: Duration::from_secs(20), ..Limits::default() };
    let wrong = "0".repeat(64);
    let signed = |file: &str| {
        let slots: &[(&str, &[u8])] = &[("key", b"Jefe")];
        let params = json!({ "scheme": "github", "expected_path": "mac", "signature_path": "signature" });
        let envelope = json!({ "mac": wrong, "signature": format!("sha256={wrong}") });
        let run = Run { slots, params, envelope, body: &long, ..nothing() };
        run.on(&built(file, few.clone())).map(|fields| fields.len())
    };
    for file in
        ["hmac-sign.use.wasm", "hmac-verify.use.wasm", "webhook-sign.use.wasm", "webhook-verify.use.wasm"]
    {
        assert_eq!(signed(file), Ok(1), "{file}");
    }
    assert_eq!(signed("hmac-sign.wasm"), Err(Error::Over(Over::HostCalls(40))));
}

#[test]
fn tokens_of_the_rfcs_are_accepted_and_made_again() {
    let vectors = vectors("jwt/rfc.json");
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let of = |field: &str| case[field].as_str().unwrap_or_default();
        // The one payload that is no set of claims.
        if of("algorithm") == "EdDSA" {
            continue;
        }
        let bytes = |text: &str| {
            use base64::Engine as _;
            base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
        };
        let key = if of("algorithm") == "HS256" { bytes(of("key")) } else { of("key").as_bytes().to_vec() };
        let slots: &[(&str, &[u8])] = &[("key", &key)];
        let verified = |token: &str, seconds: u64| {
            let params = json!({ "algorithm": of("algorithm"), "token_path": "token", "leeway": 0 });
            let run = Run { slots, params, envelope: json!({ "token": token }), seconds, ..nothing() };
            run.document("jwt-verify.use.wasm", "_txc.computed.jwt")
        };
        let claims: Json = serde_json::from_str(of("payload")).unwrap();
        let valid = json!({ "valid": true, "retiring": false, "claims": claims });
        assert_eq!(verified(of("token"), 1_300_819_379), valid, "{}", of("where"));
        let expired = json!({ "valid": false, "reason": "expired" });
        assert_eq!(verified(of("token"), 1_300_819_380), expired, "{}", of("where"));
        let params = json!({ "algorithm": of("algorithm"), "claims": claims });
        let signed = Run { slots, params, seconds: 1_300_819_000, ..nothing() };
        let (path, token) = signed.one("jwt-sign.use.wasm");
        assert_eq!(path, "_txc.computed.jwt");
        // A token is a credential, and the next op accepts it.
        let token = token.strip_prefix("sealed ").unwrap();
        assert_eq!(verified(token, 1_300_819_379)["claims"]["iss"], "joe", "{}", of("where"));
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[test]
fn a_token_for_the_client_is_not_sealed() {
    let slots: &[(&str, &[u8])] = &[("key", b"a key of thirty-two bytes, or so")];
    let params = json!({ "algorithm": "HS256", "visible": true });
    let (_, token) = Run { slots, params, ..nothing() }.one("jwt-sign.use.wasm");
    assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."), "{token}");
}

#[test]
fn sigv4_sign_agrees_with_the_suite_of_aws() {
    let suite = vectors("sigv4/suite.json");
    let file = |path: &str| suite["files"][path].as_str().unwrap().to_owned();
    let params = json!({
        "access_key_id": "AKIDEXAMPLE", "region": "us-east-1", "service": "service", "method": "GET",
        "url": "https://example.amazonaws.com/",
    });
    let secret: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let run =
        |slots, params: &Json| Run { slots, params: params.clone(), seconds: 1_440_938_160, ..nothing() };
    let key: &[(&str, &[u8])] = &[("key", secret)];
    for name in ["sigv4-sign.wasm", "sigv4-sign.use.wasm"] {
        let op = built(name, Limits::default());
        let fields = run(key, &params).on(&op).unwrap();
        assert_eq!(fields[0].0, "_txc.computed.aws.authorization");
        assert!(fields[0].1.ends_with(&file("get-vanilla/header-signature.txt")), "{name}: {}", fields[0].1);
        let mut presigned = params.clone();
        presigned["presign"] = 3600.into();
        let [(path, url)] = run(key, &presigned).on(&op).unwrap().try_into().unwrap();
        assert_eq!(path, "_txc.computed.aws.url");
        assert!(url.ends_with(&file("get-vanilla/query-signature.txt")), "{name}: {url}");
    }
    let context: Json = serde_json::from_str(&file("get-vanilla-with-session-token/context.json")).unwrap();
    let token = context["credentials"]["token"].as_str().unwrap();
    let slots: &[(&str, &[u8])] = &[("key", secret), ("session_token", token.as_bytes())];
    let fields = run(slots, &params).on(&built("sigv4-sign.wasm", Limits::default())).unwrap();
    assert!(
        fields[0].1.ends_with(&file("get-vanilla-with-session-token/header-signature.txt")),
        "{}",
        fields[0].1
    );
    assert_eq!(fields[3], ("_txc.computed.aws.security_token".to_owned(), format!("sealed {token}")));
}

#[test]
fn http_signature_agrees_with_the_rfc() {
    let vectors = vectors("http-signature/rfc9421.json");
    let cases = vectors["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["algorithm"] == "ed25519").unwrap();
    let headers = vectors["request"]["headers"].as_array().unwrap();
    let headers: serde_json::Map<String, Json> =
        headers.iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone())).collect();
    let key = vectors["keys"]["test-key-ed25519"].as_str().unwrap();
    let slots: &[(&str, &[u8])] = &[("key", key.as_bytes())];
    let params = json!({
        "algorithm": "ed25519", "url": vectors["request"]["url"], "headers": headers,
        "components": case["components"], "key_id": "test-key-ed25519", "label": "sig-b26",
    });
    let run = Run { slots, params, seconds: 1_618_884_473, ..nothing() };
    let made = run.document("http-signature.use.wasm", "_txc.computed.http_signature");
    let member = |value: &Json| value.as_str().unwrap().to_owned();
    assert_eq!(made["signature"], format!("sig-b26=:{}:", member(&case["signature"])));
    assert_eq!(made["signature_input"], format!("sig-b26={}", member(&case["input"])));
}

#[test]
fn http_signature_verify_accepts_what_the_rfc_signs() {
    let vectors = vectors("http-signature/rfc9421.json");
    let mut checked = 0;
    for (algorithm, key) in [("hmac-sha256", "test-shared-secret"), ("ed25519", "test-key-ed25519")] {
        let cases = vectors["cases"].as_array().unwrap();
        let case = cases.iter().find(|case| case["algorithm"] == algorithm).unwrap();
        let mut headers = serde_json::Map::new();
        for pair in vectors["request"]["headers"].as_array().unwrap() {
            headers.insert(pair[0].as_str().unwrap().to_owned(), json!([pair[1]]));
        }
        let of = |field: &str| case[field].as_str().unwrap();
        headers.insert("Signature-Input".to_owned(), json!([format!("sig1={}", of("input"))]));
        headers.insert("Signature".to_owned(), json!([format!("sig1=:{}:", of("signature"))]));
        let key = vectors["keys"][key].as_str().unwrap();
        let key = if algorithm == "ed25519" { key.as_bytes().to_vec() } else { base64(key) };
        let slots: &[(&str, &[u8])] = &[("key", &key)];
        let verdict = |method: &str, seconds: u64| {
            let url = json!({ "full": "/foo?param=Value&Pet=dog" });
            let request = json!({ "method": method, "host": "example.com", "headers": headers, "url": url });
            let envelope = json!({ "_txc": { "web": { "req": request } } });
            let params = json!({ "algorithm": algorithm, "components": case["components"] });
            let run = Run { slots, params, envelope, seconds, ..nothing() };
            run.document("http-signature-verify.use.wasm", "_txc.computed.http_signature")
        };
        let created = case["parameters"]["created"].as_u64().unwrap();
        assert_eq!(verdict("POST", created)["valid"], true, "{algorithm}");
        assert_eq!(verdict("POST", created + 301)["reason"], "too-old", "{algorithm}");
        let covered = of("components").contains("@method");
        assert_eq!(verdict("PUT", created)["valid"], !covered, "{algorithm}");
        checked += 1;
    }
    assert_eq!(checked, 2);
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}

#[test]
fn totp_agrees_with_rfc_6238_and_is_a_credential() {
    let vectors = vectors("totp/rfc6238.json");
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        for algorithm in ["sha1", "sha256", "sha512"] {
            let slots: &[(&str, &[u8])] = &[("key", vectors["keys"][algorithm].as_str().unwrap().as_bytes())];
            let params = json!({ "algorithm": algorithm, "digits": 8, "key_encoding": "text" });
            let run = Run { slots, params, seconds: case["seconds"].as_u64().unwrap(), ..nothing() };
            let expected = format!("sealed {}", case[algorithm].as_str().unwrap());
            assert_eq!(run.one("totp.use.wasm"), ("_txc.computed.totp".to_owned(), expected), "{case}");
            checked += 1;
        }
    }
    assert_eq!(checked, 18);
}

/// The reason is the host's, and it says where; never a word of the value.
#[test]
fn a_value_that_is_no_key_is_told_with_its_place() {
    let fails = |file: &str, secret: &[u8], params: Json, reason: &str| {
        let run = Run { slots: &[("key", secret)], params, body: b"x", ..nothing() };
        let op = built(file, Limits::default());
        let name = op[0].reference().name.as_str().to_owned();
        let message = format!("{name}: the secret in secrets.key is no such key: {reason}");
        assert_eq!(run.on(&op), Err(Error::Failed { code: format!("{name}-err"), message }), "{file}");
    };
    fails("totp.use.wasm", b"MZXW1", json!({}), "not base32: character 5");
    let standard = || json!({ "scheme": "standard-webhooks" });
    let no_prefix = "not whsec: it does not begin with whsec_";
    fails("webhook-sign.use.wasm", b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", standard(), no_prefix);
    fails("webhook-sign.use.wasm", b"whsec_MfK*", standard(), "not whsec: character 10");
    let hex = json!({ "scheme": "github", "key_encoding": "hex" });
    fails("webhook-sign.use.wasm", b"abc", hex, "not hex: it ends in the middle of a byte");
}
