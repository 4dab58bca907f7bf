//! The description of the API against the API: neither knows a door that the other does not.

use super::*;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

async fn document(api: &Api) -> Value {
    let (status, document) = api.ask_with("GET", "/v1/openapi.json", "", &[]).await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    document
}

#[tokio::test]
async fn what_is_described_is_served_and_nothing_else() {
    let api = api();
    let document = document(&api).await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 8, "{} paths", paths.len());
    let mut doors = 0;
    for (path, described) in paths {
        let asked = path
            .replace("{slug}", "default")
            .replace("{name}", "K")
            .replace("{id}", "x")
            .replace("{actor}", "x")
            .replace("{version}", "1");
        for method in METHODS {
            // Without a Host header nobody comes further than the gate.
            let (status, body) = api.ask_with(method, &asked, "", &[]).await;
            let served = status != 405 && body != json!("404 page not found\n");
            let known = described.get(method.to_ascii_lowercase()).is_some();
            assert_eq!(served, known, "{method} {path}: {status} {body}");
            doors += usize::from(known);
        }
    }
    assert!(doors > 15, "{doors} doors");
    assert_eq!(api.ask("GET", "/v1/nothing", "").await, (404, json!("404 page not found\n")));
}

/// A door that is opened elsewhere would not be described.
#[test]
fn doors_are_opened_in_one_place() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("admin")).unwrap().map(|e| e.unwrap().path()).collect();
    files.push(folder.join("admin.rs"));
    files.retain(|file| file.extension().is_some_and(|end| end == "rs") && !file.ends_with("tests.rs"));
    assert!(files.len() > 5, "{files:?}");
    let opening = files.iter().filter(|file| std::fs::read_to_string(file).unwrap().contains(".route("));
    assert_eq!(opening.collect::<Vec<_>>(), [&folder.join("admin/doors.rs")]);
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document(&api()).await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let mut ids: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "{ids:?}");
}

