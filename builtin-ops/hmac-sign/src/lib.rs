//! `txco://hmac-sign`: an HMAC (RFC 2104) over part of the input, under a secret.
//!
//! | `WITH` | default | |
//! |---|---|---|
//! | `secrets.key.secret` | required | the key, byte for byte |
//! | `algorithm` | `sha256` | or `sha512` |
//! | `input_path` | `body` | what is signed; nothing there is a failure, not a MAC of nothing |
//! | `encoding` | `hex` | lower case; or `base64`, standard with padding |
//! | `output_path` | `_txc.computed.hmac` | where the MAC goes |
//!
//! Paths are as in rules: `@a` is `_txc.a`, one leading dot is allowed.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod mac;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use mac::{Algorithm, Encoding};
use txco_op::{Call, Failure, Field, SecretError};

txco_op::op!(handle);

/// The op.
///
/// # Errors
/// One line per mistake in the rule; it names parameters, never values of the input.
pub fn handle(call: &impl Call) -> Result<Vec<Field>, Failure> {
    if call.versions("key") == 0 {
        return Err(failure(&["missing secrets.key.secret in WITH"]));
    }
    let algorithm = match call.text("algorithm") {
        None => Algorithm::Sha256,
        Some(name) => Algorithm::named(&name)
            .ok_or_else(|| failure(&["unsupported algorithm \"", &name, "\" (sha256|sha512)"]))?,
    };
    let encoding = match call.text("encoding") {
        None => Encoding::Hex,
        Some(name) => Encoding::named(&name)
            .ok_or_else(|| failure(&["unsupported encoding \"", &name, "\" (hex|base64)"]))?,
    };
    let path = call.text("input_path").unwrap_or_else(|| String::from("body"));
    let message =
        call.bytes(&path).ok_or_else(|| failure(&["nothing to sign at input_path \"", &path, "\""]))?;
    let key = call.reveal("key", 0).map_err(|error| {
        failure(&[match error {
            SecretError::Denied => "the secret in secrets.key may not be revealed to it",
            SecretError::NoSuchSlot | SecretError::NoSuchVersion => "missing secrets.key.secret in WITH",
        }])
    })?;
    let mac = algorithm.mac(key.expose(), &message);
    let place = call.text("output_path").unwrap_or_else(|| String::from("_txc.computed.hmac"));
    Ok(vec![Field::digest(place, encoding.text(&mac))])
}

fn failure(words: &[&str]) -> Failure {
    let mut message = String::from("hmac-sign: ");
    words.iter().for_each(|word| message.push_str(word));
    Failure::new("hmac-sign-err", message)
}

#[cfg(test)]
mod tests;
