//! The admin API answers as its specification says, and only to this machine.

use serde_json::{Value, json};
use support::{Canary, Host, Request};

use crate::TXCO;

const SECRETS: &str = "/v1/tenants/default/secrets";

#[test]
fn a_secret_goes_through_its_life() {
    let mut host = Host::serve(TXCO).start();
    let canary = host.canary("value");
    let body = json!({ "name": "A_KEY", "value": canary.text(), "description": "d" });
    let made = host.admin(&Request::new("POST", SECRETS).json(&body));
    assert_eq!(made.status, 201, "{}", made.text());
    let record = &made.json()["secret"];
    assert_eq!(
        (&record["name"], &record["version_no"], &record["key_version"]),
        (&json!("A_KEY"), &json!(1), &json!(1))
    );
    assert!(record["secret_id"].as_str().unwrap().starts_with("sec_"), "{record}");
    assert!(record.get("stack").is_none() && record.get("value").is_none(), "{record}");

    let again = host.admin(&Request::new("POST", SECRETS).json(&body));
    assert_eq!((again.status, &again.json()["error"]), (409, &json!("secret_exists")));
    let rotated = host.admin(
        &Request::new("POST", &format!("{SECRETS}/A_KEY/rotate")).json(&json!({ "value": "new value" })),
    );
    assert_eq!((rotated.status, &rotated.json()["secret"]["version_no"]), (200, &json!(2)));
    let patched =
        host.admin(&Request::new("PATCH", &format!("{SECRETS}/A_KEY")).json(&json!({ "description": "e" })));
    assert_eq!((patched.status, &patched.json()["secret"]["description"]), (200, &json!("e")));
    let list = host.admin(&Request::new("GET", SECRETS)).json();
    assert_eq!(list["secrets"].as_array().unwrap().len(), 1);
    let deleted = host.admin(
        &Request::new("DELETE", &format!("{SECRETS}/A_KEY")).header("Content-Type", "application/json"),
    );
    assert_eq!((deleted.status, deleted.body.len()), (204, 0), "{}", deleted.text());
    assert_eq!(host.admin(&Request::new("GET", SECRETS)).json(), json!({ "secrets": [] }));
    host.finish();
}

#[test]
fn generated_values_are_shown_once() {
    let mut host = Host::serve(TXCO).start();
    for (path, status, body) in [
        (format!("{SECRETS}/generate"), 201, json!({ "name": "A_KEY" })),
        (format!("{SECRETS}/A_KEY/rotate-generated"), 200, json!({ "byte_len": 32 })),
    ] {
        let reply = host.admin(&Request::new("POST", &path).json(&body));
        assert_eq!(reply.status, status, "{}", reply.text());
        let value = reply.json()["value"].as_str().unwrap().to_owned();
        assert_eq!(value.len(), 43);
        let canary = Canary::found(&path, value.as_bytes());
        host.guard(&canary);
        host.allow(&canary, "admin reply", 1);
    }
    let show = host.admin(&Request::new("GET", &format!("{SECRETS}/A_KEY"))).json();
    assert!(show["secret"].is_object() && show.get("value").is_none());
    host.finish();
}

#[test]
fn mistakes_have_codes() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let post = |path: &str, body: Value| Request::new("POST", path).json(&body);
    let cases = [
        (post(SECRETS, json!({ "value": "v" })), 400, "missing_name"),
        (post(SECRETS, json!({ "name": "B", "value": "" })), 400, "empty_value"),
        (post(SECRETS, json!({ "name": "a b", "value": "v" })), 400, "invalid_name"),
        (
            Request::new("POST", SECRETS).header("Content-Type", "application/json").body("{"),
            400,
            "invalid_body",
        ),
        (Request::new("GET", "/v1/tenants/default/secrets/NO_SUCH"), 404, "secret_not_found"),
        (Request::new("GET", "/v1/tenants/nobody/secrets"), 404, "tenant_not_found"),
        (
            Request::new("PATCH", &format!("{SECRETS}/A_KEY")).json(&json!({ "name": "B" })),
            400,
            "name_immutable",
        ),
    ];
    for (request, status, code) in cases {
        let reply = host.admin(&request);
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (status, &json!(code)),
            "{} {}",
            request.method,
            request.target
        );
    }
    for length in [0_i64, -1, 4097] {
        let reply =
            host.admin(&post(&format!("{SECRETS}/generate"), json!({ "name": "L", "byte_len": length })));
        // 0 means the default of 32; what is no length is the caller's mistake.
        assert!(reply.status == 400 || (length == 0 && reply.status == 201), "{length}: {}", reply.text());
        if let Some(value) = reply.json()["value"].as_str() {
            let canary = Canary::found("default length", value.as_bytes());
            host.guard(&canary);
            host.allow(&canary, "admin reply", 1);
        }
    }
    host.finish();
}

/// R32: a page in the operator's browser, or a proxy beside the chassis, is not the operator.
#[test]
fn open_access_is_for_this_machine_and_no_browser() {
    let mut host = Host::serve(TXCO).start();
    let port = host.admin_address().port();
    let get = || Request::new("GET", SECRETS);
    for good in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(host.admin(&get().header("Host", &good)).status, 200, "{good}");
    }
    let suspicious = [
        get().header("Host", "chassis.example"),
        get().header("Host", "localhost.chassis.example"),
        get().header("Origin", "http://localhost:3000"),
        get().header("X-Forwarded-For", "10.0.0.1"),
        get().header("Forwarded", "for=10.0.0.1"),
        get().header("X-Real-IP", "10.0.0.1"),
        Request::new("POST", SECRETS)
            .header("Content-Type", "text/plain")
            .body("{\"name\":\"A\",\"value\":\"v\"}"),
        Request::new("POST", SECRETS).body("{\"name\":\"A\",\"value\":\"v\"}"),
    ];
    for request in suspicious {
        let reply = host.admin(&request);
        assert!(matches!(reply.status, 401 | 403 | 415), "{:?}: {}", request.headers, reply.text());
    }
    assert_eq!(host.admin(&get()).json(), json!({ "secrets": [] }), "nothing was stored");
    host.finish();
}

#[test]
fn admin_actions_are_logged_by_name() {
    let mut host = Host::serve(TXCO).start();
    host.store("STRIPE_API_KEY");
    let line = host.wait_log("INFO secret_action");
    for field in ["actor_id=", "tenant_id=tnt_", "secret_name=STRIPE_API_KEY", "action=", "outcome=ok"] {
        assert!(line.contains(field), "{field}: {line}");
    }
    host.finish();
}
