//! The description of the API against the API: neither knows a door that the other does not.

use std::collections::BTreeSet;

use super::*;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

async fn document(api: &Api) -> Value {
    let (status, document) = api.ask_with("GET", "/v1/openapi.json", "", &[]).await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    document
}

/// The paths that a router serves, as it tells of itself.
fn paths_of(router: &Router) -> BTreeSet<String> {
    let told = format!("{router:?}");
    let quoted = told.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with('/')).map(str::to_owned).collect()
}

/// Every door that is served and not described, or described and not served; and how many agree.
async fn disagreements(api: &Api, document: &Value) -> (Vec<String>, usize) {
    let described = document["paths"].as_object().unwrap();
    let served = paths_of(&api.router);
    assert!(served.contains("/v1/tenants/{slug}/secrets/{name}"), "no router tells of itself: {served:?}");
    let (mut wrong, mut doors) = (Vec::new(), 0);
    for path in served.iter().chain(described.keys()).collect::<BTreeSet<_>>() {
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
            let known = described.get(path).and_then(|path| path.get(method.to_ascii_lowercase())).is_some();
            match (served, known) {
                (true, true) => doors += 1,
                (true, false) => wrong.push(format!("{method} {path} is served and not described")),
                (false, true) => wrong.push(format!("{method} {path} is described and not served")),
                (false, false) => {}
            }
        }
    }
    (wrong, doors)
}

#[tokio::test]
async fn what_is_described_is_served_and_nothing_else() {
    let api = api();
    let mut document = document(&api).await;
    let (wrong, doors) = disagreements(&api, &document).await;
    assert!(wrong.is_empty() && doors > 40, "{doors} doors; {wrong:#?}");
    assert_eq!(api.ask("GET", "/v1/nothing", "").await, (404, json!("404 page not found\n")));

    // It is a check in both directions: of paths, and of methods.
    let hidden = || axum::routing::get(async || "hidden").post(async || "hidden");
    let with = Api { router: api.router.clone().route("/v1/hidden", hidden()), ..api };
    document["paths"]["/v1/tenants"].as_object_mut().unwrap().remove("post");
    document["paths"]["/v1/nothing"] = json!({ "get": {} });
    document["paths"]["/v1/audit"]["put"] = json!({});
    let (wrong, _) = disagreements(&with, &document).await;
    assert_eq!(
        wrong,
        [
            "PUT /v1/audit is described and not served",
            "GET /v1/hidden is served and not described",
            "POST /v1/hidden is served and not described",
            "GET /v1/nothing is described and not served",
            "POST /v1/tenants is served and not described",
        ]
    );
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
    let (put, policy) = (at("/K"), at("/K/policy"));
    for (method, path, described, body) in [
        ("PUT", put.as_str(), "/v1/tenants/{slug}/secrets/{name}", r#"{"value":"v","description":"d"}"#),
        ("POST", SECRETS, "/v1/tenants/{slug}/secrets", r#"{"name":"L","value":"v","stack":"shop"}"#),
        ("GET", SECRETS, "/v1/tenants/{slug}/secrets", ""),
        ("GET", put.as_str(), "/v1/tenants/{slug}/secrets/{name}", ""),
        ("PUT", policy.as_str(), "/v1/tenants/{slug}/secrets/{name}/policy", r#"{"purposes":["use"]}"#),
        ("PUT", policy.as_str(), "/v1/tenants/{slug}/secrets/{name}/policy", r#"{"hosts":["a.example"]}"#),
        (
            "PUT",
            policy.as_str(),
            "/v1/tenants/{slug}/secrets/{name}/policy",
            r#"{"purposes":["use"],"ops":["txco://hmac-sign"]}"#,
        ),
        (
            "POST",
            "/v1/tenants/default/secrets/K/rotate",
            "/v1/tenants/{slug}/secrets/{name}/rotate",
            r#"{"value":"u","overlap":"1h"}"#,
        ),
        ("POST", "/v1/tenants", "/v1/tenants", r#"{"slug":"acme","name":"Acme"}"#),
        ("GET", "/v1/tenants", "/v1/tenants", ""),
        ("GET", "/v1/tenants/acme/runtime", "/v1/tenants/{slug}/runtime", ""),
        ("POST", "/v1/tenants/acme/limits", "/v1/tenants/{slug}/limits", r#"{"rate_limit_rps":5}"#),
        ("POST", "/v1/tenants/acme/settings", "/v1/tenants/{slug}/settings", r#"{"secrets_use":"explicit"}"#),
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
        let schema = &response["content"]["application/json"]["schema"];
        let told = fits(&document, &reply, schema, &format!("{method} {path}"));
        assert_eq!(told, Ok(()), "{reply}");
    }
}

/// Whether a value is one of what a schema describes, or why not.
fn fits(document: &Value, value: &Value, schema: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let meant = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return fits(document, value, meant, place);
    }
    if let Some(all) = schema.get("anyOf").and_then(Value::as_array) {
        let wrong: Vec<_> = all.iter().filter_map(|one| fits(document, value, one, place).err()).collect();
        return if wrong.len() < all.len() { Ok(()) } else { Err(wrong.join(" and ")) };
    }
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        // A schema that says nothing.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![kind],
    };
    if !kinds.contains(&kind) {
        return Err(format!("{place} is of type {kind}, described as {kinds:?}"));
    }
    match value {
        Value::Object(members) => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            if let Some(name) = required.into_iter().find(|name| !members.contains_key(*name)) {
                return Err(format!("{place} has no {name}"));
            }
            members.iter().try_for_each(|(name, member)| {
                let inner = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                let inner = inner.ok_or_else(|| format!("{place} {name} is not described"))?;
                if inner == false {
                    return Err(format!("{place} {name} is not described"));
                }
                fits(document, member, inner, &format!("{place} {name}"))
            })
        }
        Value::Array(items) => {
            items.iter().try_for_each(|item| fits(document, item, &schema["items"], place))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => Ok(()),
    }
}

/// A check that finds nothing wrong with anything would be no check.
#[test]
fn what_does_not_fit_is_told() {
    let document = json!({ "components": { "one": { "type": "object", "required": ["a"], "properties": {
        "a": { "type": ["integer", "null"] },
        "ops": { "anyOf": [
            { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
            { "type": "null" },
        ] },
    } } } });
    let one = json!({ "$ref": "#/components/one" });
    let told = |value: Value| fits(&document, &value, &one, "it").err().unwrap_or_default();
    for fine in [json!({ "a": 1 }), json!({ "a": null, "ops": "x" }), json!({ "a": 1, "ops": ["x"] })] {
        assert_eq!(told(fine.clone()), "", "{fine}");
    }
    assert_eq!(told(json!({})), "it has no a");
    assert_eq!(told(json!({ "a": 1, "b": 1 })), "it b is not described");
    assert_eq!(told(json!({ "a": "1" })), "it a is of type string, described as [\"integer\", \"null\"]");
    assert!(
        told(json!({ "a": 1, "ops": [1] })).contains("it ops is of type integer, described as [\"string\"]")
    );
    assert!(told(json!({ "a": 1, "ops": { "x": 1 } })).contains("it ops is of type object"));
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
