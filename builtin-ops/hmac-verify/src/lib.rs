//! `txco://hmac-verify`: whether a text of the input is the HMAC of a part of it.
#![cfg_attr(target_arch = "wasm32", no_std)]

use parts::mac::{Algorithm, Written};
use txco_op::prelude::*;

#[derive(Params)]
struct Params {
    expected_path: String,
    #[param(default = Algorithm::Sha256)]
    algorithm: Algorithm,
    #[param(default = Written::Hex)]
    encoding: Written,
    #[param(default = "body")]
    input_path: String,
}

#[derive(Output)]
struct Verified {
    #[output(path = "@computed.sig_valid", param = "output_path", class = data)]
    valid: bool,
}

#[op]
fn verify(call: &Call) -> Result<Verified, Failure> {
    let keys = call.mac_keys("key", Encoding::Declared)?;
    let Params { expected_path, algorithm, encoding, input_path } = call.params()?;
    let nothing = || parts::nothing("verify", "input_path", &input_path);
    let message = call.bytes(&input_path).ok_or_else(nothing)?;
    // What is no MAC at all is a wrong one: the client wrote it, not the rule's author.
    let expected = call.get(&expected_path).and_then(|text| encoding.read(text.as_text()));
    let mut valid = false;
    if let Some(expected) = expected {
        for key in &keys {
            valid |= algorithm.verify(key, message![&message], &expected)?;
        }
    }
    Ok(Verified { valid })
}

#[cfg(test)]
mod tests;
