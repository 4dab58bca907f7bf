//! Runs one op once, in memory of its own that is wiped afterwards.
//!
//! **Use it when** bytes that somebody else wrote shall run beside secrets. **Not when**
//! the question is which op to run and with which secrets (`chassis`), what a secret is
//! (`vault`), or where something may be sent (`egress`).
//!
//! Invariants:
//! 1. Each call has a fresh store and instance, never used again.
//! 2. A guest sees the secrets of its own call's bag, by slot, through one function
//!    (`hostcalls.rs`), and only if the call grants any; otherwise it does not even start.
//!    What it may use and not see it names by handles (`keys.rs`), and the host computes.
//! 3. When [`Op::call`] returns, whatever the outcome, the guest's memory, the bag and the
//!    host's copies are wiped.
//! 4. Every use of memory, time, stack, tables, host calls, arguments, handles, log and
//!    output is bounded by [`Limits`]; beyond one is exactly its [`Over`].
//! 5. A guest imports the interfaces of `guest-sdk/wit`, and those of WASI that its toolchain
//!    cannot do without, with nothing behind them (`wasi.rs`); anything foreign is refused
//!    before it is linked. Those that are found to be wired as usual (`wiring.rs`) are called without the
//!    engine's component layer (`direct.rs`): the same functions, checked by hand.
//! 6. An op that had a secret in its hands returns what its manifest declares; one that was
//!    shown it, in the classes that the secrets' policies allow, at exactly the declared
//!    places and without words of its own, unless its [`Trust`] says otherwise (R21). A
//!    credential leaves only sealed.
//! 7. Compiled code from disk runs only if its MAC under a key of the vault is right.
//! 8. `unsafe` stands in `memory.rs` and `cache.rs`; a secret is exposed in `hostcalls.rs`,
//!    the code cache's key in `cache.rs`.
//!
//! Tests: `tests/`, with the guests of `tests/guests` and the real built-ins.
#![deny(unsafe_op_in_unsafe_fn)]

mod json;
mod limits;
mod large;
mod error;
mod io;
mod manifest;
mod memory;
mod engine;
mod epoch;
mod cache;
mod random;
mod handles;
mod wire;
mod abi;
mod log;
mod hostcalls;
mod keys;
mod direct;
mod wasi;
mod wiring;
mod output;
mod guest;
mod leash;
mod call;
mod builtins;
mod sandbox;
pub mod measure;

pub use builtins::{Builtin, builtins};
pub use cache::CodeCache;
pub use call::Op;
pub use error::{Error, OutputFlaw};
pub use guest::Layered;
pub use io::{OpInput, OpOutput, Randomness, Trust};
pub use leash::{Leash, Waiting};
pub use limits::{Limits, Over};
pub use manifest::manifest;
pub use sandbox::{Ready, Sandbox};
