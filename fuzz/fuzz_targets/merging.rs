//! Fuzzes `merging::merging`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| txco_fuzz::merging::merging(data));
