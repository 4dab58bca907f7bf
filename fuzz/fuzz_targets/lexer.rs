//! Fuzzes `targets::lexer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| txco_fuzz::targets::lexer(data));
