//! `txco://jwt-verify`: whether a JSON Web Token is signed, fresh and meant for us.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod token;

use parts::json;
use parts::signature::Jws;
use txco_op::prelude::*;

use crate::token::{Expected, Reason, Token};

#[derive(Params)]
struct Params {
    algorithm: Jws,
    public_key: Option<String>,
    #[param(default = "@web.req.headers.Authorization.0")]
    token_path: String,
    issuer: Option<String>,
    audience: Option<String>,
    subject: Option<String>,
    #[param(name = "type")]
    kind: Option<String>,
    #[param(default = 60)]
    leeway: u64,
    #[param(default = true)]
    require_exp: bool,
}

#[derive(Output)]
struct Verdict {
    #[output(path = "@computed.jwt", param = "output_path", class = data)]
    verdict: Value,
}

#[op]
fn verify(call: &Call, params: Params) -> Result<Verdict, Failure> {
    let mac = (params.algorithm == Jws::Hs256).then_some(params.algorithm.name());
    let keys = parts::verifying_keys(call, params.public_key.as_deref(), mac)?;
    let found = call.get(&params.token_path).map(Value::into_text).unwrap_or_default();
    let expected = Expected {
        algorithm: params.algorithm,
        issuer: params.issuer,
        audience: params.audience,
        subject: params.subject,
        kind: params.kind,
        leeway: params.leeway,
        require_exp: params.require_exp,
        now: call.now_seconds(),
    };
    let members = match verdict(&keys, &found, &expected)? {
        Ok((claims, index)) => {
            let retiring = if index > 0 { "true" } else { "false" };
            vec![("valid", "true".to_owned()), ("retiring", retiring.to_owned()), ("claims", claims)]
        }
        Err(reason) => vec![("valid", "false".to_owned()), ("reason", json::quoted(reason.word()))],
    };
    Ok(Verdict { verdict: Value::json(json::object(members)) })
}

/// The claims, as JSON text, and which key signed; or why not. The signature is checked before
/// anything of the payload is looked at.
fn verdict(
    keys: &[Key],
    found: &str,
    expected: &Expected,
) -> Result<Result<(String, usize), Reason>, Failure> {
    let token = match Token::read(found, expected) {
        Ok(token) => token,
        Err(reason) => return Ok(Err(reason)),
    };
    for (index, key) in keys.iter().enumerate() {
        if key.verify(expected.algorithm.algorithm(), message![token.signed], &token.signature)? {
            return Ok(token.claims(expected).map(|claims| (claims, index)));
        }
    }
    Ok(Err(Reason::Signature))
}

#[cfg(test)]
mod tests;
