//! A database and key of the Go chassis open as they are, and their secrets are used.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use serde_json::json;
use support::{Answer, Host, Upstream};

use crate::TXCO;

const FIXTURE: &str = include_str!("../vectors/store/go-runtime.sql");
const DATABASE: &str = "chassis/data/db/runtime-dev.db";

fn go_chassis(stripe: &Upstream) -> Host {
    let key: Vec<u8> = (0..32).collect();
    let host = Host::serve(TXCO)
        .rule("OPS/web/100/charge.txcl", include_str!("../vectors/txcl/runbook/templated-header.txcl"))
        .upstream(stripe, "api.stripe.com:443")
        .file("chassis/data/secrets/txco-master.key", key)
        .file(DATABASE, "")
        .at_rest();
    let path = host.path("chassis/data/secrets/txco-master.key");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    Connection::open(host.path(DATABASE)).unwrap().execute_batch(FIXTURE).unwrap();
    host
}

fn stripe() -> Upstream {
    Upstream::https("stripe", &["api.stripe.com"], |_| Answer::json(&json!({ "ok": true })))
}

#[test]
fn its_secret_is_used() {
    let stripe = stripe();
    let mut host = go_chassis(&stripe);
    host.start();
    assert!(!host.log().contains("minted"), "{}", host.log());
    let reply = host.event("/charge", &json!({ "amount": 1 }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(stripe.only().header("authorization"), Some("Bearer sk_live_abc"));
    host.finish();
}

#[test]
fn it_is_copied_before_it_is_changed_and_a_line_says_so() {
    let stripe = stripe();
    let mut host = go_chassis(&stripe);
    host.start();
    let copies: Vec<_> =
        host.files("chassis/data/db").into_iter().filter(|f| f.contains("before-txco")).collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert_eq!(host.log().matches("before-txco").count(), 1, "{}", host.log());
    let copy = Connection::open(host.path(&copies[0])).unwrap();
    let tables: u32 = copy
        .query_row(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name LIKE 'txco%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 0, "the copy is as the Go chassis left it");
    drop(copy);

    host.stop();
    let before = host.log().len();
    host.start();
    assert!(!host.log()[before..].contains("before-txco"), "only once");
    host.finish();
}

#[test]
fn its_tenants_and_secrets_are_listed_and_rotate() {
    let stripe = stripe();
    let mut host = go_chassis(&stripe);
    host.start();
    let url = format!("http://{}", host.admin_address());
    let tenants = host.txco(&["auth", "tenants", "--url", &url]).succeeds();
    assert!(tenants.contains("acme") && !tenants.contains("gone"), "{tenants}");
    let show = host.secrets(&["show", "STRIPE_API_KEY"]).succeeds();
    assert!(
        show.contains("secret_id:      sec_TEST") && show.contains("created_by:     actor_alice"),
        "{show}"
    );

    let second = host.canary("second");
    let call = host.secrets_call(&["rotate", "STRIPE_API_KEY"]).stdin(second.text());
    assert_eq!(host.run(&call).succeeds(), "rotated STRIPE_API_KEY → v2 in tenant \"default\"\n");
    assert_eq!(host.event("/", &json!({})).status, 200);
    assert_eq!(stripe.only().header("authorization"), Some(format!("Bearer {}", second.text()).as_str()));
    host.allow(&second, "upstream stripe header authorization", 1);
    host.finish();
}

#[test]
fn its_keys_are_listed_rotated_rewrapped_and_its_rows_upgraded() {
    let stripe = stripe();
    let mut host = go_chassis(&stripe);
    host.start();
    let keys = |host: &mut Host, args: &[&str]| host.txco(&[&["auth", "secrets"], args].concat()).succeeds();
    let status = keys(&mut host, &["status"]);
    assert!(status.contains("461acc3cf76993ef  active  8     5"), "{status}");
    assert!(status.contains("8 rows are in the layout of the Go chassis"), "{status}");
    keys(&mut host, &["rotate"]);
    assert!(keys(&mut host, &["rewrap"]).starts_with("8 rows moved to key "));
    assert!(keys(&mut host, &["verify"]).starts_with("8 of 8 versions in "));
    assert_eq!(host.event("/charge", &json!({ "amount": 1 })).status, 200);
    let said = keys(&mut host, &["rewrap", "--upgrade"]);
    assert!(said.contains(", 8 of the Go chassis's sealed anew"), "{said}");
    assert!(keys(&mut host, &["verify"]).starts_with("8 of 8 versions in "));
    assert!(!keys(&mut host, &["status"]).contains("layout of the Go chassis"));
    assert_eq!(host.event("/charge", &json!({ "amount": 2 })).status, 200);
    let sent: Vec<_> =
        stripe.received().iter().map(|r| r.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, [Some("Bearer sk_live_abc".to_owned()), Some("Bearer sk_live_abc".to_owned())]);
    host.finish();
}

#[test]
fn a_key_that_is_not_its_key_is_noticed() {
    let stripe = stripe();
    let mut host = go_chassis(&stripe);
    fs::write(host.path("chassis/data/secrets/txco-master.key"), (1..33).collect::<Vec<u8>>()).unwrap();
    host.start();
    host.wait_log("WARN secret store: ");
    let reply = host.event("/charge", &json!({}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(stripe.received().is_empty());
    host.finish();
}
