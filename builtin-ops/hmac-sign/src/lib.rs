//! `txco://hmac-sign`: an HMAC (RFC 2104) over part of the input, under a secret.
#![cfg_attr(target_arch = "wasm32", no_std)]

use parts::mac::{Algorithm, Written};
use txco_op::prelude::*;

#[derive(Params)]
struct Params {
    #[param(default = Algorithm::Sha256)]
    algorithm: Algorithm,
    #[param(default = Written::Hex)]
    encoding: Written,
    #[param(default = "body")]
    input_path: String,
}

#[derive(Output)]
struct Signed {
    #[output(path = "@computed.hmac", param = "output_path", class = digest)]
    hmac: String,
}

#[op]
fn sign(call: &Call) -> Result<Signed, Failure> {
    let key = call.mac_key("key", Encoding::Declared)?;
    let Params { algorithm, encoding, input_path } = call.params()?;
    let nothing = || parts::nothing("sign", "input_path", &input_path);
    let message = call.bytes(&input_path).ok_or_else(nothing)?;
    Ok(Signed { hmac: encoding.write(&algorithm.sign(&key, message![&message])?) })
}

#[cfg(test)]
mod tests;
