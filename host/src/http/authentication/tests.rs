//! Every way to be known, and every way not to be: one by one, over a real actor database.

use axum::http::Request;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use store::{NewActor, When};

use super::*;
use crate::request_signature::signed_headers;

const BODY: &[u8] = br#"{"name":"K","value":"v"}"#;
const HERE: &str = "127.0.0.1:5000";

struct Gate {
    authentication: Authentication,
    key_id: String,
    key: Ed25519KeyPair,
    _folder: tempfile::TempDir,
}

fn gate(mode: AuthMode, credentials: Option<(&str, &str)>) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    let actors = Actors::open(folder.path(), "dev").unwrap().0;
    let seed: Vec<u8> = (0..32).collect();
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let all = ["admin:all".to_owned()];
    let enrolled = actors
        .enrol(NewActor::default(), key.public_key().as_ref(), When::Always, ("tnt_default", &all))
        .unwrap();
    let credentials = credentials.and_then(|(user, password)| Credentials::new(user, password));
    let authentication =
        Authentication { mode, credentials, open: Until::Enrolment, actors: Arc::new(actors) };
    Gate { authentication, key_id: enrolled.key_id, key, _folder: folder }
}

impl Gate {
    fn now() -> i64 {
        Timestamp::now().as_second()
    }

    /// The headers of a signed POST, made at `created`.
    fn headers(&self, key_id: &str, created: i64) -> Vec<(&'static str, String)> {
        let header = |_: &str| None;
        let message = Message {
            method: "POST",
            path: "/v1/tenants/default/secrets",
            query: None,
            authority: "localhost:8081",
            header: &header,
        };
        let sign = |base: &[u8]| Ok::<_, ()>(self.key.sign(base).as_ref().to_vec());
        let signed = signed_headers(&message, BODY, (key_id, created), sign).unwrap().unwrap();
        [("host", "localhost:8081".to_owned()), ("content-type", "application/json".to_owned())]
            .into_iter()
            .chain(signed)
            .collect()
    }

    fn ask(&self, headers: &[(&str, String)], body: &[u8]) -> Result<Actor, String> {
        let mut request = Request::builder().method("POST").uri("/v1/tenants/default/secrets");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let proven = self.authentication.of(&parts, Payload::Present, HERE.parse().unwrap());
        let actor = proven.and_then(|proven| self.authentication.settle(proven, body));
        actor.map_err(|error| error.code().to_owned())
    }

    fn signed(&self, created: i64) -> Result<Actor, String> {
        self.ask(&self.headers(&self.key_id, created), BODY)
    }

    fn basic(&self, value: &str) -> Result<Actor, String> {
        let headers = [("host", "localhost"), ("content-type", "application/json"), ("authorization", value)];
        self.ask(&headers.map(|(name, value)| (name, value.to_owned())), BODY)
    }

    fn bare(&self) -> Result<Actor, String> {
        self.ask(&[("host", "localhost".to_owned()), ("content-type", "application/json".to_owned())], BODY)
    }
}

fn code(text: &str) -> Result<Actor, String> {
    Err(text.to_owned())
}

#[test]
fn a_signature_is_believed_within_five_minutes_of_our_clock() {
    let gate = gate(AuthMode::Signed, None);
    let actor = gate.signed(Gate::now()).unwrap();
    assert!(
        matches!(&actor, Actor::Enrolled(who) if who.key_id == gate.key_id && who.memberships.len() == 1)
    );
    // A second of slack: the clock goes on between the two looks at it.
    for near in [-(SKEW - 1), SKEW - 1] {
        assert_eq!(gate.signed(Gate::now() + near).as_ref(), Ok(&actor), "{near}");
    }
    for far in [-(SKEW + 1), SKEW + 2, i64::from(i32::MIN)] {
        assert_eq!(gate.signed(Gate::now() + far), code("timestamp_out_of_range"), "{far}");
    }
}

