//! Chassis that share a database: what is changed through one of them, the others follow.

use serde_json::{Value, json};
use support::{Host, Request};

use crate::TXCO;
use crate::op_push::{AUTH, digest};

const SHOP: &str = "/v1/tenants/default/stacks/shop";

/// Two processes on one database and one key; `flags` are those of the second.
fn two(flags: &[&str]) -> [Host; 2] {
    let mut one = Host::serve(TXCO).start();
    one.store("KEY");
    let folder = one.path("chassis/data");
    let (db, key) = (folder.join("db"), folder.join("secrets/txco-master.key"));
    let two = Host::serve(TXCO)
        .flags(&["--db-root-dir", db.to_str().unwrap(), "--secret-master-key", key.to_str().unwrap()])
        .flags(flags);
    [one, two.start()]
}

fn ask(host: &mut Host, method: &str, path: &str, body: &Value) -> Value {
    let reply = host.admin(&Request::new(method, path).json(body));
    assert!(matches!(reply.status, 200 | 201), "{method} {path}: {}", reply.text());
    reply.json()
}

/// Applies one rule to a stack of the default tenant.
fn apply(host: &mut Host, rule: &str) {
    let number = ask(host, "POST", &format!("{SHOP}/draft"), &json!({}))["version_number"].clone();
    let files = json!({ "files": [{ "path": "100/a.txcl", "content": rule }] });
    ask(host, "PUT", &format!("{SHOP}/versions/{number}/files"), &files);
    ask(host, "POST", &format!("{SHOP}/activate"), &json!({ "version_number": number }));
}

fn says(text: &str) -> String {
    format!(
        "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\", output_path = \"digest\"\nEMIT .says = \"{text}\"\n"
    )
}

/// What its web head answers at a host: status, and what the rule says.
fn answer(host: &mut Host, name: &str) -> (u16, Value) {
    let reply = host.web(&Request::new("POST", "/").header("Host", name).json(&json!({ "a": 1 })));
    (reply.status, reply.json()["says"].clone())
}

const RULES: &str = "changed elsewhere: applied rules";

#[test]
fn what_is_changed_through_one_the_other_follows_without_a_signal() {
    let [mut one, mut two] = two(&["--follow-period", "50ms"]);
    let line = two.logs_after(RULES, |_| apply(&mut one, &says("first")));
    assert!(line.contains("tenants=1"), "{line}");
    assert_eq!(answer(&mut two, "localhost"), (200, json!("first")));
    two.logs_after(RULES, |_| apply(&mut one, &says("second")));
    assert_eq!(answer(&mut two, "localhost"), (200, json!("second")));

    let line = two.logs_after(RULES, |_| {
        ask(&mut one, "POST", "/v1/tenants", &json!({ "slug": "acme" }));
        let host = json!({ "hostname": "acme.example", "stack": "site" });
        ask(&mut one, "POST", "/v1/tenants/acme/hostnames", &host);
    });
    assert!(!line.contains("tenants=2"), "nothing of the other tenant changed: {line}");
    // Both may come in one look or in two.
    while answer(&mut two, "acme.example").0 == 200 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(answer(&mut two, "localhost"), (200, json!("second")));

    let terms = "changed elsewhere: what tenants may have";
    two.logs_after(terms, |_| {
        ask(&mut one, "POST", "/v1/tenants/default/suspend", &json!({ "status": 402 }));
    });
    assert_eq!(answer(&mut two, "localhost").0, 402);
    two.logs_after(terms, |_| drop(ask(&mut one, "POST", "/v1/tenants/default/resume", &json!({}))));
    assert_eq!(answer(&mut two, "localhost").0, 200);
    two.finish();
    one.finish();
}

