//! Versions have a life: overlap, rollback, expiry, uses, prune, and an end that no file survives.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use support::Host;

use crate::TXCO;

const SIGN: &str = "EXEC \"txco://hmac-sign\"\n\
    WITH secrets.key.secret = \"KEY\", input_path = \"body\", output_path = \"digest\"\n";

fn signing() -> Host {
    Host::serve(TXCO).rule("OPS/web/100/sign.txcl", SIGN).start()
}

fn rotate(host: &mut Host, label: &str, more: &[&str]) {
    let canary = host.canary(label);
    let words = [&["rotate", "KEY"], more].concat();
    let call = host.secrets_call(&words).stdin(canary.text());
    host.run(&call).succeeds();
}

fn digest(host: &mut Host) -> Value {
    let reply = host.event("/", &json!("text"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["digest"].clone()
}

fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn states(host: &mut Host) -> Vec<(u64, String)> {
    let listed = as_json(&host.secrets(&["versions", "KEY", "--json"]).succeeds());
    let one = |one: &Value| (one["version_no"].as_u64().unwrap(), one["state"].as_str().unwrap().to_owned());
    listed["versions"].as_array().unwrap().iter().map(one).collect()
}

fn state(number: u64, word: &str) -> (u64, String) {
    (number, word.to_owned())
}

#[test]
fn an_overlap_shows_and_signing_uses_the_newest() {
    let mut host = signing();
    host.store("KEY");
    let first = digest(&mut host);
    rotate(&mut host, "second", &["--overlap", "24h"]);
    assert_ne!(digest(&mut host), first);
    assert_eq!(states(&mut host), [state(2, "active"), state(1, "retiring")]);
    let show = host.secrets(&["show", "KEY"]).succeeds();
    assert!(show.contains("retiring:       v1 until 20"), "{show}");
    rotate(&mut host, "third", &[]);
    assert_eq!(states(&mut host), [state(3, "active"), state(2, "superseded"), state(1, "superseded")]);
    let table = host.secrets(&["versions", "KEY"]).succeeds();
    let header: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        ["VERSION", "STATE", "CREATED_AT", "CREATED_BY", "EXPIRES_AT", "KEY_ENCODING", "USES", "LAST_USED"]
    );
    assert_eq!(table.lines().count(), 4, "{table}");
    host.finish();
}

#[test]
fn a_rollback_brings_the_value_back_for_the_next_request() {
    let mut host = signing();
    host.store("KEY");
    let first = digest(&mut host);
    rotate(&mut host, "second", &[]);
    let second = digest(&mut host);
    let told = host.secrets(&["rollback", "KEY"]).succeeds();
    assert_eq!(told, "KEY is back at v1 in tenant \"default\"; its policy is today's\n");
    assert_eq!(digest(&mut host), first);
    assert_eq!(states(&mut host), [state(2, "rolled_back"), state(1, "active")]);
    let refused = host.secrets(&["rollback", "KEY"]).fails(1);
    assert!(refused.contains("409 Conflict: no_older_version"), "{refused}");
    let refused = host.secrets(&["rollback", "KEY", "--to", "7"]).fails(1);
    assert!(refused.contains("404 Not Found: version_not_found"), "{refused}");
    let back = as_json(&host.secrets(&["rollback", "KEY", "--to", "2", "--json"]).succeeds());
    assert_eq!(back["secret"]["version_no"], 2);
    assert_eq!(digest(&mut host), second);
    host.finish();
}

/// Weakness S7: a secret can expire.
#[test]
fn an_expired_secret_fails_by_name() {
    let mut host = signing();
    host.store("KEY");
    rotate(&mut host, "second", &["--expires", "8s"]);
    digest(&mut host);
    std::thread::sleep(Duration::from_millis(8200));
    let reply = host.event("/", &json!("text"));
    assert_eq!(reply.status, 500, "the version before does not take its place");
    assert!(
        reply.text().contains("secret_unavailable") && !reply.text().contains("expired"),
        "{}",
        reply.text()
    );
    let line = host.wait_log("secret_expired");
    assert!(line.contains("KEY"), "{line}");
    assert_eq!(states(&mut host)[0], state(2, "expired"));
    for (flag, text, told) in [
        ("--expires", "1999-01-01", "400 Bad Request: invalid_time"),
        ("--expires", "someday", "400 Bad Request: invalid_time"),
        ("--overlap", "0h", "400 Bad Request: invalid_time"),
        ("--overlap", "3661d", "400 Bad Request: invalid_time"),
        ("--key-encoding", "rot13", "400 Bad Request: invalid_key_encoding"),
    ] {
        let call = host.secrets_call(&["rotate", "KEY", flag, text]).stdin("another value");
        let refused = host.run(&call).fails(1);
        assert!(refused.contains(told), "{flag} {text}: {refused}");
    }
    host.finish();
}

/// Written in batches, and at the end of the process.
/// Weakness S7: when and how often a secret is used is known.
#[test]
fn uses_are_counted_and_survive_a_restart() {
    let mut host = signing();
    host.store("KEY");
    digest(&mut host);
    digest(&mut host);
    let show = host.secrets(&["show", "KEY"]).succeeds();
    assert!(show.contains("uses:           2, last 20"), "{show}");
    host.stop();
    host.start();
    digest(&mut host);
    let show = host.secrets(&["show", "KEY"]).succeeds();
    assert!(show.contains("uses:           3, last 20"), "{show}");
    host.finish();
}

fn sealed(host: &Host, version: u32) -> [Vec<u8>; 2] {
    let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    let sql = "SELECT ciphertext, wrapped_dek FROM tenant_secret_versions WHERE version_no = ?1";
    database.query_row(sql, [version], |row| Ok([row.get(0)?, row.get(1)?])).unwrap()
}

fn files_with(host: &Host, needle: &[u8]) -> Vec<String> {
    let files = host.files("chassis/data/db");
    assert!(files.iter().any(|file| file.ends_with("runtime-dev.db")), "{files:?}");
    let has = |file: &String| {
        let bytes = std::fs::read(host.path(file)).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    files.into_iter().filter(has).collect()
}

/// R37, from outside: the bytes are in the files, and then in none.
#[test]
fn a_destroyed_version_is_in_no_file_of_the_database() {
    let mut host = signing();
    host.store("KEY");
    rotate(&mut host, "second", &[]);
    digest(&mut host);
    let [ciphertext, dek] = sealed(&host, 1);
    assert!(!files_with(&host, &dek).is_empty() && !files_with(&host, &ciphertext).is_empty());
    let told = host.secrets(&["destroy", "KEY", "--version", "1"]).succeeds();
    assert!(told.starts_with("destroyed v1 of KEY: this database's files hold it no more."), "{told}");
    assert!(told.contains("Backups of the database made before") && told.contains("still open"), "{told}");
    assert!(files_with(&host, &dek).is_empty() && files_with(&host, &ciphertext).is_empty());
    assert_eq!(states(&mut host), [state(2, "active"), state(1, "destroyed")]);
    let refused = host.secrets(&["rollback", "KEY"]).fails(1);
    assert!(refused.contains("no_older_version"), "{refused}");
    let refused = host.secrets(&["rollback", "KEY", "--to", "1"]).fails(1);
    assert!(refused.contains("409 Conflict: version_destroyed"), "{refused}");
    let refused = host.secrets(&["destroy", "KEY", "--version", "2"]).fails(1);
    assert!(refused.contains("409 Conflict: version_in_use"), "{refused}");
    digest(&mut host);
    host.finish();
}

/// Somebody else reads the log: then it is told, with an exit code, and can be done again.
#[test]
fn a_log_that_cannot_be_emptied_is_no_success() {
    let mut host = signing();
    host.store("KEY");
    rotate(&mut host, "second", &[]);
    let [_, dek] = sealed(&host, 1);
    let reader = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT COUNT(*) FROM tenant_secrets;").unwrap();
    let refused = host.secrets(&["destroy", "KEY", "--version", "1"]).fails(1);
    assert!(
        refused.contains("500 Internal Server Error: not_erased") && refused.contains("run this again"),
        "{refused}"
    );
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    host.secrets(&["destroy", "KEY", "--version", "1"]).succeeds();
    assert!(files_with(&host, &dek).is_empty());
    host.finish();
}

/// Weakness K9: versions are listed, pruned and destroyed, and have an author.
#[test]
fn a_prune_keeps_the_newest() {
    let mut host = signing();
    host.store("KEY");
    for label in ["second", "third", "fourth"] {
        rotate(&mut host, label, &[]);
    }
    assert_eq!(host.secrets(&["prune", "KEY", "--keep", "9"]).succeeds(), "KEY has no versions to prune\n");
    let told = host.secrets(&["prune", "KEY", "--keep", "2"]).succeeds();
    assert!(told.starts_with("destroyed v2, v1 of KEY: "), "{told}");
    let left = [state(4, "active"), state(3, "superseded"), state(2, "destroyed"), state(1, "destroyed")];
    assert_eq!(states(&mut host), left);
    let again = as_json(&host.secrets(&["prune", "KEY", "--keep", "1", "--json"]).succeeds());
    assert_eq!(again["destroyed"], json!([3]));
    digest(&mut host);
    host.finish();
}

/// S5, R17, and S6: parents of a nested stack are searched, and a revocation ends the search.
/// Weakness S5: a revocation does not put another secret in its place.
#[test]
fn a_revoked_stack_secret_does_not_become_the_tenants() {
    let mut host = Host::serve(TXCO).rule("OPS/shop/eu/100/sign.txcl", SIGN).start();
    host.store("KEY");
    let of_tenant = digest(&mut host);
    let canary = host.canary("of shop");
    let call = host.secrets_call(&["set", "KEY", "--stack", "shop"]).stdin(canary.text());
    host.run(&call).succeeds();
    assert_ne!(digest(&mut host), of_tenant);
    host.secrets(&["revoke", "KEY", "--stack", "shop"]).succeeds();
    assert_eq!(host.event("/", &json!("text")).status, 500);
    let line = host.wait_log("secret_not_found");
    assert!(line.contains("is revoked in stack shop"), "{line}");
    host.finish();
}

#[test]
fn the_order_of_the_go_chassis_can_be_kept() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/shop/eu/100/sign.txcl", SIGN)
        .flags(&["--stack-fallback", "exact"])
        .start();
    host.store("KEY");
    let of_tenant = digest(&mut host);
    let canary = host.canary("of shop");
    let call = host.secrets_call(&["set", "KEY", "--stack", "shop"]).stdin(canary.text());
    host.run(&call).succeeds();
    assert_eq!(digest(&mut host), of_tenant);
    host.finish();
}
