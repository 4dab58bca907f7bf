//! An op that takes more than its share of anything ends in exactly the fault of that limit, and leaves nothing.

use support::Host;

use crate::TXCO;
use crate::hostile::{HOSTILE, ends, with_guest, with_guests};

/// What the client sees of a limit.
const LIMIT: (u16, &str) = (500, "op_limit");

#[track_caller]
fn is_stopped(attack: u32, code: &str) {
    let (host, secret) = with_guest(&HOSTILE);
    ends(host, &secret, attack, code, LIMIT);
}

#[test]
fn time_by_a_loop_without_end() {
    let (host, secret) = with_guests(Host::serve(TXCO).flags(&["--sandbox-wall", "400ms"]), &[&HOSTILE]);
    let trace = ends(host, &secret, 1, "op_over_time", (504, "op_limit"));
    trace.says("longer than 400ms");
}

#[test]
fn memory() {
    is_stopped(2, "op_over_memory");
}

#[test]
fn table_elements() {
    is_stopped(3, "op_over_tables");
}

#[test]
fn stack_by_recursion_without_end() {
    is_stopped(4, "op_over_stack");
}

#[test]
fn host_calls() {
    is_stopped(5, "op_over_host_calls");
}

#[test]
fn output_of_a_gigabyte() {
    is_stopped(6, "op_over_output");
}

#[test]
fn log_lines() {
    is_stopped(7, "op_over_log");
}

#[test]
fn handles() {
    let (host, secret) = with_guest(&crate::hostile::FORGER);
    ends(host, &secret, 8, "op_over_handles", LIMIT);
}
