//! `txco://jwt-sign`: a signed JSON Web Token (RFC 7519).
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod claims;

use parts::json;
use parts::signature::Jws;
use txco_op::prelude::*;

use crate::claims::{Claims, Own};

#[derive(Params)]
struct Params {
    algorithm: Jws,
    claims: Option<Value>,
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<Value>,
    expires_in: Option<u64>,
    #[param(default)]
    token_id: bool,
    key_id: Option<String>,
    #[param(name = "type", default = "JWT")]
    kind: String,
    #[param(default)]
    visible: bool,
}

#[derive(Output)]
struct Token {
    #[output(path = "@computed.jwt", param = "output_path", class = credential)]
    sealed: Option<String>,
    /// The same place, for a token that is meant to be seen.
    #[output(path = "@computed.jwt", param = "output_path", class = digest)]
    visible: Option<String>,
}

#[op]
fn sign(call: &Call, params: Params) -> Result<Token, Failure> {
    let key = call.key("key", Encoding::Declared)?;
    let own = Own {
        issuer: params.issuer,
        subject: params.subject,
        audience: params.audience,
        expires_in: params.expires_in,
        id: params.token_id.then(|| hex(&call.random::<16>())),
        now: call.now_seconds(),
    };
    let payload = Claims::read(params.claims.as_ref())?.with(own)?;
    let mut header =
        vec![("alg", json::quoted(params.algorithm.name())), ("typ", json::quoted(&params.kind))];
    header.extend(params.key_id.map(|id| ("kid", json::quoted(&id))));
    let sign = |input: &str| key.sign(params.algorithm.algorithm(), message![input]);
    let token = compact(json::object(header).as_bytes(), payload.as_bytes(), sign)?;
    let (sealed, visible) = if params.visible { (None, Some(token)) } else { (Some(token), None) };
    Ok(Token { sealed, visible })
}

/// The compact form (RFC 7515, section 7.1).
fn compact(
    header: &[u8],
    payload: &[u8],
    sign: impl FnOnce(&str) -> Result<Vec<u8>, Failure>,
) -> Result<String, Failure> {
    let input = concat(&[&base64url(header), ".", &base64url(payload)]);
    let signature = base64url(&sign(&input)?);
    Ok(concat(&[&input, ".", &signature]))
}

#[cfg(test)]
mod tests;
