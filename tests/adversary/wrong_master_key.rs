//! A key file replaced by another key opens nothing, and says so at boot with counts.

use std::fs;

use serde_json::json;

use crate::attack::{SIGN, chassis, fault, vendor};

const KEY: &str = "chassis/data/secrets/txco-master.key";

#[test]
fn other_bytes_of_the_right_size() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    host.store("SIGNING_KEY");
    host.store("ANOTHER");
    host.stop();
    let kept = fs::read(host.path(KEY)).unwrap();
    let other: Vec<u8> = kept.iter().map(|byte| byte ^ 0x55).collect();
    fs::write(host.path(KEY), other).unwrap();
    host.start();
    let warning = host.wait_log("WARN");
    assert!(warning.contains('2'), "how many it does not open: {warning}");
    let reply = host.event("/", &json!("text"));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert_eq!(fault(&host), "secret_undecryptable");

    host.stop();
    fs::write(host.path(KEY), kept).unwrap();
    host.start();
    assert_eq!(host.event("/", &json!("text")).status, 200, "the right key still opens everything");
    host.finish();
}

#[test]
fn a_key_of_one_repeated_byte_is_no_key() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    host.stop();
    fs::write(host.path(KEY), [0; 32]).unwrap();
    host.start();
    host.wait_log("WARN secret store disabled: master key load failed");
    assert_eq!(host.event("/", &json!("text")).status, 503);
    host.finish();
}