/// Requests, secrets and drafts write into the database too, and are no reason to read rules again;
/// neither is what a chassis did itself.
#[test]
fn what_changes_no_rule_makes_nobody_read_rules() {
    let [mut one, mut two] = two(&["--follow-period", "20ms"]);
    apply(&mut two, &says("own"));
    for _ in 0..5 {
        assert_eq!(answer(&mut two, "localhost").0, 200);
        let call = one.secrets_call(&["generate", "OTHER"]);
        one.run(&call).succeeds();
        one.secrets(&["revoke", "OTHER"]).succeeds();
        ask(&mut one, "POST", &format!("{SHOP}/draft"), &json!({}));
    }
    let line = two.logs_after(RULES, |_| {
        let host = json!({ "hostname": "shop.example", "stack": "shop" });
        ask(&mut one, "POST", "/v1/tenants/default/hostnames", &host);
    });
    assert!(line.contains("tenants=0"), "a host is bound, and no rule is read: {line}");
    let lines = two.log().lines().filter(|line| line.contains("changed elsewhere")).count();
    assert_eq!(lines, 1, "{}", two.log());
    assert_eq!(answer(&mut two, "shop.example").0, 200);
    two.finish();
    one.finish();
}

/// A workspace's rules are pinned to no push, nor is what only the Go chassis activated.
#[test]
fn what_is_pushed_through_one_the_rules_of_the_other_take() {
    let mut one = Host::serve(TXCO).start();
    one.store("KEY");
    let another = [AUTH, b"\0\x05\x01xyyy"].concat();
    one.write("first.wasm", AUTH);
    one.write("second.wasm", &another);
    let push = |host: &mut Host, file: &str| {
        let url = format!("http://{}", host.admin_address());
        host.txco(&["op", "push", file, "--url", &url]).succeeds()
    };
    push(&mut one, "first.wasm");
    let rule = "EXEC \"op://basic-auth-encode\"\nWITH secrets.password.secret = \"KEY\", user = \"alice\"\n";
    let database = one.path("chassis/data/db/runtime-dev.db");
    let by_go = rusqlite::Connection::open(&database).unwrap();
    by_go
        .execute_batch(&format!(
            "INSERT INTO stacks (stack_id, tenant_id, name, active_version, created_at)
             VALUES ('stk_go', 'tnt_default', 'go', 1, '2026-01-01T00:00:00Z');
             INSERT INTO ops (stack, scope, name, txcl, tenant_id) VALUES ('go', 100, 'a', '{rule}', 'tnt_default');"
        ))
        .unwrap();
    let (db, key) = (one.path("chassis/data/db"), one.path("chassis/data/secrets/txco-master.key"));
    let other = || {
        let (db, key) = (db.to_str().unwrap(), key.to_str().unwrap());
        let shared = ["--db-root-dir", db, "--secret-master-key", key];
        Host::serve(TXCO).flags(&shared).flags(&["--follow-period", "50ms"])
    };
    let mut folder = other().rule("OPS/shop/100/a.txcl", rule).start();
    let mut go = other().start();
    let called = |host: &mut Host, second: bool| {
        assert_eq!(host.event("/", &json!({})).status, 200);
        let traced = host.txco(&["trace", "last", "--json"]).succeeds();
        let bytes = if second { another.as_slice() } else { AUTH };
        assert!(traced.contains(&digest(bytes)), "{traced}");
    };
    called(&mut folder, false);
    called(&mut go, false);
    folder.logs_after("ops were pushed: the rules take them", |_| drop(push(&mut one, "second.wasm")));
    called(&mut folder, true);
    go.wait_log("changed elsewhere: applied rules of so many tenants, or hosts");
    called(&mut go, true);

    // What does not fit takes nothing away.
    folder.logs_after("so they keep those they have", |_| {
        let url = format!("http://{}", one.admin_address());
        one.txco(&["op", "rm", "basic-auth-encode", "--url", &url]).succeeds();
    });
    called(&mut folder, true);
    go.wait_log("its rules keep the ops that they have");
    called(&mut go, true);
    folder.finish();
    go.finish();
    one.finish();
}

#[test]
fn without_a_period_only_a_signal_is_heard() {
    let [mut one, mut two] = two(&["--follow-period", ""]);
    apply(&mut one, &says("first"));
    two.logs_after("applied rules loaded", |two| two.signal(support::Signal::HUP));
    assert_eq!(answer(&mut two, "localhost"), (200, json!("first")));
    assert!(!two.log().contains("changed elsewhere"), "{}", two.log());
    two.finish();
    one.finish();
}
