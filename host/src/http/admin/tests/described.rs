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
        ("GET", "/v1/tenants/default/secrets/NONE", "/v1/tenants/{slug}/secrets/{name}", ""),
    ] {
        let (status, reply) = api.ask(method, path, body).await;
        let operation = &document["paths"][described][method.to_ascii_lowercase()]["responses"];
        let response = operation.get(status.to_string()).unwrap_or_else(|| &operation["default"]);
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
