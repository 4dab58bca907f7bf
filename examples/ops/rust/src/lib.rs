//! Signs a part of the input with HMAC-SHA256, as hexadecimal.
#![cfg_attr(target_arch = "wasm32", no_std)]

use txco_op::prelude::*;

#[derive(Params)]
struct Params {
    #[param(default = "body")]
    input_path: String,
}

#[derive(Output)]
struct Signed {
    #[output(path = "@computed.mac", param = "output_path", class = digest)]
    mac: String,
}

#[op]
fn sign(call: &Call, params: Params) -> Result<Signed, Failure> {
    let message = call.bytes(&params.input_path).ok_or("nothing to sign at input_path")?;
    let key = call.mac_key("key", Encoding::Text)?;
    Ok(Signed { mac: hex(&key.hmac(Hash::Sha256, message![&message])?) })
}

#[cfg(test)]
mod tests;
