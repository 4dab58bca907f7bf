//! A full disk, a folder that is read-only, two chassis on one database, a clock that goes backwards.

use std::fs;

use serde_json::json;
use support::{Host, Request, faults};

use crate::TXCO;

const SIGN: &str = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"A_KEY\", input_path = \"body\", output_path = \"digest\"\n";

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let (variable, library) = faults::preload();
    let builder = Host::serve(TXCO).env(variable, &library);
    let mut host = builder.env("TXCO_FULL_WHILE", "disk-is-full").start();
    host.store("A_KEY");
    host.write("disk-is-full", "");
    let canary = host.canary("refused");
    let call = host.secrets_call(&["set", "A_KEY"]).stdin(canary.text());
    let stderr = host.run(&call).fails(1);
    assert!(stderr.contains("507 Insufficient Storage: disk_full"), "{stderr}");
    assert!(stderr.contains("the disk is full"), "{stderr}");
    // What is there can be read all the while, by who need not sign.
    let shown = host.secrets(&["show", "A_KEY"]).succeeds();
    assert!(shown.contains("version:        v1\n"), "{shown}");
    fs::remove_file(host.path("disk-is-full")).unwrap();
    let canary = host.canary("stored");
    let call = host.secrets_call(&["set", "A_KEY"]).stdin(canary.text());
    assert_eq!(host.run(&call).succeeds(), "rotated A_KEY → v2 in tenant \"default\"\n");
    host.finish();
}

/// A signature that was not written down could be used again behind a restart (weakness A3).
#[test]
fn on_a_full_disk_a_signed_look_says_why_it_is_refused() {
    let (variable, library) = faults::preload();
    let builder = Host::serve(TXCO).env(variable, &library);
    let mut host = builder.env("TXCO_FULL_WHILE", "disk-is-full").start();
    let line = host.wait_log("nobody is enrolled here");
    let secret = line.rsplit_once("--secret ").unwrap().1.trim();
    let url = format!("http://{}", host.admin_address());
    host.txco(&["auth", "bootstrap-local", "--url", &url, "--secret", secret]).succeeds();
    host.secrets(&["list"]).succeeds();
    host.write("disk-is-full", "");
    let refused = host.secrets(&["list"]).fails(1);
    assert!(refused.contains("507 Insufficient Storage: disk_full"), "{refused}");
    assert!(refused.contains("a signed request is taken only once it is written down"), "{refused}");
    fs::remove_file(host.path("disk-is-full")).unwrap();
    host.secrets(&["list"]).succeeds();
    host.finish();
}

#[test]
fn a_read_only_folder_ends_the_start_with_its_path() {
    let (variable, library) = faults::preload();
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    host.stop();
    let serve = "serve --web-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0";
    let call = support::Call::new(&serve.split(' ').collect::<Vec<_>>())
        .env(variable, &library)
        .env("TXCO_READ_ONLY", host.path("chassis/data/db").to_str().unwrap());
    let stderr = host.run(&call).fails(1);
    assert!(
        stderr.contains("./chassis/data/db/runtime-dev.db cannot be written: look at its permissions"),
        "{stderr}"
    );
    host.start();
    assert!(host.secrets(&["list"]).succeeds().contains("A_KEY"));
    host.finish();
}

/// Two processes, one database and one key: what one stores, the other's next request uses.
#[test]
fn two_chassis_share_a_database() {
    let mut one = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", SIGN).start();
    let folder = one.path("chassis/data");
    let (db, key) = (folder.join("db"), folder.join("secrets/txco-master.key"));
    let mut two = Host::serve(TXCO)
        .rule("OPS/web/100/sign.txcl", SIGN)
        .flags(&["--db-root-dir", db.to_str().unwrap(), "--secret-master-key", key.to_str().unwrap()])
        .start();
    let mut before = None;
    for round in 0..6 {
        let writer = if round % 2 == 0 { &mut one } else { &mut two };
        let canary = writer.canary(&format!("round {round}"));
        let call = writer.secrets_call(&["set", "A_KEY"]).stdin(canary.text());
        writer.run(&call).succeeds();
        let digests =
            [&mut one, &mut two].map(|host| host.event("/", &json!("text")).json()["digest"].clone());
        assert!(digests[0].is_string(), "round {round}: {digests:?}");
        assert_eq!(digests[0], digests[1], "round {round}");
        assert_ne!(before.replace(digests[0].clone()), Some(digests[1].clone()), "round {round}");
    }
    one.secrets(&["revoke", "A_KEY"]).succeeds();
    assert_eq!(two.event("/", &json!("text")).status, 500, "revoked by the other, and effective at once");
    two.finish();
    one.finish();
}

#[test]
fn a_clock_that_goes_backwards_changes_nothing() {
    let (variable, library) = faults::preload();
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    host.stop();
    let mut earlier = Host::serve(TXCO)
        .env(variable, &library)
        .env("TXCO_CLOCK", "-100000000")
        .flags(&["--db-root-dir", host.path("chassis/data/db").to_str().unwrap()])
        .flags(&["--secret-master-key", host.path("chassis/data/secrets/txco-master.key").to_str().unwrap()])
        .start();
    let canary = earlier.canary("years ago");
    let call = earlier.secrets_call(&["rotate", "A_KEY"]).stdin(canary.text());
    assert_eq!(earlier.run(&call).succeeds(), "rotated A_KEY → v2 in tenant \"default\"\n");
    let ready = earlier.admin(&Request::new("GET", "/readyz"));
    assert_eq!(ready.status, 200);
    earlier.finish();
    host.start();
    let shown = host.secrets(&["show", "A_KEY"]).succeeds();
    assert!(shown.contains("version:        v2\n"), "{shown}");
    host.finish();
}
