//! What several of the built-in ops are made of.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod json;
pub mod mac;
pub mod signature;
pub mod target;
pub mod webhook;

use alloc::vec::Vec;

use txco_op::Failure;

/// A failure of words and values, one after the other: without the machinery of formatting,
/// which is larger than most ops.
pub fn failure(words: &[&str]) -> Failure {
    Failure::new(words.concat())
}

/// There is nothing at the path that a parameter names.
pub fn nothing(to_what: &str, param: &str, path: &str) -> Failure {
    failure(&["nothing to ", to_what, " at ", param, " \"", path, "\""])
}

/// A text that stands in a header as it is: without control characters and of ASCII only.
pub fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// What stands between separators, without blanks around it and without what is empty.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    text.split(separator).map(str::trim).filter(|part| !part.is_empty()).collect()
}
