//! What several of the built-in ops are made of.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod json;
pub mod mac;
pub mod signature;
pub mod target;
pub mod http_signature;
pub mod webhook;

use alloc::string::String;
use alloc::vec::Vec;

use txco_op::{Call, Encoding, Failure, Key};

/// A failure of words and values, one after the other: without the machinery of formatting,
/// which is larger than most ops.
pub fn failure(words: &[&str]) -> Failure {
    Failure::new(txco_op::concat(words))
}

/// There is nothing at the path that a parameter names.
pub fn nothing(to_what: &str, param: &str, path: &str) -> Failure {
    failure(&["nothing to ", to_what, " at ", param, " \"", path, "\""])
}

/// The keys that may have signed: the public ones of a rule's parameter, one PEM after the other, or
/// the versions of the secret in slot `key`. `mac` is the algorithm's name when it is a MAC.
///
/// # Errors
/// [`Failure`] when there is none, or one is no key.
pub fn verifying_keys(call: &Call, public: Option<&str>, mac: Option<&str>) -> Result<Vec<Key>, Failure> {
    let Some(pem) = public else { return call.keys("key", Encoding::Declared) };
    if let Some(mac) = mac {
        // A key that everybody knows makes MACs that everybody can make.
        return Err(failure(&[mac, " has no public key; give the secret at secrets.key"]));
    }
    let blocks = pem.split_inclusive("-----END PUBLIC KEY-----").filter(|block| !block.trim().is_empty());
    blocks.map(|block| Key::public(block.trim())).collect()
}

/// A text that stands in a header as it is: without control characters and of ASCII only.
pub fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Texts with `between` in between. `join()` of a slice does it too, with a kilobyte per type of text.
pub fn joined(texts: &[impl AsRef<str>], between: &str) -> String {
    let mut whole = String::new();
    for (number, text) in texts.iter().enumerate() {
        whole.push_str(if number > 0 { between } else { "" });
        whole.push_str(text.as_ref());
    }
    whole
}

/// What stands between separators, without blanks around it and without what is empty.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    text.split(separator).map(str::trim).filter(|part| !part.is_empty()).collect()
}
