//! The binary: parse, configure, run, exit code.
fn main() {}
