//! A tenant is suspended and limited for the next request, and nothing of it is lost with the process.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Host, Reply, Request};

use crate::TXCO;

const SIGN: &str = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\", output_path = \"digest\"\n";

/// Applies one rule to the default tenant's only stack.
fn apply(host: &mut Host, rule: &str) {
    let at = "/v1/tenants/default/stacks/shop";
    let mut ask = |method: &str, rest: &str, body: &Value| {
        let reply = host.admin(&Request::new(method, &format!("{at}{rest}")).json(body));
        assert!(matches!(reply.status, 200 | 201), "{method} {rest}: {}", reply.text());
        reply.json()
    };
    let number = ask("POST", "/draft", &json!({}))["version_number"].as_u64().unwrap();
    let files = json!({ "files": [{ "path": "100/a.txcl", "content": rule }] });
    ask("PUT", &format!("/versions/{number}/files"), &files);
    ask("POST", "/activate", &json!({ "version_number": number }));
}

fn get(host: &mut Host) -> Reply {
    host.web(&Request::new("GET", "/").header("Host", "localhost"))
}

fn code(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn tenant(host: &mut Host, args: &[&str]) -> Value {
    let url = format!("http://{}", host.admin_address());
    let words = [&["auth", "tenant"], args, &["--url", &url, "--json"]].concat();
    serde_json::from_str(&host.txco(&words).succeeds()).unwrap()
}

#[test]
fn a_suspended_tenant_answers_nothing_and_opens_no_secret_until_it_is_resumed() {
    let mut host = Host::serve(TXCO).start();
    host.store("KEY");
    apply(&mut host, SIGN);
    let event = |host: &mut Host| host.event("/", &json!({ "a": 1 }));
    assert_eq!(event(&mut host).status, 200);

    let state = tenant(&mut host, &["suspend", "default", "--reason", "unpaid", "--status", "402"]);
    assert_eq!((&state["suspended"], &state["deny_status"]), (&json!(true), &json!(402)));
    for _ in 0..3 {
        let refused = event(&mut host);
        assert_eq!(code(&refused), (402, "tenant_suspended".to_owned()), "{}", refused.text());
        assert_eq!(refused.header("x-txc-deny-reason"), Some("unpaid"));
    }
    let metrics = host.admin(&Request::new("GET", "/metrics")).text();
    assert!(metrics.contains("tenant_suspended"), "{metrics}");
    // Uses are written down at a stop.
    host.stop();
    host.start();
    assert_eq!(event(&mut host).status, 402, "it is on the disk");
    let shown = host.admin(&Request::new("GET", "/v1/tenants/default/secrets/KEY"));
    assert_eq!(
        (shown.status, &shown.json()["secret"]["uses"]),
        (200, &json!(1)),
        "administration goes on, and no secret was opened: {}",
        shown.text()
    );

    let url = format!("http://{}", host.admin_address());
    let shown = host.txco(&["auth", "tenant", "runtime", "default", "--url", &url]).succeeds();
    assert!(shown.contains("suspended:    yes, answers 402: unpaid\n"), "{shown}");
    let resumed = tenant(&mut host, &["resume", "default"]);
    assert_eq!((&resumed["suspended"], resumed.get("deny_status")), (&json!(false), None));
    assert_eq!(event(&mut host).status, 200);
    let audit = host.admin(&Request::new("GET", "/v1/audit?limit=1000")).text();
    assert!(audit.contains("tenant.suspend") && audit.contains("tenant.resume"), "{audit}");
    let verdict = host.admin(&Request::new("GET", "/v1/audit/verify")).json();
    assert_eq!(verdict["ok"], json!(true), "{verdict}");
    host.finish();
}

#[test]
fn a_rate_lets_its_burst_through_and_says_when_to_come_again() {
    let mut host = Host::serve(TXCO).start();
    apply(&mut host, "EMIT .says = \"served\"\n");
    let state = tenant(&mut host, &["limits", "default", "--rate", "1", "--burst", "3"]);
    assert_eq!((&state["rate_limit_rps"], &state["rate_burst"]), (&json!(1), &json!(3)));
    let replies: Vec<_> = (0..12).map(|_| get(&mut host)).collect();
    let served = replies.iter().filter(|reply| reply.status == 200).count();
    assert!((3..=6).contains(&served), "{served} of 12 came in at once");
    let refused = replies.iter().find(|reply| reply.status != 200).unwrap();
    assert_eq!(code(refused), (429, "tenant_rate_limited".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    thread::sleep(Duration::from_millis(1200));
    assert_eq!(get(&mut host).status, 200);
    tenant(&mut host, &["limits", "default", "--rate", "0"]);
    assert!((0..12).all(|_| get(&mut host).status == 200), "0 ends a limit");
    host.finish();
}

#[test]
fn what_a_tenant_cannot_be_told_is_refused_with_a_reason() {
    let mut host = Host::serve(TXCO).start();
    for (rest, body, word) in [
        ("suspend", json!({ "status": 200 }), "status must be one of"),
        ("suspend", json!({ "reason": "a\nb" }), "in one line"),
        ("suspend", json!({ "reason": "x".repeat(201) }), "200 bytes"),
        ("limits", json!({}), "say a limit"),
        ("limits", json!({ "rate_limit_rps": 1_000_001 }), "0 to 1000000"),
    ] {
        let path = format!("/v1/tenants/default/{rest}");
        let reply = host.admin(&Request::new("POST", &path).json(&body));
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_runtime")), "{rest} {body}");
        assert!(reply.text().contains(word), "{}", reply.text());
    }
    let state = tenant(&mut host, &["runtime", "default"]);
    assert_eq!((&state["suspended"], &state["rate_limit_rps"]), (&json!(false), &json!(0)));
    host.finish();
}
