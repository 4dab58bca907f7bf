//! Attacks, one file each, against the built `txco`: each must end in its exact fault.
//!
//! Hostile guests (memory, time, host calls) are tried in `host/crates/sandbox`, where a guest can be handed
//! in; here stand the attacks of clients, upstreams, rule authors and whoever can write the database file.
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
mod client_spoofs_control_fields;
mod header_injection;
mod answer_splitting;
mod op_writes_control_fields;
mod body_secret_without_a_body;
mod upstream_echoes;
mod upstream_redirects;
mod upstream_spoofs_control_fields;
mod name_resolves_inside;
mod own_admin_head;
mod credential_goes_astray;
mod secret_of_another_tenant;
mod rows_swapped;
mod rows_damaged;
mod wrong_master_key;
mod killed_during_set;

/// The binary under test.
const TXCO: &str = env!("CARGO_BIN_EXE_txco");
