//! The admin API over a real store and vault: statuses, codes and bodies, one by one.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use chassis::{Chassis, Parts, Trace};
use sandbox::{CodeCache, Limits, Sandbox};
use serde_json::{Value, json};
use store::{Actors, Options, Store};
use tower::ServiceExt as _;
use vault::{MasterKey, Vault};

use super::secrets::{Call, Verb};
use super::*;
use crate::admin::{Actor, AdminError, Applied, Checking, OpBounds, Ops, SecretBounds, ServedFrom};
use crate::config::{AuthMode, LogLevel};
use crate::http::authentication::{Secret, Until};
use crate::op_signature::Signers;

mod people;
mod described;

/// Whether the secret store is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    On,
    Off,
}

struct Api {
    router: Router,
    _folder: tempfile::TempDir,
}

fn api_of(key: Key) -> Api {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
    let store = Arc::new(store);
    let vault = (key == Key::On).then(|| {
        let mut key = *b"0123456789abcdef0123456789abcdef";
        let key = MasterKey::from_bytes(&mut key).ok().unwrap();
        Arc::new(Vault::open(Arc::clone(&store), key).ok().unwrap().0)
    });
    let ops = ops_over(&store);
    let ready = || async { axum::Json(json!({ "status": "ready" })) };
    let readiness = Router::new()
        .route("/readyz", axum::routing::get(ready))
        .route("/_txc/readyz", axum::routing::get(ready));
    let metrics = Router::new().route("/metrics", axum::routing::get(ready));
    let router = router(head_of(&folder, store, vault, ops), Aside { readiness, metrics });
    Api { router, _folder: folder }
}

/// Open until somebody is enrolled, with a given secret to enrol by.
fn head_of(
    folder: &tempfile::TempDir,
    store: Arc<Store>,
    vault: Option<Arc<Vault>>,
    ops: Arc<Ops>,
) -> AdminHead {
    let actors = Arc::new(Actors::open(folder.path(), "dev").unwrap().0);
    let authentication = Authentication {
        mode: AuthMode::Both,
        credentials: None,
        open: Until::Enrolment,
        actors: Arc::clone(&actors),
    };
    let (from, unbound) = (ServedFrom::Database, chassis::Unbound::Lone);
    let applied = Applied::new(Arc::clone(&store), Arc::clone(&ops), from, unbound, None);
    let checking = Checking { mode: txcl::Mode::Strict, secrets_use: store::SecretsUse::Explicit };
    let applying = (Arc::new(applied), checking);
    let admin = Admin::new(store, vault.into(), ops, applying, actors, SecretBounds::default());
    let secret = EnrolSecret::Given(Secret::new(b"open sesame"));
    AdminHead::new(admin, authentication, secret, Throttle::new(10, Duration::from_secs(60)))
}

/// Ops that are really compiled, at most 64 KiB and two per tenant.
fn ops_over(store: &Arc<Store>) -> Arc<Ops> {
    let parts = Parts {
        vault: vault::LateVault::default(),
        sandbox: Sandbox::new(Limits::default(), CodeCache::Off).unwrap(),
        egress: egress::Client::new(egress::Settings::default()).unwrap(),
        trace: Trace::off(),
        settings: chassis::Settings::default(),
    };
    let chassis = Arc::new(Chassis::new(parts).unwrap());
    let bounds = OpBounds { size: 64 << 10, count: 2, limits: Limits::default() };
    Arc::new(Ops::new(Arc::clone(store), chassis, bounds, Signers::default()))
}

fn api() -> Api {
    api_of(Key::On)
}

impl Api {
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask_with(method, path, body, &[("host", "localhost:8081"), ("content-type", "application/json")])
            .await
    }

    async fn ask_with(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5000))));
        let reply = self.router.clone().oneshot(request).await.unwrap();
        let status = reply.status().as_u16();
        let bytes = to_bytes(reply.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into()))
    }

    async fn code(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let (status, body) = self.ask(method, path, body).await;
        (status, body.get("error").and_then(Value::as_str).unwrap_or_default().to_owned())
    }
}

