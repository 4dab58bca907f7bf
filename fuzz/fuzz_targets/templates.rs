//! Fuzzes `targets::templates`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| txco_fuzz::targets::templates(data));
