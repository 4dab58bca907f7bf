//! What every black-box test stands on: a host, upstreams that record, canaries, and the search for leaks.
//!
//! **Use it when** a test runs the real `txco` and cares where a secret went. **Not when** a function of one
//! room is tested: that belongs beside its code.
//!
//! Invariants:
//! 1. A [`Host`] has a folder, ports and an environment of its own; nothing of the machine reaches it.
//! 2. A [`Host`] must be finished: [`Host::finish`] searches everything the run produced for every canary
//!    and for the master key. A `Host` that is dropped unfinished panics, so a leak cannot be forgotten.
//! 3. A sighting is legal only when the test declared it, and a declared one must happen exactly as often.
//! 4. A search that found nothing to search fails.
//!
//! Tests: beside the code; each encoding is planted and found.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "this crate is tests: whatever goes wrong here must stop the test"
)]

mod canary;
mod leaks;
mod memory;
mod http;
mod http2;
pub mod continuations;
mod authority;
mod upstream;
mod names;
mod command;
mod pty;
mod process;
mod golden;
pub mod faults;
mod host;

pub use canary::Canary;
pub use command::{Call, Output};
pub use golden::golden;
pub use host::{Builder, Host};
pub use http::{Reply, Request, send};
pub use http2::{Frame, Http2};
pub use leaks::Place;
pub use memory::{Found, Sighting};
pub use names::NameServer;
pub use pty::Pty;
pub use rustix::process::Signal;
pub use upstream::{Answer, Received, Upstream};
