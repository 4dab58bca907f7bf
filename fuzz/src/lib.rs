//! What must hold for every input; the fuzz targets hand theirs in.
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "the chassis uses all of it")]
#[path = "../../host/crates/chassis/src/merge.rs"]
mod merge;
pub mod merging;
pub mod targets;
pub mod web;
