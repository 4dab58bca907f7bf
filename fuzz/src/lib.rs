//! What must hold for every input; the fuzz targets hand theirs in.
#![forbid(unsafe_code)]

pub mod targets;
