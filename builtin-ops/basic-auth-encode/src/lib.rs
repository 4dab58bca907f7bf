//! `txco://basic-auth-encode`: the credentials text of HTTP Basic authentication (RFC 7617).
#![cfg_attr(target_arch = "wasm32", no_std)]

use txco_op::prelude::*;

#[derive(Params)]
struct Params {
    user: String,
}

#[derive(Output)]
struct Encoded {
    #[output(path = "@computed.basic_auth", param = "output_path", class = credential)]
    basic_auth: String,
}

#[op]
fn encode(call: &Call) -> Result<Encoded, Failure> {
    let password = call.reveal("password")?;
    let Params { user } = call.params()?;
    if user.contains(':') {
        // RFC 7617, section 2: the upstream would take a part of it for the password.
        return Err("user must not contain a colon".into());
    }
    let pair = Secret::new([user.as_bytes(), b":", password.expose()].concat());
    Ok(Encoded { basic_auth: base64(pair.expose()) })
}

#[cfg(test)]
mod tests;
