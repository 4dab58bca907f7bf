//! `kill -9` loses nothing that was acknowledged, and a second start compiles nothing.

use std::fs;

use serde_json::json;
use support::Host;

use crate::TXCO;

const RULE: &str = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\", output_path = \"digest\"\n";

#[test]
fn secrets_survive_kill_9() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", RULE).start();
    host.store("KEY");
    let before = host.event("/", &json!("text")).json();
    let second = host.canary("rotated just before the end");
    let call = host.secrets_call(&["rotate", "KEY"]).stdin(second.text());
    host.run(&call).succeeds();
    host.kill();

    host.start();
    let after = host.event("/", &json!("text")).json();
    assert!(after["digest"].is_string() && before["digest"].is_string());
    assert_ne!(before["digest"], after["digest"], "the rotation survived");
    assert!(host.secrets(&["list"]).succeeds().contains("v2"));
    host.finish();
}

#[test]
fn a_second_start_compiles_nothing() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", RULE).start();
    let first = host.wait_log("ops ready");
    assert!(first.contains("cached=0") && !first.contains("compiled=0"), "{first}");
    host.kill();
    host.start();
    let second = host.wait_log("ops ready");
    assert!(second.contains("compiled=0") && !second.contains("cached=0"), "{second}");
    host.store("KEY");
    assert_eq!(host.event("/", &json!("text")).status, 200);
    host.finish();
}

/// R27: whoever can write the cache must not be able to run code; a changed file is compiled again.
#[test]
fn a_changed_cache_is_noticed() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", RULE).start();
    host.stop();
    let files = host.files("chassis/data/cache/ops");
    assert!(!files.is_empty(), "there is a cache");
    for file in &files {
        let path = host.path(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let before = host.log().len();
    host.start();
    let log = host.log()[before..].to_owned();
    assert!(log.contains("WARN") && log.contains("cached=0") && !log.contains("compiled=0"), "{log}");
    host.store("KEY");
    assert_eq!(host.event("/", &json!("text")).status, 200);
    host.finish();
}

#[test]
fn without_the_store_there_is_no_cache_on_disk() {
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/sign.txcl", RULE).flags(&["--secret-master-key", ""]).start();
    assert!(host.wait_log("ops ready").contains("cached=0"));
    assert!(host.files("chassis/data/cache").is_empty());
    host.finish();
}
