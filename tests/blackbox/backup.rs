//! `txco backup` of a chassis that runs, and a chassis that runs on what it made.

use serde_json::Value;
use support::{Call, Host, Request};

use crate::TXCO;

#[test]
fn a_backup_of_a_running_chassis_restores() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    host.store("B_KEY");
    let told = host.txco(&["backup", "--to", "backups/monday"]).succeeds();
    assert!(
        told.starts_with("backed up ") && told.contains(" to backups/monday\n  runtime-dev.db  "),
        "{told}"
    );
    assert!(told.contains("\n  2 active secrets, 2 versions\n  key "), "{told}");
    let verified = host.txco(&["backup", "verify", "backups/monday"]).succeeds();
    assert!(verified.starts_with("backups/monday is whole, taken 2"), "{verified}");
    let manifest: Value = serde_json::from_str(&host.read("backups/monday/manifest.json")).unwrap();
    assert_eq!((manifest["secrets"].as_u64(), manifest["env"].as_str()), (Some(2), Some("dev")));
    assert_eq!(manifest["keys"].as_object().unwrap().len(), 1);

    // What comes later is not in it; what it holds comes back.
    host.store("C_KEY");
    host.txco(&["backup", "--to", "backups/monday"]).fails(1);
    host.stop();
    std::fs::remove_dir_all(host.path("chassis/data/db")).unwrap();
    std::fs::create_dir(host.path("chassis/data/db")).unwrap();
    std::fs::copy(host.path("backups/monday/runtime-dev.db"), host.path("chassis/data/db/runtime-dev.db"))
        .unwrap();
    host.start();
    let list = host.secrets(&["list"]).succeeds();
    assert!(list.contains("A_KEY") && list.contains("B_KEY") && !list.contains("C_KEY"), "{list}");
    let ready = host.admin(&Request::new("GET", "/readyz"));
    assert_eq!(ready.json()["secret_store"], "on");
    host.finish();
}

#[test]
fn a_damaged_backup_is_told() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let taken = host.txco(&["backup", "--to", "copy", "--json"]).succeeds();
    let taken: Value = serde_json::from_str(&taken).unwrap();
    assert_eq!(taken["manifest"]["files"][0]["name"], "runtime-dev.db");
    let file = host.path("copy/runtime-dev.db");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let stderr = host.txco(&["backup", "verify", "copy"]).fails(1);
    assert_eq!(stderr, "backup verify: copy/runtime-dev.db is not what was backed up: its digest\n");
    let said = host.txco(&["backup", "verify", "copy", "--json"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stdout.starts_with("{\"error\":\"backup verify: copy/runtime-dev.db is not"), "{said:?}");
    host.txco(&["backup"]).fails(2);
    let stderr = host.txco(&["backup", "--to", "other", "--env", "prod"]).fails(1);
    assert!(
        stderr.contains("runtime-prod.db is not there: choose the database by --db-root-dir and --env"),
        "{stderr}"
    );
    host.finish();
}

/// `TXCO_ADMIN_ADDR` tells commands where a chassis is, as a URL; those that act on files do
/// not stumble over it. With its keys, a backup is opened.
#[test]
fn a_backup_is_opened_with_its_keys_and_needs_no_address() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let call = |line: &str| {
        let args: Vec<&str> = line.split(' ').collect();
        Call::new(&args).env("TXCO_ADMIN_ADDR", "https://chassis.example:8081")
    };
    host.run(&call("backup --to kept")).succeeds();
    host.run(&call("auth secrets status")).succeeds();
    let told = host.run(&call("backup verify kept")).succeeds();
    assert!(told.ends_with("  its versions were not opened: --path FILE gives the master key\n"), "{told}");
    let key = "chassis/data/secrets/txco-master.key";
    let told = host.run(&call(&format!("backup verify kept --path {key}"))).succeeds();
    assert!(told.ends_with("  1 of 1 versions open\n"), "{told}");
    host.run(&call("auth secrets init --path other.key")).succeeds();
    let stderr = host.run(&call("backup verify kept --path other.key")).fails(1);
    assert!(stderr.contains("do not open with these keys; the first is A_KEY v1"), "{stderr}");
    host.finish();
}
