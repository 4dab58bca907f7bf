//! The vault over real databases in temporary folders.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod house;
mod administration;
mod keys;
mod packing;
mod policies;
mod ring;
mod tampering;
mod versions;
mod wiping;
mod runs;
mod audit;
