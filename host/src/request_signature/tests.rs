//! The vectors of the RFC and of the existing chassis, and everything that makes a claim no claim.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::writing::content_digest;
use super::*;

/// A request of the tests.
#[derive(Clone)]
struct Request {
    method: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    authority: &'static str,
    headers: BTreeMap<&'static str, String>,
}

impl Request {
    fn with<T>(&self, does: impl FnOnce(&Message<'_>) -> T) -> T {
        let header = |name: &str| self.headers.get(name).cloned();
        let Self { method, path, query, authority, .. } = *self;
        does(&Message { method, path, query, authority, header: &header })
    }

    fn claim(&self) -> Result<Claim, Unreadable> {
        self.with(Claim::read)
    }
}

fn seed() -> Ed25519KeyPair {
    let seed: Vec<u8> = (0..32).collect();
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

const BODY: &[u8] = br#"{"name":"K","value":"v"}"#;
const INPUT: &str = r#"("@method" "@path" "@query" "@authority" "content-digest");created=1700000000;keyid="key_test";alg="ed25519";nonce="AAAAAAAAAAAAAAAAAAAAAA""#;
const SIGNATURE: &str =
    "WDhjsF+g/0gaxp+3mbCww9uK2CI0vzLkuAsXwEH3y78ozlsHCrlGtUQ9b9NhE6gsDAh5bWSltc1LBi0oK6fwBQ==";

/// The vector of the specification: what the Go command line sends.
fn vector() -> Request {
    Request {
        method: "POST",
        path: "/v1/tenants/default/secrets",
        query: None,
        authority: "localhost:8081",
        headers: BTreeMap::from([
            ("content-digest", "sha-256=:TLKz+YntYWG4KGe1MX1nFErAIRI1n+wuByjvagZqF0I=:".to_owned()),
            ("signature-input", format!("sig1={INPUT}")),
            ("signature", format!("sig1=:{SIGNATURE}:")),
        ]),
    }
}

#[test]
fn the_vector_of_the_existing_chassis_is_read_and_written() {
    let claim = vector().claim().unwrap();
    assert_eq!((claim.key_id.as_str(), claim.created), ("key_test", 1_700_000_000));
    assert_eq!(claim.nonce, "A".repeat(22));
    assert!(claim.is_of(seed().public_key().as_ref()) && claim.is_over(BODY));
    assert!(!claim.is_of(&[7; 32]) && !claim.is_over(b"{}"));
    assert_eq!(content_digest(BODY), vector().headers["content-digest"]);
    assert_eq!(content_digest(b""), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    let (input, base) =
        vector().with(|message| writing::input(message, "key_test", 1_700_000_000, &"A".repeat(22))).unwrap();
    assert_eq!(input, INPUT);
    assert_eq!(STANDARD.encode(seed().sign(base.as_bytes())), SIGNATURE);
}

/// RFC 9421, B.2.6: its ed25519 key over its test request. It covers less than we ask for,
/// so it is its base that is checked, and that we would not take it.
#[test]
fn the_ed25519_vector_of_the_rfc() {
    let input = r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
    let request = Request {
        method: "POST",
        path: "/foo",
        query: Some("param=Value&Pet=dog"),
        authority: "example.com",
        headers: BTreeMap::from([
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("content-length", "18".to_owned()),
            ("signature-input", format!("sig-b26={input}")),
            ("signature", "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:".to_owned()),
        ]),
    };
    let parsed: sfv::Dictionary = sfv::Parser::new(&request.headers["signature-input"]).parse().unwrap();
    let Some(sfv::ListEntry::InnerList(covered)) = parsed.get("sig-b26") else { panic!("an inner list") };
    let base = request.with(|message| message.base(covered)).unwrap();
    assert_eq!(
        base,
        format!(
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\
             \"@authority\": example.com\n\"content-type\": application/json\n\"content-length\": 18\n\
             \"@signature-params\": {input}"
        )
    );
    let key = STANDARD.decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=").unwrap();
    let signature = request.headers["signature"].trim_start_matches("sig-b26=:").trim_end_matches(':');
    let signature = STANDARD.decode(signature).unwrap();
    let public = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
    public.verify(base.as_bytes(), &signature).unwrap();
    assert_eq!(request.claim(), Err(Unreadable::Covers));
}

/// Every part of a request is under the signature: a changed one is another request.
#[test]
fn a_change_of_anything_signed_breaks_it() {
    let public = seed().public_key().as_ref().to_vec();
    let changed = [
        Request { method: "PUT", ..vector() },
        Request { path: "/v1/tenants/acme/secrets", ..vector() },
        Request { query: Some("stack=a"), ..vector() },
        Request { authority: "other:8081", ..vector() },
    ];
    for request in changed {
        assert!(!request.claim().unwrap().is_of(&public));
    }
    let same = Request { authority: "LOCALHOST:8081", ..vector() };
    assert!(same.claim().unwrap().is_of(&public), "an authority has no case");
    let mut other_body = vector();
    other_body.headers.insert("content-digest", content_digest(b"{}"));
    assert!(!other_body.claim().unwrap().is_of(&public));
}

fn with_input(input: &str) -> Result<Claim, Unreadable> {
    let mut request = vector();
    request.headers.insert("signature-input", input.to_owned());
    request.claim()
}

#[test]
fn what_is_no_claim() {
    for (name, header) in [
        ("signature-input", "Signature-Input"),
        ("signature", "Signature"),
        ("content-digest", "Content-Digest"),
    ] {
        let mut request = vector();
        request.headers.remove(name);
        assert_eq!(request.claim(), Err(Unreadable::Header(header)));
    }
    let change = |from: &str, to: &str| with_input(&format!("sig1={}", INPUT.replace(from, to)));
    for (from, to, why) in [
        (r#""@query" "#, "", Unreadable::Covers),
        (r#" "content-digest""#, "", Unreadable::Covers),
        (r#""@query""#, r#""@query" "@query""#, Unreadable::Component),
        (r#""@query""#, r#""@query" "@query-param";name="a""#, Unreadable::Component),
        (r#""@query""#, r#""@query" "@status""#, Unreadable::Component),
        (r#""@query""#, r#""@query" "x-none""#, Unreadable::Component),
        (r#""@query""#, r#""@query" "Date""#, Unreadable::Component),
        (r#"alg="ed25519""#, r#"alg="hmac-sha256""#, Unreadable::Parameter("alg=\"ed25519\"")),
        (r#"keyid="key_test""#, "keyid=7", Unreadable::Parameter("keyid")),
        (";created=1700000000", "", Unreadable::Parameter("created")),
        ("created=1700000000", "created=\"now\"", Unreadable::Parameter("created")),
        ("created=1700000000", "created=1700000000;expires=\"x\"", Unreadable::Parameter("expires")),
        (r#"nonce="AAAAAAAAAAAAAAAAAAAAAA""#, r#"nonce="""#, Unreadable::Parameter("nonce")),
    ] {
        assert_eq!(change(from, to), Err(why), "{from} -> {to}");
    }
    let nonce = |length: usize| change(&"A".repeat(22), &"A".repeat(length));
    assert!(nonce(128).is_ok());
    assert_eq!(nonce(129), Err(Unreadable::Parameter("nonce")));
    assert_eq!(with_input("sig1"), Err(Unreadable::Header("Signature-Input")));
    assert_eq!(with_input("(((("), Err(Unreadable::Header("Signature-Input")));
    assert_eq!(with_input(&format!("a={INPUT}, b={INPUT}")), Err(Unreadable::Several));
    assert!(with_input(&format!("proxy=(\"@method\"), sig1={INPUT}")).is_ok());
}
