//! The audit: every action leaves a row that cannot be changed unseen, and no row holds a value.

use serde_json::{Value, json};
use support::{Answer, Host, Upstream};

use crate::TXCO;

const RULE: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";

fn audit(host: &mut Host, args: &[&str]) -> support::Output {
    let url = format!("http://{}", host.admin_address());
    let args: Vec<&str> = ["auth", "audit"].iter().chain(args).copied().chain(["--url", &url]).collect();
    host.txco(&args)
}

/// The rows of an export, as `(actor, action, subject, outcome)`.
fn rows(host: &mut Host) -> Vec<Value> {
    let export = audit(host, &["export"]).succeeds();
    export.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn told(rows: &[Value]) -> Vec<String> {
    let told = |row: &Value| {
        let text = |member: &str| row[member].as_str().unwrap().to_owned();
        format!("{} {} {} {}", text("actor"), text("action"), text("subject"), text("outcome"))
    };
    rows.iter().map(told).collect()
}

/// Runs SQL in the database as somebody with `sqlite3` would, while the chassis runs.
fn sql(host: &Host, statements: &str) {
    let database = rusqlite::Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    database.execute_batch(statements).unwrap();
}

/// Weakness A4: the records that the runbook promises exist.
#[test]
fn every_action_leaves_a_row_in_order() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    host.secrets(&["describe", "A_KEY", "--set", "what for"]).succeeds();
    host.secrets(&["show", "A_KEY"]).succeeds();
    host.secrets(&["revoke", "A_KEY"]).succeeds();
    host.secrets(&["show", "A_KEY"]).fails(1);
    let url = format!("http://{}", host.admin_address());
    host.txco(&["auth", "tenant", "create", "acme", "--url", &url]).succeeds();
    let rows = rows(&mut host);
    assert_eq!(
        told(&rows),
        [
            "chassis audit.begin - ok",
            "open set A_KEY ok",
            "open describe A_KEY ok",
            "open show A_KEY ok",
            "open revoke A_KEY ok",
            "open show A_KEY secret_not_found",
            "open tenant.create acme ok",
        ]
    );
    let list = audit(&mut host, &["list", "-n", "2"]).succeeds();
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].starts_with("SEQ  AT") && lines.len() == 4, "{list}");
    assert!(lines[3].starts_with("head: 7:"), "{list}");
    let mine = audit(&mut host, &["list", "--name", "A_KEY", "--json"]).succeeds();
    let mine: Value = serde_json::from_str(&mine).unwrap();
    assert_eq!(mine["rows"].as_array().unwrap().len(), 5);
    let verified = audit(&mut host, &["verify"]).succeeds();
    assert!(
        verified.contains("chain:  whole\nseals:  all this chassis's\nstate:  explained\n"),
        "{verified}"
    );
    host.finish();
}

#[test]
fn uses_are_one_row_a_minute_and_kind() {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })));
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/call.txcl", RULE).upstream(&vendor, "api.vendor.com:443").start();
    assert_eq!(host.event("/", &json!({})).status, 500);
    let key = host.store("VENDOR_KEY");
    for _ in 0..3 {
        assert_eq!(host.event("/?token=of-the-client", &json!({})).status, 200);
    }
    host.allow(&key, "upstream vendor header x-api-key", 3);
    // What is not written yet is written when it ends.
    host.stop();
    host.start();
    let rows = rows(&mut host);
    let uses: Vec<_> = rows.iter().filter(|row| row["action"] == "use").collect();
    let detail = |row: &Value| serde_json::from_str::<Value>(row["detail"].as_str().unwrap()).unwrap();
    // Three uses may fall into two minutes.
    let ok: Vec<_> = uses.iter().filter(|row| row["outcome"] == "ok").map(|row| detail(row)).collect();
    let count: u64 = ok.iter().map(|detail| detail["count"].as_u64().unwrap()).sum();
    assert!((1..=2).contains(&ok.len()) && count == 3, "{uses:?}");
    let first = &ok[0];
    assert_eq!(
        (&first["version"], &first["op"], &first["destination"]),
        (&json!(1), &json!("http"), &json!("https://api.vendor.com"))
    );
    let missing: Vec<_> = uses.iter().filter(|row| row["outcome"] == "secret_not_found").collect();
    assert_eq!((missing.len(), &missing[0]["subject"]), (1, &json!("VENDOR_KEY")));
    audit(&mut host, &["verify"]).succeeds();
    host.finish();
}

