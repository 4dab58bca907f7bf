//! Fuzzes `targets::secrets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| txco_fuzz::targets::secrets(data));
