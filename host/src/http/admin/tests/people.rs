//! People over HTTP: enrolled, invited, granted, revoked, each within what they have and where they belong.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::request_signature::{Message, signed_headers};

/// Somebody with a key.
pub(super) struct Somebody {
    key: Ed25519KeyPair,
    actor: String,
    key_id: String,
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> String {
    STANDARD.encode(key(seed).public_key())
}

impl Somebody {
    fn of(seed: u8, identity: &Value) -> Self {
        let text = |member: &str| identity[member].as_str().unwrap().to_owned();
        Self { key: key(seed), actor: text("actor_id"), key_id: text("key_id") }
    }

    pub(super) async fn asks(&self, api: &Api, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (path_only, query) =
            path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let header = |_: &str| None;
        let message = Message { method, path: path_only, query, authority: "far.example", header: &header };
        let when = (self.key_id.as_str(), jiff::Timestamp::now().as_second());
        let sign = |base: &[u8]| Ok::<_, ()>(self.key.sign(base).as_ref().to_vec());
        let signed = signed_headers(&message, body.as_bytes(), when, sign).unwrap().unwrap();
        let mut headers = vec![("host", "far.example"), ("origin", "http://any.example")];
        headers.extend(signed.iter().map(|(name, value)| (*name, value.as_str())));
        api.ask_with(method, path, &body, &headers).await
    }

