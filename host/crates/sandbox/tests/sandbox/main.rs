//! The sandbox from outside: its limits, its walls, its memory, and the real built-ins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

extern crate txco_sandbox as sandbox;

/// Guests made of text, secrets made by a real vault.
mod bench;
/// The contract's text, frozen.
mod contract;
/// One pair per limit.
mod limits;
/// The same for components that bring an interpreter along.
mod large;
/// What a guest cannot do.
mod walls;
/// An operating system with nothing in it.
mod wasi;
/// Secrets that are used and never seen.
mod keys;
/// What a guest hands over that is no value of the contract.
mod lies;
/// What an op may say that was shown a secret.
mod says;
/// Which ops are called directly, and that none can tell.
mod wiring;
/// What is left of a call.
mod memory;
/// What a warm call asks of the kernel: nothing.
mod silent;
/// Compiled code between starts.
mod cache;
/// The embedded ops against public vectors: those of the Go chassis, and all of them in common.
mod builtins;
/// The others.
mod catalogue;
/// Two versions of a key at once.
mod retiring;
