//! No epoch interrupts a host call, so the host looks at the clock itself: a call cannot hide in one.

use serde_json::json;
use support::{Host, Request};

use crate::TXCO;
use crate::attack::fault;
use crate::hostile::{FORGER, attack, ends, said, with_guests};

const FLAGS: [&str; 6] =
    ["--sandbox-wall", "300ms", "--sandbox-memory", "1024MiB", "--web-max-body-bytes", "32MiB"];

/// The body is signed 64 times over, a gigabyte with a hash that has no instruction of its own: seconds.
#[test]
fn inside_a_host_call() {
    let (mut host, secret) = with_guests(Host::serve(TXCO).flags(&FLAGS), &[&FORGER]);
    let body = json!({ "attack": 4, "text": "x".repeat(15 << 20) });
    let reply = host.web(&Request::new("POST", "/").json(&body));
    assert_eq!(
        (reply.status, reply.json()["error"]["code"].as_str()),
        (504, Some("op_limit")),
        "{}",
        reply.text()
    );
    assert_eq!(fault(&host), "op_over_time");
    host.forgot(&secret, "a deadline inside a host call");
    assert_eq!(said(&attack(&mut host, 0)).as_str().map(str::len), Some(64));
    host.forgot(&secret, "an honest call after it");
    host.finish();
}

#[test]
fn after_a_host_call() {
    let (host, secret) = with_guests(Host::serve(TXCO).flags(&FLAGS), &[&FORGER]);
    ends(host, &secret, 7, "op_over_time", (504, "op_limit"));
}
