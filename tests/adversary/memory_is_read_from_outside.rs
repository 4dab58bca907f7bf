//! What a debugger, or a core dump, finds in the memory of a chassis: only what a call under way needs (R40).

use std::thread;
use std::time::Duration;

use serde_json::json;
use support::{Host, Request, Signal, send};

use crate::TXCO;
use crate::attack::{SEND, SIGN, chassis, vendor};
use crate::hostile::{HOSTILE, with_guests};

/// Copies that one secret may leave behind in the buffers of the HTTP client and of TLS, however often it was
/// sent. `host/docs/threat-model.md` says which they are.
const LEFT_BY_SENDING: usize = 4;

/// The control: a search finds a secret where there is one.
#[test]
fn while_a_call_runs_its_secret_is_there() {
    let (host, secret) = with_guests(Host::serve(TXCO).flags(&["--sandbox-wall", "6s"]), &[&HOSTILE]);
    let address = host.web_address();
    let call = thread::spawn(move || {
        send(address, &Request::new("POST", "/").json(&json!({ "attack": 1 }))).unwrap().status
    });
    thread::sleep(Duration::from_secs(1));
    if let Some(found) = host.memory(&secret) {
        let in_guest = found.sightings.len() - found.dumped();
        assert!(in_guest >= 30, "the guest's own copies: {:#?}", found.sightings);
        // The one that was handed in: the engine takes it from the heap. The bag's is in no dump.
        assert!(
            found.dumped() <= 1,
            "{:#?}",
            found.sightings.iter().filter(|s| s.in_dumps).collect::<Vec<_>>()
        );
        assert!(found.searched > found.in_dumps);
    }
    assert_eq!(call.join().unwrap(), 504);
    host.forgot(&secret, "its deadline");
    host.finish();
}

/// Weakness C2: no copy stays behind, in buffers of libraries neither.
#[test]
fn after_it_was_stored_rotated_and_used_nothing_is_left() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    let first = host.store("SIGNING_KEY");
    host.forgot(&first, "set");
    assert_eq!(host.event("/", &json!("text")).status, 200);
    host.forgot(&first, "a signature");
    let second = host.canary("second");
    let rotate = host.secrets_call(&["rotate", "SIGNING_KEY"]).stdin(second.text());
    host.run(&rotate).succeeds();
    host.forgot(&second, "rotate");
    for _ in 0..50 {
        assert_eq!(host.event("/", &json!("text")).status, 200);
    }
    host.forgot(&first, "fifty signatures with the next");
    host.forgot(&second, "fifty signatures");
    host.finish();
}

#[test]
fn after_it_was_generated_nothing_is_left() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    let shown = host.secrets(&["generate", "SIGNING_KEY"]);
    let shown = support::Canary::found("generated", shown.succeeds().trim().as_bytes());
    host.guard(&shown);
    host.allow(&shown, "stdout", 1);
    host.forgot(&shown, "generate");
    assert_eq!(host.event("/", &json!("text")).status, 200);
    host.forgot(&shown, "a signature");
    host.finish();
}

/// What is sent goes through buffers of libraries: how many copies stay is counted, and does not grow.
#[test]
fn what_sending_leaves_is_little_and_does_not_grow() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SEND).start();
    let secret = host.store("VENDOR_KEY");
    host.forgot(&secret, "set");
    let mut left = Vec::new();
    for sends in [1, 9, 40] {
        for _ in 0..sends {
            assert_eq!(host.event("/", &json!({})).status, 200);
        }
        let Some(found) = host.memory(&secret) else { break };
        println!("{} copies of a spliced secret: {:#?}", found.sightings.len(), found.sightings);
        left.push(found.sightings.len());
    }
    assert!(left.iter().all(|count| *count <= LEFT_BY_SENDING), "copies after 1, 10 and 50 sends: {left:?}");
    host.allow(&secret, "upstream vendor header x-api-key", 50);
    host.finish();
}

/// A process that crashes leaves its memory in no file, even where the limits would let it.
#[test]
fn a_crash_leaves_no_core_file() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    host.store("SIGNING_KEY");
    assert_eq!(host.event("/", &json!("text")).status, 200);
    let limits = host.limits();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "soft and hard: {core}");
    host.signal(Signal::ABORT);
    assert_eq!(host.wait(), None, "ended by the signal");
    let cores: Vec<_> = host.files("").into_iter().filter(|name| name.contains("core")).collect();
    assert!(cores.is_empty(), "{cores:?}");
    host.finish();
}
