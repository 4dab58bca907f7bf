//! Attacks, one file each, against the built `txco`: each must end in its exact fault.
//!
//! Here stand the attacks of clients, upstreams, rule authors, ops and whoever can write the database file; each
//! limit of an op as a pair, at it and above it, is tried in `host/crates/sandbox`. After an attack by an op the
//! memory of the chassis is searched from outside.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests; clippy knows only functions marked as tests"
)]

mod attack;
mod client_sends_the_header_first;
mod client_sends_too_much;
mod client_dawdles;
mod client_does_not_read;
mod client_opens_no_window;
mod upstreams_and_clients_misbehave;
mod client_spoofs_control_fields;
mod header_injection;
mod answer_splitting;
mod op_writes_control_fields;
mod body_secret_without_a_body;
mod upstream_echoes;
mod upstream_compresses;
mod upstream_redirects;
mod upstream_spoofs_control_fields;
mod name_resolves_inside;
mod own_admin_head;
mod credential_goes_astray;
mod secret_of_another_tenant;
mod rows_swapped;
mod policy_edited;
mod rows_damaged;
mod wrong_master_key;
mod killed_during_set;
mod hostile;
mod op_uses_too_much;
mod op_tells_a_secret;
mod op_reaches_for_more;
mod op_outlives_its_deadline;
mod op_is_not_what_was_granted;
mod ops_loop_all_at_once;
mod large_ops_at_once;
mod many_wait_at_once;
mod memory_is_read_from_outside;

/// The binary under test.
const TXCO: &str = env!("CARGO_BIN_EXE_txco");
