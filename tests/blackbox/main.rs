//! Promises to a user, tried from outside: the built `txco`, its command line, its sockets, its files.
//!
//! One file per promise. Every test ends with `Host::finish`, which searches all that the run produced for
//! every secret of the run; a secret is made by `Host::store` or `Host::canary` and nowhere else.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests; clippy knows only functions marked as tests"
)]

mod boot;
mod key_file;
mod key_ring;
mod keys_killed;
mod key_sources;
mod secrets_init;
mod secrets_verbs;
mod secret_versions;
mod rotation;
mod signed_requests;
mod secret_policy;
mod doctor;
mod typed_secret;
mod tenants;
mod tenant_runtime;
mod admin_api;
mod admin_access;
mod identity;
mod listings;
mod space_verbs;
mod spans;
mod signing;
mod basic_auth;
mod ops_manual;
mod missing_secret;
mod upstreams;
mod egress;
mod answers;
mod run;
mod ways;
mod continuations;
mod runs;
mod continuations_joins;
mod continuations_joins_end;
mod continuations_killed;
mod continuations_joins_killed;
mod continuations_left;
mod many_at_once;
mod restart;
mod go_database;
mod reload;
mod hostnames;
mod stacks;
mod workspace;
mod of_go;
mod rule_files;
mod drain;
mod configuration;
mod dev;
mod trace;
mod log;
mod audit;
mod metrics;
mod runbook;
mod values;
mod demo;
mod op_push;
mod op_sign;
mod op_new;
mod op_build_ends;
mod op_verbs;
mod op_verify;
mod op_languages;
mod op_weaknesses;
mod backup;
mod hard_times;
mod several_chassis;
mod readyz;
mod secrets_import;

/// The binary under test.
const TXCO: &str = env!("CARGO_BIN_EXE_txco");

/// A file of this folder, for golden texts.
fn golden(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/blackbox/golden").join(name)
}
