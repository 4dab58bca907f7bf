//! The op natively: what vendors publish, rotations, and every line it may fail with.

use serde_json::Value as Json;
use txco_op::prelude::*;

use crate::sign;

fn vectors() -> Vec<Json> {
    let vectors: Json =
        serde_json::from_str(include_str!("../../../tests/vectors/webhooks/vendors.json")).unwrap();
    vectors["cases"].as_array().unwrap().clone()
}

fn vector(scheme: &str) -> Json {
    vectors().into_iter().find(|case| case["scheme"] == scheme).unwrap()
}

/// The message of a vector; the key is never revealed.
fn host(case: &Json) -> FakeHost {
    let of = |field: &str| case[field].as_str().unwrap_or_default();
    let host = FakeHost::new().secret("key", of("secret")).use_only("key").body(of("body"));
    let host = host.param("scheme", of("scheme")).param("id", of("id"));
    host.now_millis(of("timestamp").parse::<u64>().unwrap_or(7) * 1000 + 999)
}

fn signed(host: FakeHost) -> Json {
    let [field]: [Field; 1] = host.run(sign).unwrap().try_into().unwrap();
    assert_eq!((field.path.as_str(), field.class), ("@computed.webhook", Class::Digest));
    serde_json::from_str(field.value.as_text()).unwrap()
}

#[test]
fn it_signs_what_vendors_sign() {
    let cases = vectors();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let headers = signed(host(&case));
        // Stripe's v0 is not for receivers.
        let expected = case["signature"].as_str().unwrap().split(",v0=").next().unwrap();
        assert_eq!(headers["signature"], expected);
        for member in ["timestamp", "id"] {
            assert_eq!(headers.get(member), case.get(member), "{member} of {}", case["scheme"]);
        }
    }
}

#[test]
fn while_a_key_is_rotated_both_versions_sign_where_there_is_room() {
    let alone = |scheme: &str, secret: &str| {
        let mut case = vector(scheme);
        case["secret"] = secret.into();
        signed(host(&case))["signature"].as_str().unwrap().split(",v0=").next().unwrap().to_owned()
    };
    for scheme in ["stripe", "github", "slack", "standard-webhooks"] {
        let case = vector(scheme);
        let (new, old) = ("whsec_bmV3", case["secret"].as_str().unwrap());
        let rotated =
            FakeHost::new().secret("key", new).retiring("key", old).body(case["body"].as_str().unwrap());
        let rotated = rotated.param("scheme", scheme).param("id", case["id"].as_str().unwrap_or_default());
        let time = case["timestamp"].as_str().map_or(7, |time| time.parse::<u64>().unwrap());
        let both = signed(rotated.now_millis(time * 1000))["signature"].as_str().unwrap().to_owned();
        let (new, old) = (alone(scheme, new), alone(scheme, old));
        let expected = match scheme {
            "stripe" => [&new, ",", old.split_once(',').unwrap().1].concat(),
            "standard-webhooks" => [&new, " ", &old].concat(),
            _ => new,
        };
        assert_eq!(both, expected, "{scheme}");
    }
}

#[test]
fn an_id_is_made_where_the_scheme_has_one() {
    let case = vector("standard-webhooks");
    let made = || signed(host(&case).param("id", "").seed(7));
    let id = made()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("msg_") && id.len() == 36, "{id}");
    assert_eq!(made()["id"], id);
    assert_ne!(signed(host(&case).param("id", "").seed(8))["id"], id);
}

#[test]
fn its_failures_are_exact() {
    let of = |scheme: &str| host(&vector(scheme));
    let standard = || of("standard-webhooks");
    let whsec = "the secret in secrets.key is no such key: expected whsec_ and base64 after it";
    for (host, message) in [
        (FakeHost::new(), "missing scheme in WITH"),
        (
            of("slack").param("scheme", "x"),
            "unsupported scheme \"x\" (stripe|github|slack|standard-webhooks)",
        ),
        (FakeHost::new().param("scheme", "slack").body("x"), "missing secrets.key.secret in WITH"),
        (of("slack").param("input_path", "a"), "nothing to sign at input_path \"a\""),
        (of("slack").param("id", "a"), "only standard-webhooks has an id"),
        (standard().param("id", "a.b"), "id must be ASCII without a full stop"),
        (standard().param("id", "a\r\nb"), "id must be ASCII without a full stop"),
        (standard().secret("key", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), whsec),
    ] {
        let failure = host.run(sign).unwrap_err();
        assert_eq!(failure.message(), ["webhook-sign: ", message].concat());
        assert_eq!(failure.code(), "webhook-sign-err");
    }
}