    async fn code(&self, api: &Api, method: &str, path: &str, body: Value) -> (u16, String) {
        let (status, body) = self.asks(api, method, path, body).await;
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    }
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn enrol(api: &Api, secret: &str, body: &str) -> (u16, Value) {
    let headers = [("host", "far.example"), ("x-txco-enroll-secret", secret)];
    api.ask_with("POST", "/auth/dev/enroll", body, &headers).await
}

/// A chassis whose first actor rules all, with a tenant `acme` beside `default`.
pub(super) async fn ruled() -> (Api, Somebody) {
    let api = api();
    api.ask("POST", "/v1/tenants", r#"{"slug":"acme"}"#).await;
    let (status, identity) =
        enrol(&api, "open sesame", &json!({ "public_key_b64": public(1) }).to_string()).await;
    assert_eq!(status, 200, "{identity}");
    let ruler = Somebody::of(1, &identity);
    let actors = rusqlite::Connection::open(api._folder.path().join("auth-dev.db")).unwrap();
    actors.execute_batch("UPDATE actors SET super_admin = 1").unwrap();
    (api, ruler)
}

/// Somebody whom `host` invited into `tenant`.
pub(super) async fn invited(api: &Api, host: &Somebody, tenant: &str, seed: u8, caps: &[&str]) -> Somebody {
    let path = format!("/v1/tenants/{tenant}/auth/invitations");
    let (status, invitation) =
        host.asks(api, "POST", &path, json!({ "label": "x", "capabilities": caps })).await;
    assert_eq!(status, 200, "{invitation}");
    let body = json!({ "token": invitation["token"], "public_key_b64": public(seed) }).to_string();
    let (status, identity) =
        api.ask_with("POST", "/auth/invitations/consume", &body, &[("host", "any")]).await;
    assert_eq!((status, &identity["tenant_slug"]), (200, &json!(tenant)), "{identity}");
    Somebody::of(seed, &identity)
}

#[tokio::test]
async fn enrolment_says_what_is_wrong() {
    let api = api();
    let good = json!({ "public_key_b64": public(1) });
    assert_eq!(enrol(&api, "wrong", &good.to_string()).await.0, 401);
    assert_eq!(enrol(&api, "", &good.to_string()).await.1["error"], "invalid_enrollment_secret");
    for (body, why) in [
        ("{".to_owned(), "invalid JSON body"),
        (json!({ "public_key_b64": public(1), "more": 1 }).to_string(), "invalid JSON body"),
        (json!({ "public_key_b64": public(1), "algorithm": "rsa" }).to_string(), "unsupported algorithm"),
        (json!({ "public_key_b64": "AAAA" }).to_string(), "invalid public key"),
    ] {
        let (status, reply) = enrol(&api, "open sesame", &body).await;
        assert_eq!((status, &reply["error"]), (400, &json!(why)), "{body}");
    }
    let url_safe = URL_SAFE_NO_PAD.encode(key(1).public_key());
    let (status, identity) =
        enrol(&api, "open sesame", &json!({ "public_key_b64": url_safe }).to_string()).await;
    assert_eq!((status, &identity["capabilities"]), (200, &json!(["admin:all"])));
    assert_eq!((&identity["tenant_slug"], &identity["super_admin"]), (&json!("default"), &json!(false)));
    let (status, taken) = enrol(&api, "open sesame", &good.to_string()).await;
    assert_eq!(
        (status, &taken["error"], &taken["detail"]["actor_id"]),
        (409, &json!("key_already_enrolled"), &identity["actor_id"])
    );
}

/// Weakness A5: the lists of a tenant are that tenant's.
#[tokio::test]
async fn a5_a_tenant_lists_its_own_people() {
    let (api, ruler) = ruled().await;
    let ann = invited(&api, &ruler, "acme", 2, &["admin:all"]).await;
    let actors = |reply: &Value, list: &str| -> Vec<String> {
        let all = reply[list].as_array().unwrap();
        all.iter().map(|one| one["actor_id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    for list in ["members", "actors"] {
        let (_, reply) = ann.asks(&api, "GET", &format!("/v1/tenants/acme/auth/{list}"), Value::Null).await;
        assert_eq!(actors(&reply, list), std::slice::from_ref(&ann.actor), "{list}");
        let denied = ann.code(&api, "GET", &format!("/v1/tenants/default/auth/{list}"), Value::Null).await;
        assert_eq!(denied, is(403, "capability_denied"));
    }
    let (_, here) = ruler.asks(&api, "GET", "/v1/tenants/acme/auth/invitations", Value::Null).await;
    assert_eq!(here["invitations"][0]["status"], "consumed");
    let (_, there) = ruler.asks(&api, "GET", "/v1/tenants/default/auth/invitations", Value::Null).await;
    assert_eq!(there["invitations"], json!([]));
    let id = here["invitations"][0]["invitation_id"].as_str().unwrap();
    let path = format!("/v1/tenants/default/auth/invitations/{id}/revoke");
    assert_eq!(ruler.code(&api, "POST", &path, Value::Null).await, is(404, "invitation_not_found"));
    let (_, tenants) = ann.asks(&api, "GET", "/v1/tenants", Value::Null).await;
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 1);

    // Nor can she revoke whoever is not hers alone.
    let revoke = |who: &str| format!("/v1/tenants/acme/auth/actors/{who}/revoke");
    assert_eq!(ann.code(&api, "POST", &revoke(&ruler.actor), Value::Null).await, is(404, "actor_not_found"));
    let both = invited(&api, &ruler, "acme", 3, &["secret:*:read"]).await;
    assert_eq!(
        invited(&api, &ruler, "default", 3, &["secret:*:read"]).await.actor,
        both.actor,
        "one actor for one key"
    );
    assert_eq!(ann.code(&api, "POST", &revoke(&both.actor), Value::Null).await, is(403, "capability_denied"));
    let only = invited(&api, &ann, "acme", 4, &["secret:*:read"]).await;
    assert_eq!(ann.asks(&api, "POST", &revoke(&only.actor), Value::Null).await.0, 200);
    assert_eq!(only.code(&api, "GET", "/auth/whoami", Value::Null).await, is(401, "revoked_key"));
    assert_eq!(ann.code(&api, "POST", &revoke(&ann.actor), Value::Null).await, is(409, "self_revoke"));
    let sure = format!("{}?self=true", revoke(&ann.actor));
    assert_eq!(ann.asks(&api, "POST", &sure, Value::Null).await.0, 200);
}

/// Weakness A6: a list has what one may read, and each name is asked for.
#[tokio::test]
async fn a6_each_name_is_asked_for() {
    let (api, ruler) = ruled().await;
    for name in ["STRIPE_A", "STRIPE_B", "OTHER"] {
        let made =
            ruler.asks(&api, "POST", "/v1/tenants/acme/secrets", json!({ "name": name, "value": "v" })).await;
        assert_eq!(made.0, 201);
    }
    let ann = invited(&api, &ruler, "acme", 2, &["secret:STRIPE_*:read", "secret:STRIPE_A:write"]).await;
    let (_, list) = ann.asks(&api, "GET", "/v1/tenants/acme/secrets", Value::Null).await;
    let names: Vec<_> =
        list["secrets"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["STRIPE_A", "STRIPE_B"]);
    let value = || json!({ "value": "w" });
    let named = |name: &str| json!({ "name": name, "value": "w" });
    for (method, path, body, expected) in [
        ("GET", "/STRIPE_B", Value::Null, 200),
        ("GET", "/OTHER", Value::Null, 403),
        ("GET", "/NOT_THERE", Value::Null, 403),
        ("PUT", "/STRIPE_A", value(), 200),
        ("PUT", "/STRIPE_B", value(), 403),
        ("POST", "/STRIPE_A/rotate", value(), 200),
        ("POST", "/STRIPE_B/rotate", value(), 403),
        ("POST", "/STRIPE_B/rotate-generated", Value::Null, 403),
        ("PATCH", "/STRIPE_B", json!({ "description": "d" }), 403),
        ("DELETE", "/STRIPE_B", Value::Null, 403),
        ("POST", "", named("OTHER"), 403),
        ("POST", "", named("NEW"), 403),
        ("POST", "/generate", json!({ "name": "NEW" }), 403),
        ("POST", "/import", json!({ "secrets": [named("STRIPE_A")] }), 200),
        ("POST", "/import", json!({ "secrets": [named("STRIPE_A"), named("NEW")] }), 403),
        ("DELETE", "/STRIPE_A", Value::Null, 204),
    ] {
        let (status, reply) = ann.asks(&api, method, &format!("/v1/tenants/acme/secrets{path}"), body).await;
        assert_eq!(status, expected, "{method} {path}: {reply}");
    }
    for (method, path) in [
        ("GET", "/v1/tenants/acme/ops"),
        ("DELETE", "/v1/tenants/acme/ops/x"),
        ("PUT", "/v1/tenants/acme/ops/x"),
    ] {
        assert_eq!(
            ann.code(&api, method, path, Value::Null).await,
            is(403, "capability_denied"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn grants_stay_within_what_the_granter_has() {
    let (api, ruler) = ruled().await;
    let ann = invited(&api, &ruler, "acme", 2, &["actor:*:*", "secret:STRIPE_*:*"]).await;
    let top = invited(&api, &ruler, "acme", 3, &["admin:all"]).await;
    let members = "/v1/tenants/acme/auth/members";
    let give = |who: &str, caps: &[&str]| json!({ "actor_id": who, "capabilities": caps });
    for (body, expected) in [
        (give("", &["secret:STRIPE_A:read"]), is(400, "actor_id_required")),
        (give(&ann.actor, &[]), is(400, "capabilities_required")),
        (give(&ann.actor, &["kv:*:*"]), is(400, "unknown_capability")),
        (give(&ann.actor, &["secret"]), is(400, "unknown_capability")),
        (give(&ann.actor, &["admin:all"]), is(403, "capability_exceeds_granter")),
        (give(&ann.actor, &["secret:*:read"]), is(403, "capability_exceeds_granter")),
        (give("actor_none", &["secret:STRIPE_A:read"]), is(404, "actor_not_found")),
        (give(&top.actor, &["secret:STRIPE_A:read"]), is(403, "capability_exceeds_granter")),
        (give(&ruler.actor, &["secret:STRIPE_A:read"]), is(200, "")),
    ] {
        assert_eq!(ann.code(&api, "POST", members, body.clone()).await, expected, "{body}");
    }
    let invite = "/v1/tenants/acme/auth/invitations";
    for (body, expected) in [
        (json!({}), is(403, "capability_exceeds_granter")),
        (json!({ "capabilities": ["secret:STRIPE_A:read"], "ttl": "168h" }), is(200, "")),
        (json!({ "capabilities": ["secret:STRIPE_A:read"], "ttl": "604801s" }), is(400, "invalid_ttl")),
        (json!({ "capabilities": ["secret:STRIPE_A:read"], "ttl": "soon" }), is(400, "invalid_ttl")),
    ] {
        assert_eq!(ann.code(&api, "POST", invite, body.clone()).await, expected, "{body}");
    }
    let path = format!("{members}/{}", top.actor);
    assert_eq!(ann.asks(&api, "DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(ann.code(&api, "DELETE", &path, Value::Null).await, is(404, "actor_not_found"));
}

#[tokio::test]
async fn keys_are_ones_own() {
    let (api, ruler) = ruled().await;
    let ann = invited(&api, &ruler, "acme", 2, &["secret:*:read"]).await;
    let (status, added) = ann.asks(&api, "POST", "/auth/keys", json!({ "public_key_b64": public(9) })).await;
    assert_eq!((status, added["actor_id"].as_str()), (200, Some(ann.actor.as_str())));
    let second = Somebody::of(9, &added);
    let revoke = |id: &str| format!("/auth/keys/{id}/revoke");
    assert_eq!(ann.code(&api, "POST", &revoke(&ruler.key_id), Value::Null).await, is(404, "key_not_found"));
    assert_eq!(ann.code(&api, "POST", &revoke("key_none"), Value::Null).await, is(404, "key_not_found"));
    let (status, revoked) = second.asks(&api, "POST", &revoke(&ann.key_id), Value::Null).await;
    assert_eq!((status, revoked), (200, json!({ "revoked": true, "key_id": ann.key_id })));
    assert_eq!(ann.code(&api, "GET", "/auth/whoami", Value::Null).await, is(401, "revoked_key"));
    let (_, who) = second.asks(&api, "GET", "/auth/whoami", Value::Null).await;
    assert_eq!(who["memberships"][0]["capabilities"], json!(["secret:*:read"]));
    assert_eq!(who.get("super_admin"), None);
}

/// Nobody can leave a chassis without somebody who rules everything.
#[tokio::test]
async fn the_last_super_admin_stays() {
    let (api, ruler) = ruled().await;
    let revoke = format!("/v1/tenants/acme/auth/actors/{}/revoke?self=true", ruler.actor);
    let (status, told) = ruler.asks(&api, "POST", &revoke, Value::Null).await;
    assert_eq!((status, &told["error"]), (409, &json!("last_super_admin")));
    assert!(told["message"].as_str().unwrap().contains("enrol another one"), "{told}");
    let key = format!("/auth/keys/{}/revoke", ruler.key_id);
    assert_eq!(ruler.code(&api, "POST", &key, Value::Null).await, is(409, "last_super_admin"));
    assert_eq!(ruler.asks(&api, "GET", "/auth/whoami", Value::Null).await.0, 200);
    // Changes of people are in the chain of people; what was refused is in the other.
    let (_, people) = ruler.asks(&api, "GET", "/v1/audit?chain=people&after=0", Value::Null).await;
    let rows = people["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["chain"] == "people"), "{people}");
    let (_, all) = ruler.asks(&api, "GET", "/v1/audit?action=actor", Value::Null).await;
    let outcomes: Vec<_> = all["rows"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert!(outcomes.contains(&&json!("last_super_admin")) && outcomes.contains(&&json!("ok")), "{all}");
    // This test made them a super-admin by SQL, and that is found.
    let (_, verdict) = ruler.asks(&api, "GET", "/v1/audit/verify", Value::Null).await;
    assert_eq!(verdict["people"]["unexplained"][0], format!("not told: actor {} super_admin", ruler.actor));
    assert_eq!(verdict["ok"], json!(false));
    ruler.asks(&api, "POST", "/v1/audit/accept", json!({})).await;
    let (_, verdict) = ruler.asks(&api, "GET", "/v1/audit/verify", Value::Null).await;
    assert_eq!((&verdict["ok"], &verdict["people"]["ok"]), (&json!(true), &json!(true)), "{verdict}");
}

#[tokio::test]
async fn a_body_about_people_has_a_bound() {
    let (api, ruler) = ruled().await;
    let padded = |length: usize| {
        let body = json!({ "actor_id": "actor_none", "capabilities": ["secret:*:read"], "pad": "" });
        let pad = "x".repeat(length - body.to_string().len());
        json!({ "actor_id": "actor_none", "capabilities": ["secret:*:read"], "pad": pad })
    };
    let members = "/v1/tenants/acme/auth/members";
    let most = super::super::people::MAX_BODY;
    assert_eq!(ruler.code(&api, "POST", members, padded(most)).await, is(404, "actor_not_found"));
    assert_eq!(ruler.code(&api, "POST", members, padded(most + 1)).await, is(413, "body_too_large"));
}

#[tokio::test]
async fn routes_of_the_past_say_where_they_went() {
    let api = api();
    for (method, path) in [
        ("GET", "/v1/ops"),
        ("POST", "/v1/ops/import"),
        ("GET", "/auth/actors"),
        ("POST", "/auth/invitations"),
    ] {
        let (status, reply) = api.ask_with(method, path, "", &[]).await;
        assert_eq!((status, &reply["error"]), (410, &json!("gone")), "{method} {path}");
        assert!(reply["message"].as_str().unwrap().contains("/v1/tenants/{slug}"), "{reply}");
    }
}
