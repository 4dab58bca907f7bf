//! Fuzzes `web::received::received`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| txco_fuzz::web::received::received(data));
