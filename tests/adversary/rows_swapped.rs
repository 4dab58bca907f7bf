//! Whoever can write the database file cannot make one secret answer for another.

use rusqlite::Connection;
use serde_json::json;
use support::Host;

use crate::attack::{SIGN, chassis, fault, vendor};

/// Exchanges the sealed columns of the version rows that `a` and `b` select.
fn swap(host: &Host, a: &str, b: &str) {
    let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    let columns = "ciphertext, nonce, wrapped_dek, dek_nonce";
    let read = |which: &str| -> [Vec<u8>; 4] {
        let sql = format!("SELECT {columns} FROM tenant_secret_versions WHERE version_id = ({which})");
        database.query_row(&sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])).unwrap()
    };
    let (one, two) = (read(a), read(b));
    assert_ne!(one, two);
    for (which, row) in [(a, &two), (b, &one)] {
        let sql = format!(
            "UPDATE tenant_secret_versions SET ciphertext = ?1, nonce = ?2, wrapped_dek = ?3, dek_nonce = ?4 \
             WHERE version_id = ({which})"
        );
        assert_eq!(database.execute(&sql, rusqlite::params![row[0], row[1], row[2], row[3]]).unwrap(), 1);
    }
}

fn version(name: &str, slug: &str, number: u32) -> String {
    format!(
        "SELECT v.version_id FROM tenant_secret_versions v JOIN tenant_secrets s USING (secret_id) \
         JOIN tenants t USING (tenant_id) WHERE s.name = '{name}' AND t.slug = '{slug}' AND v.version_no = {number}"
    )
}

/// The signing key after `tamper`: not openable, before and after a restart.
#[track_caller]
fn does_not_open(mut host: Host, tamper: impl Fn(&Host)) {
    assert_eq!(host.event("/", &json!("text")).status, 200);
    host.stop();
    tamper(&host);
    host.start();
    let reply = host.event("/", &json!("text"));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert_eq!(fault(&host), "secret_undecryptable");
    host.finish();
}

#[test]
fn between_two_names() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    host.store("SIGNING_KEY");
    host.store("OTHER");
    does_not_open(host, |host| {
        swap(host, &version("SIGNING_KEY", "default", 1), &version("OTHER", "default", 1));
    });
}

#[test]
fn between_two_tenants() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    host.store("SIGNING_KEY");
    let url = format!("http://{}", host.admin_address());
    host.txco(&["auth", "tenant", "create", "acme", "--url", &url]).succeeds();
    let canary = host.canary("of acme");
    let call = host.secrets_call(&["set", "SIGNING_KEY", "--tenant", "acme"]).stdin(canary.text());
    host.run(&call).succeeds();
    does_not_open(host, |host| {
        swap(host, &version("SIGNING_KEY", "default", 1), &version("SIGNING_KEY", "acme", 1));
    });
}

#[test]
fn an_old_version_for_the_new_one() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    host.store("SIGNING_KEY");
    let second = host.canary("second");
    let call = host.secrets_call(&["rotate", "SIGNING_KEY"]).stdin(second.text());
    host.run(&call).succeeds();
    does_not_open(host, |host| {
        swap(host, &version("SIGNING_KEY", "default", 1), &version("SIGNING_KEY", "default", 2));
    });
}

#[test]
fn a_whole_secret_handed_to_another_tenant() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    let url = format!("http://{}", host.admin_address());
    host.txco(&["auth", "tenant", "create", "acme", "--url", &url]).succeeds();
    let canary = host.canary("of acme");
    let call = host.secrets_call(&["set", "SIGNING_KEY", "--tenant", "acme"]).stdin(canary.text());
    host.run(&call).succeeds();
    host.stop();
    let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    let sql = "UPDATE tenant_secrets SET tenant_id = (SELECT tenant_id FROM tenants WHERE slug = 'default')";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);
    host.start();
    assert_eq!(host.event("/", &json!("text")).status, 500);
    assert_eq!(fault(&host), "secret_undecryptable");
    host.finish();
}

/// The stack is part of what is sealed: a secret of one stack cannot be widened to the tenant.
#[test]
fn a_secret_moved_to_another_stack() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    let canary = host.canary("of another stack");
    let call = host.secrets_call(&["set", "SIGNING_KEY", "--stack", "shop"]).stdin(canary.text());
    host.run(&call).succeeds();
    host.stop();
    let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    assert_eq!(database.execute("UPDATE tenant_secrets SET stack = 'web'", []).unwrap(), 1);
    drop(database);
    host.start();
    assert_eq!(host.event("/", &json!("text")).status, 500);
    assert_eq!(fault(&host), "secret_undecryptable");
    host.finish();
}