#[test]
fn a_changed_row_is_found_and_a_kept_head_finds_a_cut_chain() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    host.secrets(&["revoke", "A_KEY"]).succeeds();
    let list = audit(&mut host, &["list"]).succeeds();
    let head = list.lines().last().unwrap().strip_prefix("head: ").unwrap().to_owned();
    audit(&mut host, &["verify", "--head", &head]).succeeds();
    sql(&host, "DELETE FROM txco_audit WHERE action = 'revoke'");
    let cut = audit(&mut host, &["verify", "--head", &head]);
    assert!(
        cut.stdout.contains("chain:  the chain ends at row 2 and once had 3 rows: it was cut"),
        "{cut:?}"
    );
    let _told = cut.fails(1);
    sql(&host, "UPDATE txco_audit SET actor = 'somebody' WHERE seq = 2");
    let changed = audit(&mut host, &["verify", "--json"]);
    let verdict: Value = serde_json::from_str(&changed.stdout).unwrap();
    assert_eq!(verdict["ok"], false);
    assert!(
        verdict["wrong"].as_str().unwrap().starts_with("row 2 was not written by this chassis"),
        "{verdict}"
    );
    let _told = changed.fails(1);
    audit(&mut host, &["verify", "--head", "nonsense"]).fails(1);
    host.finish();
}

#[test]
fn state_changed_outside_is_listed_until_somebody_stands_for_it() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    sql(&host, "UPDATE tenant_secrets SET stack = 'elsewhere'");
    let found = audit(&mut host, &["verify"]);
    assert!(found.stdout.contains("state:  2 changed outside txco"), "{found:?}");
    assert!(found.stdout.contains("tnt_default elsewhere A_KEY"), "{found:?}");
    let _told = found.fails(1);
    assert_eq!(audit(&mut host, &["accept"]).succeeds(), "accepted 2 changes\n");
    audit(&mut host, &["verify"]).succeeds();
    host.finish();
}

#[test]
fn was_this_value_ever_stored() {
    let mut host = Host::serve(TXCO).start();
    let (old, never) = (host.store("A_KEY"), host.canary("never stored"));
    let new = host.canary("second");
    let call = host.secrets_call(&["set", "A_KEY"]).stdin(new.text());
    host.run(&call).succeeds();
    host.secrets(&["revoke", "A_KEY"]).succeeds();
    let url = format!("http://{}", host.admin_address());
    let mut seen = |value: &str| {
        let call = support::Call::new(&["auth", "audit", "seen", "--url", &url]).stdin(value);
        host.run(&call)
    };
    let found = seen(old.text()).succeeds();
    let line = found.lines().nth(1).unwrap();
    assert!(line.starts_with("A_KEY  -      v1       2") && line.contains("tnt_default"), "{found}");
    assert_eq!(seen(never.text()).succeeds(), "never stored here, or destroyed since\n");
    let short = seen("fifteen bytes !").fails(1);
    assert!(short.contains("values under 16 bytes are not remembered"), "{short}");
    host.finish();
}

#[test]
fn denials_are_rows_and_cannot_fill_the_disk() {
    let mut host = Host::serve(TXCO).start();
    for _ in 0..150 {
        let page = support::Request::new("GET", "/v1/tenants/default/secrets")
            .header("origin", "https://evil.example");
        assert_eq!(host.admin(&page).status, 401);
    }
    let rows = rows(&mut host);
    let denied = rows.iter().filter(|row| row["outcome"] == "denied").count();
    assert!((100..=120).contains(&denied), "{denied} of 150 denials have a row of their own");
    audit(&mut host, &["verify"]).succeeds();
    host.finish();
}

#[test]
fn with_the_store_off_rows_have_no_seal_and_it_is_told() {
    let mut host = Host::serve(TXCO).flags(&["--secret-master-key", ""]).start();
    let url = format!("http://{}", host.admin_address());
    host.txco(&["auth", "tenant", "create", "acme", "--url", &url]).succeeds();
    let verified = audit(&mut host, &["verify"]).succeeds();
    assert!(verified.contains("seals:  2 rows have none: the secret store was off"), "{verified}");
    host.finish();
}