/// What is really answered has only members that the description has.
#[tokio::test]
async fn replies_are_as_described() {
    let api = api();
    let document = document(&api).await;
    let put = at("/K");
    for (method, path, described, body) in [
        ("PUT", put.as_str(), "/v1/tenants/{slug}/secrets/{name}", r#"{"value":"v","description":"d"}"#),
        ("POST", SECRETS, "/v1/tenants/{slug}/secrets", r#"{"name":"L","value":"v","stack":"shop"}"#),
        ("GET", SECRETS, "/v1/tenants/{slug}/secrets", ""),
        ("GET", put.as_str(), "/v1/tenants/{slug}/secrets/{name}", ""),
        ("POST", "/v1/tenants", "/v1/tenants", r#"{"slug":"acme","name":"Acme"}"#),
        ("GET", "/v1/tenants", "/v1/tenants", ""),
        ("GET", "/v1/tenants/acme/runtime", "/v1/tenants/{slug}/runtime", ""),
        ("POST", "/v1/tenants/acme/limits", "/v1/tenants/{slug}/limits", r#"{"rate_limit_rps":5}"#),
        ("POST", "/v1/tenants/acme/suspend", "/v1/tenants/{slug}/suspend", r#"{"reason":"unpaid"}"#),
        ("POST", "/v1/tenants/acme/resume", "/v1/tenants/{slug}/resume", ""),
        ("GET", "/v1/tenants/default/secrets/K/versions", "/v1/tenants/{slug}/secrets/{name}/versions", ""),
        (
            "POST",
            "/v1/tenants/default/secrets/K/rotate",
            "/v1/tenants/{slug}/secrets/{name}/rotate",
            r#"{"value":"w"}"#,
        ),
        (
            "POST",
            "/v1/tenants/default/secrets/K/prune",
            "/v1/tenants/{slug}/secrets/{name}/prune",
            r#"{"keep":1}"#,
        ),
        ("DELETE", "/v1/tenants/default/secrets/K", "/v1/tenants/{slug}/secrets/{name}", ""),
        ("DELETE", "/v1/tenants/default/secrets/K/revoked", "/v1/tenants/{slug}/secrets/{name}/revoked", ""),
        (
            "POST",
            "/v1/tenants/default/secrets/import",
            "/v1/tenants/{slug}/secrets/import",
            r#"{"secrets":[{"name":"I","value":"v"}]}"#,
        ),
        (
            "POST",
            "/v1/tenants/default/explain",
            "/v1/tenants/{slug}/explain",
            r#"{"asks":[{"name":"I","for":"https://a.example/"}]}"#,
        ),
        ("GET", "/v1/tenants/default/ops", "/v1/tenants/{slug}/ops", ""),
        ("GET", "/v1/tenants/default/ops/none", "/v1/tenants/{slug}/ops/{name}", ""),
        ("GET", "/v1/audit", "/v1/audit", ""),
        ("GET", "/v1/audit/verify", "/v1/audit/verify", ""),
        ("POST", "/v1/audit/accept", "/v1/audit/accept", "{}"),
        ("POST", "/v1/audit/seen", "/v1/audit/seen", r#"{"value":"a value of some length"}"#),
        ("GET", "/readyz", "/readyz", ""),
        ("GET", "/auth/whoami", "/auth/whoami", ""),
        ("GET", "/v1/tenants/default/auth/members", "/v1/tenants/{slug}/auth/members", ""),
        ("GET", "/v1/tenants/default/secrets/NONE", "/v1/tenants/{slug}/secrets/{name}", ""),
    ] {
        let (status, reply) = api.ask(method, path, body).await;
        let operation = &document["paths"][described][method.to_ascii_lowercase()]["responses"];
        let response = operation.get(status.to_string()).unwrap_or_else(|| &operation["default"]);
        if status == 204 {
            assert_eq!((&reply, response.get("content")), (&json!(""), None), "{method} {path}");
            continue;
        }
        fits(
            &document,
            &reply,
            &response["content"]["application/json"]["schema"],
            &format!("{method} {path}"),
        );
    }
}

fn fits(document: &Value, value: &Value, schema: &Value, place: &str) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return fits(document, value, document.pointer(reference.strip_prefix('#').unwrap()).unwrap(), place);
    }
    // What may be absent is one of two.
    let other = schema.get("anyOf").and_then(Value::as_array).filter(|_| !value.is_null());
    if let Some(some) = other.and_then(|all| all.iter().find(|one| one["type"] != "null")) {
        return fits(document, value, some, place);
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let inner = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                let inner = inner.unwrap_or_else(|| panic!("{place}: {name} is not described"));
                if inner.is_object() {
                    fits(document, member, inner, &format!("{place} {name}"));
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fits(document, item, &schema["items"], place)),
        Value::String(_) => assert!(schema["type"].to_string().contains("string"), "{place}: {schema}"),
        Value::Number(_) => assert!(schema["type"].to_string().contains("integer"), "{place}: {schema}"),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Weakness A6 and R36: every door that says who comes through it turns everybody else away, and
/// a tenant's doors write down that they did.
#[tokio::test]
async fn every_door_turns_away_whoever_may_not_come_in() {
    let (api, ruler) = people::ruled().await;
    let nobody = people::invited(&api, &ruler, "acme", 7, &["dns:*:read"]).await;
    let document = document(&api).await;
    let mut turned_away = 0;
    for (path, described) in document["paths"].as_object().unwrap() {
        for (method, operation) in described.as_object().unwrap() {
            let Some(capability) = operation.get("x-txco-capability") else { continue };
            let asked = path.replace("{slug}", "acme").replace("{version}", "1").replace("{name}", "K");
            let asked = asked.replace("{id}", "x").replace("{actor}", "x");
            let asked: String = asked
                .split('/')
                .map(|part| if part.starts_with('{') { "1" } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let method = method.to_ascii_uppercase();
            let body =
                if method == "GET" { Value::Null } else { json!({ "name": "K", "slug": "x", "value": "v" }) };
            let (status, told) = nobody.asks(&api, &method, &asked, body).await;
            assert_eq!(
                (status, &told["error"]),
                (403, &json!("capability_denied")),
                "{method} {path} {capability}: {told}"
            );
            turned_away += 1;
        }
    }
    assert!(turned_away > 30, "{turned_away} doors");
    let (_, told) = ruler.asks(&api, "GET", "/v1/audit?limit=1000", Value::Null).await;
    let denied = told["rows"].as_array().unwrap().iter().filter(|row| row["outcome"] == "denied").count();
    assert!(denied > 25, "{denied} rows tell of it");
}
