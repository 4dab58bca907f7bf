//! A client that sends the outbound header itself cannot choose what the upstream receives (R3).

use serde_json::json;
use support::Request;

use crate::attack::{chassis, vendor};

#[test]
fn the_rules_header_wins_and_the_clients_does_not_travel() {
    let vendor = vendor();
    let rule = "SET @web.req.headers.x-signature = \"ours\"\nWITH secrets.headers.X-Api-Key.secret = \"VENDOR_KEY\"\n\
                EXEC \"https://api.vendor.com/things\"\n";
    let mut host = chassis(&vendor, rule).start();
    let key = host.store("VENDOR_KEY");
    let request = Request::new("POST", "/")
        .header("X-Signature", "theirs")
        .header("x-api-key", "theirs")
        .header("Authorization", "theirs")
        .header("Cookie", "session=theirs")
        .json(&json!({}));
    let reply = host.web(&request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = vendor.only();
    assert_eq!(sent.header("x-signature"), Some("ours"));
    assert_eq!(sent.header("x-api-key"), Some(key.text()));
    assert!(sent.headers.iter().all(|(_, value)| !value.contains("theirs")), "{:?}", sent.headers);
    assert!(!sent.text().contains("theirs"), "{}", sent.text());
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.finish();
}
