//! Locked, wiped, undumpable memory behind a safe interface.
//!
//! **Use it when** bytes are a secret's or a guest's: [`Locked`] for keys and credentials,
//! [`Pocket`] for secrets that are opened for one call, [`Reservations`] for the linear memories of guests, [`clearing_stack`] for code that works
//! on secrets, [`harden()`] once at the start of the process, [`wipe_variable`] before it.
//! **Not when** bytes may be seen: use the heap.
//!
//! Invariants:
//! 1. Memory is wiped, behind a barrier that no optimiser removes, when its owner is
//!    dropped, before its pages are recycled or go back to the kernel.
//! 2. Memory is never recycled larger than it was made; what a guest grew is inaccessible
//!    again before anyone else gets it, or it is unmapped (R24). Eight memories of the process
//!    keep a page of WebAssembly of it, wiped and locked, for the next who grows (decision 0077).
//! 3. It is in no core dump and zero in forked children.
//! 4. It is locked into memory as far as `RLIMIT_MEMLOCK` goes, guests within half of it;
//!    what is not is used all the same and counted ([`unlocked_bytes`]).
//! 5. What work spilled on its thread's stack is gone after [`clearing_stack`], however deep;
//!    what the kernel saved of a crash is gone after [`clear_signal_stack`].
//! 6. `unsafe` stands in three files: `inherited.rs`, `region.rs` and `stack.rs`.
//!
//! Tests: `tests.rs`, `tests/limits.rs`, `tests/spare.rs`; what a guest sees, in `sandbox/tests`.
#![deny(unsafe_op_in_unsafe_fn)]

mod error;
mod ledger;
mod region;
mod reservations;
mod locked;
mod pocket;
mod stack;
mod harden;
mod inherited;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use harden::{Hardened, harden};
pub use inherited::{Wiped, wipe_variable};
pub use ledger::unlocked_bytes;
pub use locked::Locked;
pub use pocket::Pocket;
pub use reservations::{Reservation, Reservations, Shape};
pub use stack::{clear_signal_stack, clearing_stack};
