//! A key is rotated with an overlap: what verifies takes both versions until it ends, what signs
//! takes the newest; with the embedded ops, and versions of a real vault.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use model::{Envelope, Value};
use sandbox::{Limits, Op};
use serde_json::{Value as Json, json};
use vault::Credentials;

use crate::bench::{Secrets, input};
use crate::builtins::built;

const OLD: &[u8] = b"the first key, of 32 bytes at least";
const NEW: &[u8] = b"the other key, of 32 bytes at least";
const NOW: u64 = 1_700_000_000_000;
const HOUR: Duration = Duration::from_secs(3600);

/// What signs, what verifies it, and how a rule calls them: each in all of its builds.
struct Pair {
    signs: &'static str,
    verifies: &'static [&'static str],
    params: Json,
    /// The envelope in which the verifying op finds what was signed.
    signed: fn(&Json) -> Json,
    /// What that op says when `retiring` or the newest version matched, or none.
    said: fn(Matched) -> Json,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Matched {
    Newest,
    Retiring,
    None,
}

/// How a document says it, and why not.
fn verdict(matched: Matched, reason: &str) -> Json {
    match matched {
        Matched::None => json!({ "valid": false, "reason": reason }),
        Matched::Retiring => json!({ "valid": true, "retiring": true }),
        Matched::Newest => json!({ "valid": true, "retiring": false }),
    }
}

fn pairs() -> Vec<Pair> {
    let webhook = |scheme: &str| Pair {
        signs: "webhook-sign.use.wasm",
        verifies: &["webhook-verify.use.wasm"],
        params: json!({
            "scheme": scheme, "id": if scheme == "standard-webhooks" { "msg_1" } else { "" }, "key_encoding": "text",
            "signature_path": "h.signature", "timestamp_path": "h.timestamp", "id_path": "h.id",
        }),
        signed: |signed| json!({ "h": signed }),
        said: |matched| verdict(matched, "mismatch"),
    };
    let mac = Pair {
        signs: "hmac-sign.wasm",
        verifies: &["hmac-verify.wasm", "hmac-verify.use.wasm"],
        params: json!({ "expected_path": "mac" }),
        signed: |mac| json!({ "mac": mac }),
        said: |matched| json!(matched != Matched::None),
    };
    let token = Pair {
        signs: "jwt-sign.use.wasm",
        verifies: &["jwt-verify.use.wasm"],
        params: json!({ "algorithm": "HS256", "visible": true, "token_path": "token" }),
        signed: |token| json!({ "token": token }),
        said: |matched| verdict(matched, "bad-signature"),
    };
    let schemes = ["stripe", "github", "slack", "standard-webhooks"].map(webhook);
    [mac, token].into_iter().chain(schemes).collect()
}

/// The one field that `op` returns, with the key `KEY`.
fn call(secrets: &Secrets, op: &Op, params: &Json, envelope: &Json) -> Json {
    let mut input = input(NOW);
    input.params = Arc::new(Value::parse(params.to_string().as_bytes()).unwrap());
    let mut envelope = Envelope::new(Value::parse(envelope.to_string().as_bytes()).unwrap()).unwrap();
    envelope.receive_body(Value::from("as received"), Arc::from(&b"{\"n\": 1}"[..]));
    input.envelope = Arc::new(envelope);
    let bags = secrets.pack(op, &[("key", "KEY")]);
    let output = op.call(input, bags, &Credentials::new()).unwrap();
    let [(_, field)]: [_; 1] = output.fields.into_iter().collect::<Vec<_>>().try_into().unwrap();
    serde_json::from_str(&field.to_json()).unwrap()
}

/// What the verdict says of the key; a token's is with its claims.
fn of_the_key(mut said: Json) -> Json {
    if let Some(said) = said.as_object_mut() {
        said.retain(|name, _| ["valid", "retiring", "reason"].contains(&name.as_str()));
    }
    said
}

/// What has to be said of something signed with the old version: before the rotation, while both
/// versions are in use, and after that.
#[test]
fn both_versions_verify_until_the_overlap_ends_and_the_newest_signs() {
    for Pair { signs, verifies, params, signed, said } in pairs() {
        let secrets = Secrets::new();
        secrets.store("KEY", OLD);
        let of_new_alone = Secrets::new();
        of_new_alone.store("KEY", NEW);
        let [signer, _] = built(signs, Limits::default());
        let sign = |secrets: &Secrets| signed(&call(secrets, &signer, &params, &json!({})));
        let by_old = sign(&secrets);
        let ways: Vec<Op> = verifies.iter().flat_map(|file| built(file, Limits::default())).collect();
        let expect = |when: &str, envelope: &Json, matched: Matched| {
            for op in &ways {
                let verdict = of_the_key(call(&secrets, op, &params, envelope));
                assert_eq!(verdict, said(matched), "{} {params} {when}", op.reference());
            }
        };
        expect("before", &by_old, Matched::Newest);

        secrets.rotate("KEY", NEW, Some(HOUR));
        let by_new = sign(&of_new_alone);
        expect("by the old one, meanwhile", &by_old, Matched::Retiring);
        expect("by the new one, meanwhile", &by_new, Matched::Newest);
        // Only Stripe and Standard Webhooks have room for two signatures.
        let both = ["stripe", "standard-webhooks"].contains(&params["scheme"].as_str().unwrap_or_default());
        let now = sign(&secrets);
        assert_eq!(now == by_new, !both, "{signs} {params}: {now}");
        expect("as it is signed now", &now, Matched::Newest);

        // A rotation of its own ends the overlap, and begins one that is over soon.
        secrets.rotate("KEY", OLD, Some(Duration::from_secs(1)));
        expect("by the one of then", &by_old, Matched::Newest);
        thread::sleep(Duration::from_millis(2_100));
        expect("after its end", &by_new, Matched::None);
        assert_eq!(sign(&secrets), by_old, "{signs} {params}: one version signs");

        secrets.rotate("KEY", NEW, Some(HOUR));
        secrets.rotate("KEY", b"a third key, which has 32 bytes as well", None);
        expect("after a rotation without one", &by_new, Matched::None);
        expect("two rotations ago", &by_old, Matched::None);
    }
}
