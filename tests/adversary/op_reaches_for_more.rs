//! An op has what its call grants and nothing else: no other slot, tenant, handle, and no byte of another's memory.

use serde_json::json;
use support::Host;

use crate::TXCO;
use crate::attack::fault;
use crate::hostile::{FORGER, Guest, HOSTILE, SCAVENGER, attack, ends, said, with_guest, with_guests};

const FAILED: (u16, &str) = (500, "op_failed");

#[track_caller]
fn ends_in(guest: &Guest, attack: u32, code: &str, words: &str) {
    let (host, secret) = with_guest(guest);
    ends(host, &secret, attack, code, FAILED).says(words);
}

/// Weakness C1: an op has what its call grants, and nothing else of the rule or the process.
#[test]
fn a_slot_that_was_not_granted_is_not_revealed() {
    ends_in(&HOSTILE, 8, "op_failed", "no-such-slot: ");
}

#[test]
fn a_slot_that_was_not_granted_is_not_opened() {
    ends_in(&FORGER, 5, "op_failed", "no-such-slot: ");
}

#[test]
fn the_name_of_another_tenants_secret_is_no_slot() {
    ends_in(&HOSTILE, 9, "op_failed", "no-such-slot: ");
}

#[test]
fn a_forged_handle_ends_the_call() {
    ends_in(&FORGER, 1, "op_trapped", "it broke the rules of the component ABI");
}

#[test]
fn a_stale_handle_ends_the_call() {
    ends_in(&FORGER, 2, "op_trapped", "it broke the rules of the component ABI");
}

#[test]
fn a_handle_of_another_kind_ends_the_call() {
    ends_in(&FORGER, 3, "op_trapped", "it broke the rules of the component ABI");
}

#[test]
fn a_crash_after_a_key_was_used_leaves_nothing_of_it() {
    ends_in(&FORGER, 6, "op_trapped", "unreachable");
}

#[test]
fn memory_past_its_own_end_faults() {
    ends_in(&HOSTILE, 19, "op_trapped", "out of bounds memory access");
}

/// One op fills all the memory it may have with its secret; the next grows as far and finds zeros (R24).
#[test]
fn recycled_memory_holds_nothing() {
    let flags = ["--sandbox-wall", "30s", "--sandbox-memory", "8MiB"];
    let (mut host, secret) = with_guests(Host::serve(TXCO).flags(&flags), &[&HOSTILE]);
    crate::hostile::push(&mut host, &SCAVENGER);
    host.write(
        "workspace/OPS/web/100/scavenger.txcl",
        "WHEN .body.pages != null\nEXEC \"op://scavenger\"\nWITH pages = .body.pages\n",
    );
    host.logs_after("rules reloaded", |host| host.signal(support::Signal::HUP));
    for round in 0..3 {
        let reply = attack(&mut host, 2);
        assert_eq!(reply.status, 500, "{}", reply.text());
        for pages in [0, 1, 127] {
            let reply = host.event("/", &json!({ "pages": pages }));
            assert_eq!(said(&reply), json!("clean"), "round {round}, {pages} pages more");
        }
    }
    // One more than it may have is its own fault.
    let before = host.files("data/trace/requests").len();
    assert_eq!(host.event("/", &json!({ "pages": 128 })).status, 500);
    assert!(host.files("data/trace/requests").len() > before);
    host.forgot(&secret, "all of it");
    host.finish();
}

/// What a rule does not name an op cannot have either, whoever's it is.
#[test]
fn a_rule_that_grants_nothing_does_not_start_an_op_that_reveals() {
    let (mut host, secret) = with_guest(&HOSTILE);
    host.write("workspace/OPS/web/100/hostile.txcl", "EXEC \"op://hostile\"\nWITH attack = 0\n");
    host.logs_after("rules reloaded", |host| host.signal(support::Signal::HUP));
    assert_eq!(attack(&mut host, 0).status, 500);
    assert_eq!(fault(&host), "secret_declaration_invalid");
    host.forgot(&secret, "a call that was not granted it");
    host.finish();
}
