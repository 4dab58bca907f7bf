//! `txco://basic-auth-encode`: the credentials text of HTTP Basic authentication (RFC 7617).
//!
//! | `WITH` | default | |
//! |---|---|---|
//! | `secrets.password.secret` | required | the password |
//! | `user` | required | the user name; no `:` in it |
//! | `output_path` | `_txc.computed.basic_auth` | where base64(user:password) goes |
//!
//! The output is a credential: rules can put it into a header, nothing can look into it.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};
use txco_op::{Call, Failure, Field, Secret, SecretError};

txco_op::op!(handle);

/// The op.
///
/// # Errors
/// One line per mistake in the rule; it names parameters, never values.
pub fn handle(call: &impl Call) -> Result<Vec<Field>, Failure> {
    if call.versions("password") == 0 {
        return Err(failure("missing secrets.password.secret in WITH"));
    }
    let user = call.text("user").ok_or_else(|| failure("missing user in WITH"))?;
    if user.contains(':') {
        // RFC 7617, section 2: the upstream would take a part of it for the password.
        return Err(failure("user must not contain a colon"));
    }
    let password = call.reveal("password", 0).map_err(|error| {
        failure(match error {
            SecretError::Denied => "the secret in secrets.password may not be revealed to it",
            SecretError::NoSuchSlot | SecretError::NoSuchVersion => "missing secrets.password.secret in WITH",
        })
    })?;
    let place = call.text("output_path").unwrap_or_else(|| String::from("_txc.computed.basic_auth"));
    Ok(vec![Field::credential(place, encode(&user, &password))])
}

fn encode(user: &str, password: &Secret) -> String {
    let pair = Secret::new([user.as_bytes(), b":", password.expose()].concat());
    Base64::encode_string(pair.expose())
}

fn failure(words: &str) -> Failure {
    Failure::new("basic-auth-encode-err", ["basic-auth-encode: ", words].concat())
}

#[cfg(test)]
mod tests;
