//! Whoever can write the database file cannot give a secret another policy, or read its key another way.

use rusqlite::Connection;
use serde_json::json;

use crate::attack::{SEND, SIGN, chassis, fault, vendor};

#[track_caller]
fn edited(rule: &str, set: &[&str], sql: &str) {
    let vendor = vendor();
    let mut host = chassis(&vendor, rule).start();
    let canary = host.canary("key");
    let call = host.secrets_call(set).stdin(canary.text());
    host.run(&call).succeeds();
    host.stop();
    let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    assert_eq!(database.execute(sql, []).unwrap(), 1, "{sql}");
    drop(database);
    host.start();
    assert_eq!(host.event("/", &json!("text")).status, 500, "{sql}");
    assert_eq!(fault(&host), "secret_undecryptable", "{sql}");
    assert!(vendor.received().is_empty());
    // Who asks before anything runs is told the same, and not what the edited row would allow.
    // (How a value is read as a key is sealed with the value, which stays shut then.)
    let told = host.secrets(&["explain", set[1], "--for", "https://api.vendor.com/"]);
    let denied = told.code == Some(1) && told.stdout.contains("denied:");
    assert!(denied && !told.stdout.contains("policy allows") || rule == SIGN, "{sql}: {told:?}");
    host.finish();
}

#[test]
fn a_policy_is_not_edited_replaced_or_taken_away() {
    for sql in [
        "UPDATE tenant_secrets SET policy = replace(policy, 'api.other.com', 'api.vendor.com')",
        "UPDATE tenant_secrets SET policy = 'txco/policy/1' || char(10) || 'purpose splice'",
        "UPDATE tenant_secrets SET policy = NULL",
        "UPDATE tenant_secrets SET policy = 'whatever'",
    ] {
        edited(SEND, &["set", "VENDOR_KEY", "--allow-host", "api.other.com"], sql);
    }
}

#[test]
fn a_key_encoding_is_not_edited() {
    edited(SIGN, &["set", "SIGNING_KEY"], "UPDATE tenant_secret_versions SET key_encoding = 'base64'");
}

/// The policy of one secret is not the policy of another.
#[test]
fn a_policy_is_not_swapped_with_another_secrets() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SEND).start();
    for (name, allowed) in [("VENDOR_KEY", "api.other.com"), ("OTHER", "api.vendor.com")] {
        let canary = host.canary(name);
        let call = host.secrets_call(&["set", name, "--allow-host", allowed]).stdin(canary.text());
        host.run(&call).succeeds();
    }
    host.stop();
    let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    let sql = "UPDATE tenant_secrets SET policy = (SELECT policy FROM tenant_secrets WHERE name = 'OTHER')";
    assert_eq!(database.execute(sql, []).unwrap(), 2);
    drop(database);
    host.start();
    assert_eq!(host.event("/", &json!("text")).status, 500);
    assert_eq!(fault(&host), "secret_undecryptable");
    assert!(vendor.received().is_empty());
    host.finish();
}
