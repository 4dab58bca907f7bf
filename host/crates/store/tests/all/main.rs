//! The store over real files in temporary folders.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod folder;
mod actors;
mod ops;
mod opening;
mod quotas;
mod resolving;
mod stacks;
mod writing;
mod audit;
mod changes;