/// Weakness A3: a captured request is good once, and a request that does not hold burns nothing.
#[test]
fn a3_only_a_signature_that_holds_spends_its_nonce() {
    let gate = gate(AuthMode::Both, None);
    let headers = gate.headers(&gate.key_id, Gate::now());
    let mut forged = headers.clone();
    for (name, value) in &mut forged {
        if *name == "signature" {
            *value = format!("sig1=:{}:", STANDARD.encode([0; 64]));
        }
    }
    assert_eq!(gate.ask(&forged, BODY), code("invalid_signature"));
    assert_eq!(gate.ask(&headers, b"{}"), code("invalid_content_digest"));
    assert!(gate.ask(&headers, BODY).is_ok(), "neither of them burned the nonce");
    assert_eq!(gate.ask(&headers, BODY), code("nonce_replay"));
}

#[test]
fn keys_and_actors_that_are_none() {
    let gate = gate(AuthMode::Signed, None);
    assert_eq!(gate.ask(&gate.headers("key_nobody", Gate::now()), BODY), code("unknown_key"));
    assert_eq!(gate.bare(), code("missing_signature_headers"));
    assert_eq!(gate.basic("Basic Og=="), code("invalid_signature"));
    let mut half = gate.headers(&gate.key_id, Gate::now());
    half.retain(|(name, _)| *name != "signature");
    assert_eq!(gate.ask(&half, BODY), code("missing_signature_headers"));
    let actors = &gate.authentication.actors;
    actors.revoke_key(store::By::Local, &gate.key_id).unwrap();
    assert_eq!(gate.signed(Gate::now()), code("revoked_key"));
    let known = actors.known(&gate.key_id).unwrap().unwrap();
    let again = actors.add_key(&known.actor.id, gate.key.public_key().as_ref()).unwrap();
    assert!(gate.ask(&gate.headers(&again, Gate::now()), BODY).is_ok());
    actors.revoke_actor(store::By::Local, "-", &known.actor.id).unwrap();
    assert_eq!(gate.ask(&gate.headers(&again, Gate::now()), BODY), code("revoked_key"));
}

/// Weakness A1: where no credentials are set, no credentials are right; above all not empty ones.
#[test]
fn a1_empty_credentials_are_never_right() {
    let empty = format!("Basic {}", STANDARD.encode(":"));
    for mode in [AuthMode::Basic, AuthMode::Both] {
        for set in [None, Some(("", "")), Some(("admin", "")), Some(("", "secret"))] {
            let gate = gate(mode, set);
            for sent in [empty.clone(), format!("Basic {}", STANDARD.encode("admin:")), "Basic".to_owned()] {
                assert_eq!(gate.basic(&sent), code("invalid_signature"), "{mode:?} {set:?} {sent}");
            }
        }
    }
}

#[test]
fn the_right_credentials_are_right_where_they_count() {
    let right = format!("basic  {}", STANDARD.encode("admin:a:b"));
    for (mode, expected) in [
        (AuthMode::Basic, Ok(Actor::Basic)),
        (AuthMode::Both, Ok(Actor::Basic)),
        (AuthMode::Signed, code("invalid_signature")),
    ] {
        let gate = gate(mode, Some(("admin", "a:b")));
        assert_eq!(gate.basic(&right), expected, "{mode:?}");
        assert_eq!(gate.basic(&format!("Basic {}", STANDARD.encode("admin:a:c"))), code("invalid_signature"));
        assert_eq!(gate.bare(), code("missing_signature_headers"), "with credentials nothing is open");
        let signed = gate.signed(Gate::now());
        assert_eq!(signed.is_ok(), mode != AuthMode::Basic, "{mode:?}: {signed:?}");
    }
}

#[test]
fn open_access_ends_with_the_first_actor_and_never_begins_for_others() {
    let mut gate = gate(AuthMode::Both, None);
    assert_eq!(gate.bare(), code("missing_signature_headers"), "somebody is enrolled");
    gate.authentication.open = Until::Forever;
    assert_eq!(gate.bare(), Ok(Actor::Open));
    gate.authentication.open = Until::Never;
    assert_eq!(gate.bare(), code("missing_signature_headers"));
}