const SECRETS: &str = "/v1/tenants/default/secrets";

fn at(rest: &str) -> String {
    format!("{SECRETS}{rest}")
}

#[tokio::test]
async fn a_secrets_life() {
    let api = api();
    assert_eq!(api.ask("GET", SECRETS, "").await, (200, json!({ "secrets": [] })));
    let (status, created) =
        api.ask("POST", SECRETS, r#"{"name":"K","value":"v1","unknown":1} trailing"#).await;
    assert_eq!(status, 201);
    let record = created.get("secret").unwrap();
    let members: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        ["secret_id", "tenant_id", "name", "created_at", "key_version", "version_no", "versions"]
    );
    assert_eq!(record.get("tenant_id").unwrap(), "tnt_default");
    assert_eq!(record.get("version_no").unwrap(), 1);

    let (status, rotated) = api.ask("POST", &at("/K/rotate"), r#"{"value":"v2"}"#).await;
    assert_eq!((status, rotated.pointer("/secret/version_no")), (200, Some(&json!(2))));
    let (status, minted) = api.ask("POST", &at("/K/rotate-generated"), "").await;
    assert_eq!((status, minted.pointer("/secret/version_no")), (200, Some(&json!(3))));
    assert_eq!(minted.get("value").unwrap().as_str().unwrap().len(), 43);
    let (status, described) = api.ask("PATCH", &at("/K"), r#"{"description":"<d> & é"}"#).await;
    assert_eq!((status, described.pointer("/secret/description")), (200, Some(&json!("<d> & é"))));
    assert_eq!(api.ask("PATCH", &at("/K"), "").await.1.pointer("/secret/description"), None);
    let (status, shown) = api.ask("GET", &at("/K"), "").await;
    assert_eq!((status, shown.pointer("/secret/last_rotated_at").is_some()), (200, true));
    assert_eq!(api.ask("DELETE", &at("/K"), "").await, (204, json!("")));
    assert_eq!(api.code("GET", &at("/K"), "").await, (404, "secret_not_found".to_owned()));
    assert_eq!(api.code("DELETE", &at("/K"), "").await, (404, "secret_not_found".to_owned()));
}

/// Weakness S2: new or not, it is one step, and the description is kept or replaced with it.
#[tokio::test]
async fn put_is_one_step_for_new_and_old() {
    let api = api();
    let (status, body) = api.ask("PUT", &at("/K"), r#"{"value":"a","description":"d"}"#).await;
    assert_eq!((status, body.pointer("/secret/version_no")), (201, Some(&json!(1))));
    let (status, body) = api.ask("PUT", &at("/K"), r#"{"value":"b"}"#).await;
    assert_eq!((status, body.pointer("/secret/version_no")), (200, Some(&json!(2))));
    assert_eq!(body.pointer("/secret/description"), Some(&json!("d")), "a description not given stays");
    let (_, body) = api.ask("PUT", &at("/K"), r#"{"value":"c","description":"e"}"#).await;
    assert_eq!(body.pointer("/secret/description"), Some(&json!("e")));
    let (status, body) = api.ask("PUT", &at("/K"), r#"{"value":"x","stack":"shop"}"#).await;
    assert_eq!((status, body.pointer("/secret/stack")), (201, Some(&json!("shop"))));
    let (status, _) = api.ask("PUT", &at("/BYTES"), r#"{"value_b64":"/wAB"}"#).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn generate_is_a_verb_only_for_post() {
    let api = api();
    let (status, minted) = api.ask("POST", &at("/generate"), r#"{"name":"G","byte_len":1}"#).await;
    assert_eq!((status, minted.get("value").unwrap().as_str().unwrap().len()), (201, 2));
    assert_eq!(api.code("GET", &at("/generate"), "").await, (404, "secret_not_found".to_owned()));
    assert_eq!(api.ask("PUT", &at("/generate"), r#"{"value":"v"}"#).await.0, 201);
    assert_eq!(api.ask("GET", &at("/generate"), "").await.0, 200);
    assert_eq!(api.ask("POST", &at("/generate/rotate"), r#"{"value":"v"}"#).await.0, 200);
    assert_eq!(api.ask("DELETE", &at("/generate"), "").await.0, 204);
}

#[tokio::test]
async fn what_is_wrong_has_a_status_and_a_code() {
    let api = api();
    api.ask("POST", SECRETS, r#"{"name":"K","value":"v"}"#).await;
    let SecretBounds { value, description } = SecretBounds::default();
    let (long, wordy) = ("x".repeat(value + 1), "x".repeat(description + 1));
    let huge = format!("\"{}\"", "x".repeat(MAX_BODY));
    let cases = [
        ("POST", "", "{".to_owned(), 400, "invalid_body"),
        ("POST", "", String::new(), 400, "invalid_body"),
        ("POST", "", r#"{"name":5,"value":"v"}"#.to_owned(), 400, "invalid_body"),
        ("POST", "", r#"{"name":"N","value":"v","value_b64":"dg=="}"#.to_owned(), 400, "invalid_body"),
        ("POST", "", r#"{"name":"N","value_b64":"!"}"#.to_owned(), 400, "invalid_body"),
        ("POST", "", r#"{"value":"v"}"#.to_owned(), 400, "missing_name"),
        ("POST", "/generate", "{}".to_owned(), 400, "missing_name"),
        ("POST", "", r#"{"name":"N","value":""}"#.to_owned(), 400, "empty_value"),
        ("POST", "/K/rotate", r#"{"value":""}"#.to_owned(), 400, "empty_value"),
        ("POST", "", r#"{"name":"1N","value":"v"}"#.to_owned(), 400, "invalid_name"),
        ("GET", "/1N", String::new(), 400, "invalid_name"),
        ("PATCH", "/1N", r#"{"description":""}"#.to_owned(), 400, "invalid_name"),
        ("DELETE", "/1N", String::new(), 400, "invalid_name"),
        ("POST", "/1N/rotate", r#"{"value":"v"}"#.to_owned(), 400, "invalid_name"),
        ("PATCH", "/K", r#"{"name":null}"#.to_owned(), 400, "name_immutable"),
        ("PATCH", "/K", r#"{"description":5}"#.to_owned(), 400, "invalid_body"),
        ("POST", "", r#"{"name":"N","value":"v","stack":"a b"}"#.to_owned(), 400, "invalid_stack"),
        ("GET", "/K?stack=a%20b", String::new(), 400, "invalid_stack"),
        ("GET", "/K?stack=shop", String::new(), 404, "secret_not_found"),
        ("POST", "/generate", r#"{"name":"N","byte_len":4097}"#.to_owned(), 400, "invalid_byte_len"),
        ("POST", "/generate", r#"{"name":"N","byte_len":-1}"#.to_owned(), 400, "invalid_byte_len"),
        ("POST", "/K/rotate-generated", r#"{"byte_len":4097}"#.to_owned(), 400, "invalid_byte_len"),
        ("POST", "", r#"{"name":"K","value":"v"}"#.to_owned(), 409, "secret_exists"),
        ("POST", "/generate", r#"{"name":"K"}"#.to_owned(), 409, "secret_exists"),
        ("POST", "/NONE/rotate", r#"{"value":"v"}"#.to_owned(), 404, "secret_not_found"),
        ("POST", "", json!({"name": "N", "value": long}).to_string(), 413, "value_too_large"),
        ("PUT", "/K", json!({"value": "v", "description": wordy}).to_string(), 422, "description_too_long"),
        ("POST", "", huge, 413, "body_too_large"),
    ];
    for (method, path, body, status, code) in cases {
        let shown: String = body.chars().take(60).collect();
        assert_eq!(
            api.code(method, &at(path), &body).await,
            (status, code.to_owned()),
            "{method} {path} {shown}"
        );
    }
    let (_, version) = api.ask("GET", &at("/K"), "").await;
    assert_eq!(version.pointer("/secret/version_no"), Some(&json!(1)), "nothing above changed it");
}

#[tokio::test]
async fn the_largest_value_passes_however_it_is_escaped() {
    let api = api();
    let escaped = "\\u0001".repeat(SecretBounds::default().value);
    let body = format!(r#"{{"name":"K","value":"{escaped}"}}"#);
    assert_eq!(api.ask("POST", SECRETS, &body).await.0, 201);
}

/// Weaknesses S3 and S4: sizes are bounded, on every verb that stores, and never a 500.
#[tokio::test]
async fn s3_s4_at_its_bound_a_size_passes_and_one_above_it_is_told() {
    let api = api();
    let bounds = SecretBounds::default();
    assert_eq!((bounds.value, bounds.description), (64 << 10, 1 << 10));
    let value = |more: usize| "v".repeat(bounds.value + more);
    let text = |more: usize| "d".repeat(bounds.description + more);
    api.ask("POST", SECRETS, r#"{"name":"K","value":"v"}"#).await;
    for (method, path, body) in [
        ("POST", "", json!({ "name": "A", "value": value(0), "description": text(0) })),
        ("PUT", "/K", json!({ "value": value(0), "description": text(0) })),
        ("POST", "/K/rotate", json!({ "value": value(0) })),
        ("POST", "/generate", json!({ "name": "G", "byte_len": 4096, "description": text(0) })),
        ("PATCH", "/K", json!({ "description": text(0) })),
    ] {
        let (status, _) = api.ask(method, &at(path), &body.to_string()).await;
        assert!(matches!(status, 200 | 201), "{method} {path}: {status}");
    }
    for (method, path, body, status) in [
        ("POST", "", json!({ "name": "B", "value": value(1) }), 413),
        ("POST", "", json!({ "name": "B", "value": "v", "description": text(1) }), 422),
        ("PUT", "/K", json!({ "value": value(1) }), 413),
        ("PUT", "/K", json!({ "value": "v", "description": text(1) }), 422),
        ("POST", "/K/rotate", json!({ "value": value(1) }), 413),
        ("POST", "/generate", json!({ "name": "B", "description": text(1) }), 422),
        ("PATCH", "/K", json!({ "description": text(1) }), 422),
    ] {
        let (found, code) = api.code(method, &at(path), &body.to_string()).await;
        let expected = if status == 413 { "value_too_large" } else { "description_too_long" };
        assert_eq!((found, code.as_str()), (status, expected), "{method} {path}");
    }
}

/// 1 MiB of values is stored in one step, however it is escaped, and one byte more is not.
#[tokio::test]
async fn an_import_has_its_bound_and_one_byte_above_it_stores_nothing() {
    let api = api();
    let value = "v".repeat(SecretBounds::default().value);
    let secrets = |more: Option<&str>| {
        let whole = (0..16).map(|n| json!({ "name": format!("K{n}"), "value": value }));
        let more = more.into_iter().map(|value| json!({ "name": "MORE", "value": value }));
        json!({ "secrets": whole.chain(more).collect::<Vec<_>>() }).to_string()
    };
    assert_eq!(16 * value.len(), crate::admin::MAX_IMPORT_BYTES);
    let over = api.code("POST", &at("/import"), &secrets(Some("v"))).await;
    assert_eq!(over, (413, "body_too_large".to_owned()));
    assert_eq!(api.ask("GET", SECRETS, "").await, (200, json!({ "secrets": [] })));
    let (status, stored) = api.ask("POST", &at("/import"), &secrets(None)).await;
    assert_eq!((status, &stored["created"]), (200, &json!(16)));
}

/// R37: the values of a secret that is revoked can be destroyed, all of them, also the newest.
#[tokio::test]
async fn what_is_revoked_can_be_destroyed() {
    let api = api();
    let gone = at("/K/revoked");
    assert_eq!(api.code("DELETE", &gone, "").await, (404, "secret_not_found".to_owned()));
    for round in 1..=2 {
        api.ask("PUT", &at("/K"), r#"{"value":"a value of some length"}"#).await;
        api.ask("PUT", &at("/K"), r#"{"value":"another value of it"}"#).await;
        assert_eq!(api.code("DELETE", &gone, "").await.0, if round == 1 { 404 } else { 200 });
        api.ask("DELETE", &at("/K"), "").await;
    }
    api.ask("PUT", &at("/K"), r#"{"value":"in use now"}"#).await;
    let (status, told) = api.ask("DELETE", &gone, "").await;
    assert_eq!((status, told["destroyed"].as_array().unwrap().len()), (200, 2));
    assert_eq!(api.ask("GET", &at("/K"), "").await.0, 200, "what is in use stays");
    assert_eq!(api.ask("DELETE", &gone, "").await.1, json!({ "destroyed": [] }));
    let seen = api.ask("POST", "/v1/audit/seen", r#"{"value":"a value of some length"}"#).await;
    assert_eq!(seen, (200, json!({ "seen": [] })), "nor is it remembered");
    let (_, verdict) = api.ask("GET", "/v1/audit/verify", "").await;
    assert_eq!(verdict["ok"], json!(true), "{verdict}");
}

#[tokio::test]
async fn a_complaint_never_repeats_a_value() {
    let api = api();
    for body in [
        r#"{"name":"N","byte_len":"s3cret"}"#,
        r#"{"name":["s3cret"]}"#,
        r#"{"s3cret"#,
        r#"{"value":{"s3cret":1}}"#,
    ] {
        let (status, reply) = api.ask("POST", SECRETS, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(!reply.to_string().contains("s3cret"), "{reply}");
    }
}

#[tokio::test]
async fn without_a_key_the_store_says_so_before_it_reads() {
    let api = api_of(Key::Off);
    let hint = "set --secret-master-key on the chassis (or TXCO_SECRET_MASTER_KEY in env)";
    let expected = json!({ "error": "secret_store_unavailable", "detail": { "hint": hint } });
    assert_eq!(api.ask("POST", SECRETS, "{").await, (503, expected.clone()));
    assert_eq!(api.ask("GET", SECRETS, "").await, (503, expected));
    assert_eq!(api.code("GET", "/v1/tenants/nobody/secrets", "").await, (404, "tenant_not_found".to_owned()));
}

#[tokio::test]
async fn tenants() {
    let api = api();
    let (status, made) = api.ask("POST", "/v1/tenants", r#"{"slug":"acme","name":"Acme"}"#).await;
    assert_eq!(
        (status, made.get("slug"), made.get("name")),
        (201, Some(&json!("acme")), Some(&json!("Acme")))
    );
    let (_, all) = api.ask("GET", "/v1/tenants", "").await;
    let slugs: Vec<_> =
        all["tenants"].as_array().unwrap().iter().map(|t| t["slug"].as_str().unwrap()).collect();
    assert!(slugs.contains(&"acme") && slugs.contains(&"default"), "{slugs:?}");
    for (slug, status, code) in [
        ("acme", 409, "tenant_slug_taken"),
        ("_x", 400, "reserved_slug"),
        ("A b", 400, "invalid_slug"),
        ("", 400, "invalid_slug"),
    ] {
        let body = json!({ "slug": slug }).to_string();
        assert_eq!(api.code("POST", "/v1/tenants", &body).await, (status, code.to_owned()), "{slug}");
    }
    api.ask("POST", "/v1/tenants/acme/secrets", r#"{"name":"K","value":"v"}"#).await;
    assert_eq!(
        api.code("GET", &at("/K"), "").await,
        (404, "secret_not_found".to_owned()),
        "tenants do not see each other"
    );
    let (status, reply) = api.ask("GET", "/v1/tenants/no%2Fbody/secrets", "").await;
    assert_eq!(
        (status, reply),
        (404, json!({ "error": "tenant_not_found", "detail": { "slug": "no/body" } }))
    );
}

#[tokio::test]
async fn the_gate_stands_before_everything() {
    let api = api();
    let page =
        [("host", "localhost"), ("origin", "http://evil.example"), ("content-type", "application/json")];
    for (method, path) in
        [("GET", SECRETS), ("POST", "/v1/tenants"), ("GET", "/v1/tenants"), ("DELETE", &at("/K"))]
    {
        let (status, reply) = api.ask_with(method, path, "", &page).await;
        assert_eq!(
            (status, reply["error"].as_str().unwrap()),
            (401, "missing_signature_headers"),
            "{method} {path}"
        );
        assert!(reply["message"].as_str().unwrap().contains("Origin"), "{reply}");
    }
    let form = [("host", "localhost"), ("content-type", "text/plain")];
    let (status, reply) = api.ask_with("POST", SECRETS, r#"{"name":"K","value":"v"}"#, &form).await;
    assert_eq!((status, reply["error"].as_str().unwrap()), (415, "json_required"));
    assert_eq!(api.ask_with("GET", "/healthz", "", &page).await, (200, json!("ok\n")));
}

#[tokio::test]
async fn open_access_ends_with_the_first_actor() {
    let api = api();
    let actors = rusqlite::Connection::open(api._folder.path().join("auth-dev.db")).unwrap();
    assert_eq!(api.ask("GET", SECRETS, "").await.0, 200);
    let insert = "INSERT INTO actors (actor_id, created_at) VALUES ('actor_1', '2026-01-01T00:00:00Z')";
    actors.execute_batch(insert).unwrap();
    let (status, told) = api.ask("GET", SECRETS, "").await;
    assert_eq!((status, &told["error"]), (401, &json!("missing_signature_headers")));
    assert!(told["message"].as_str().unwrap().contains("sign the request"), "{told}");
    actors.execute_batch("UPDATE actors SET revoked_at = '2026-01-01T00:00:00Z'").unwrap();
    assert_eq!(api.ask("GET", SECRETS, "").await.0, 200);
    actors.execute_batch("ALTER TABLE actors RENAME TO gone").unwrap();
    assert_eq!(
        api.code("GET", SECRETS, "").await,
        (401, "missing_signature_headers".to_owned()),
        "unknown is closed"
    );
}

#[test]
fn each_action_leaves_its_line() {
    let api = api();
    let asked = |verb, name: &str, body: Result<&'static [u8], AdminError>| {
        let call = Call {
            verb,
            slug: "default".to_owned(),
            name: (!name.is_empty()).then(|| name.to_owned()),
            version: None,
            stack: None,
        };
        (call, body.map(|body| (Actor::Open, Bytes::from_static(body))))
    };
    let calls = [
        asked(Verb::Create, "", Ok(br#"{"name":"K","value":"s3cret"}"#)),
        asked(Verb::List, "", Ok(b"")),
        asked(Verb::Show, "NONE", Ok(b"")),
        asked(Verb::Show, "K\nINFO forged", Ok(b"")),
        asked(Verb::Revoke, "K", Err(AdminError::Denied(crate::admin::Denial::Origin))),
    ];
    let folder = &api._folder;
    let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
    let store = Arc::new(store);
    let key = MasterKey::from_bytes(&mut b"0123456789abcdef0123456789abcdef".to_vec()).ok().unwrap();
    let vault = Arc::new(Vault::open(Arc::clone(&store), key).ok().unwrap().0);
    let ops = ops_over(&store);
    let head = head_of(folder, store, Some(vault), ops);
    let lines = crate::telemetry::logged(LogLevel::Info, || {
        for (call, body) in calls {
            head.recorded(body, call.deed(), |head, actor, body, deed| call.perform(head, actor, body, deed))
                .ok();
        }
    });
    let line = |tenant, name, action, outcome| {
        let actor = if outcome == "denied" { "-" } else { "open" };
        format!(
            "INFO secret_action actor_id={actor} tenant_id={tenant} secret_name={name} action={action} outcome={outcome}"
        )
    };
    assert_eq!(
        lines,
        [
            line("tnt_default", "K", "create", "ok"),
            line("tnt_default", "-", "list", "ok"),
            line("tnt_default", "NONE", "show", "secret_not_found"),
            line("tnt_default", "-", "show", "invalid_name"),
            line("-", "K", "revoke", "denied"),
        ]
    );
}
