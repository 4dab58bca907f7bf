//! Checks that the house stands as host/README.md says.
//!
//! **Use it when** a rule of the house can be read off the text of the tree: who depends on whom, which
//! file may say `unsafe`, what a file opens with. **Not when** it must run something: that is
//! `tests/blackbox` (promises to a user) and `tests/adversary` (denials).
//!
//! Invariants:
//! 1. Every check is a plain function from text to complaints, with a test in which it complains.
//! 2. Every check over the tree asserts that it found something to check.
//! 3. There are no exemption comments. A rule that is wrong is changed here, for everyone.
//!
//! Tests: this crate is nothing else.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this crate is tests: a broken assumption about the tree must stop it"
)]

#[cfg(test)]
mod tree;
#[cfg(test)]
mod ranks;
#[cfg(test)]
mod homes;
#[cfg(test)]
mod order;
#[cfg(test)]
mod openings;
#[cfg(test)]
mod words;
#[cfg(test)]
mod lengths;
#[cfg(test)]
mod unsafety;
#[cfg(test)]
mod exposure;
#[cfg(test)]
mod spans;
#[cfg(test)]
mod environment;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod weaknesses;
#[cfg(test)]
mod weight;
#[cfg(test)]
mod traces_of_machines;
