//! `/readyz` of both heads says whether the secret store is on, off or partial.

use serde_json::{Value, json};
use support::{Host, Reply, Request};

use crate::TXCO;

fn said(reply: &Reply) -> (u16, Value) {
    (reply.status, reply.json())
}

#[track_caller]
fn both_say(host: &mut Host, expected: &Value) {
    for path in ["/readyz", "/_txc/readyz"] {
        let request = Request::new("GET", path);
        assert_eq!(said(&host.admin(&request)), (200, expected.clone()));
        assert_eq!(said(&host.web(&request)), (200, expected.clone()));
    }
}

#[test]
fn on_partial_and_on_again() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/hello.txcl", "EMIT .hello = \"you\"\n").start();
    both_say(&mut host, &json!({ "status": "ready", "secret_store": "on", "rules": true }));
    host.store("OLD");
    host.stop();
    // Another key: what was sealed under the first does not open.
    host.write("other.key", support::Canary::new("key").text().get(..32).unwrap());
    std::fs::rename(host.path("chassis/data/secrets/txco-master.key"), host.path("first.key")).unwrap();
    std::fs::rename(host.path("other.key"), host.path("chassis/data/secrets/txco-master.key")).unwrap();
    private(&host, "chassis/data/secrets/txco-master.key");
    host.start();
    both_say(&mut host, &json!({ "status": "ready", "secret_store": "partial", "rules": true }));
    // Runbook §6: set again, and all is well.
    let canary = host.canary("again");
    let call = host.secrets_call(&["set", "OLD"]).stdin(canary.text());
    host.run(&call).succeeds();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    both_say(&mut host, &json!({ "status": "ready", "secret_store": "on", "rules": true }));
    host.finish();
}

#[test]
fn off_is_ready_all_the_same() {
    let mut host = Host::serve(TXCO).flags(&["--secret-master-key", ""]).start();
    both_say(&mut host, &json!({ "status": "ready", "secret_store": "off", "rules": false }));
    host.finish();
}

fn private(host: &Host, path: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(host.path(path), std::fs::Permissions::from_mode(0o600)).unwrap();
}
