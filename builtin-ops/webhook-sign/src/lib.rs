//! `txco://webhook-sign`: the headers of a signed webhook.
#![cfg_attr(target_arch = "wasm32", no_std)]

use parts::json;
use parts::webhook::{Scheme, Stamp};
use txco_op::prelude::*;

#[derive(Params)]
struct Params {
    scheme: Scheme,
    #[param(default = "body")]
    input_path: String,
    id: Option<String>,
    key_encoding: Option<Encoding>,
}

#[derive(Output)]
struct Headers {
    #[output(path = "@computed.webhook", param = "output_path", class = digest)]
    headers: Value,
}

#[op]
fn sign(call: &Call) -> Result<Headers, Failure> {
    let Params { scheme, input_path, id, key_encoding } = call.params()?;
    let mut keys = call.keys("key", key_encoding.unwrap_or(scheme.encoding()))?;
    if !scheme.takes_several() {
        keys.truncate(1);
    }
    let nothing = || parts::nothing("sign", "input_path", &input_path);
    let body = call.bytes(&input_path).ok_or_else(nothing)?;
    let id = match (scheme, id) {
        (Scheme::StandardWebhooks, None) => concat(&["msg_", &hex(&call.random::<16>())]),
        // A full stop would let the receiver see another id, time and body than were signed.
        (Scheme::StandardWebhooks, Some(id)) if parts::is_header_text(&id) && !id.contains('.') => id,
        (Scheme::StandardWebhooks, Some(_)) => return Err("id must be ASCII without a full stop".into()),
        (_, None) => String::new(),
        (_, Some(_)) => return Err("only standard-webhooks has an id".into()),
    };
    let time = decimal(call.now_seconds());
    let stamp = Stamp { id: &id, time: &time };
    let signatures = keys.iter().map(|key| Ok(scheme.write(&scheme.mac(key, &stamp, (&body).into())?)));
    let signatures = signatures.collect::<Result<Vec<_>, Failure>>()?;
    let signature = match scheme {
        Scheme::Stripe => concat(&["t=", &time, ",", &parts::joined(&signatures, ",")]),
        Scheme::Github | Scheme::Slack | Scheme::StandardWebhooks => parts::joined(&signatures, " "),
    };
    let mut headers = vec![("signature", json::quoted(&signature))];
    if scheme.has_time() {
        headers.push(("timestamp", json::quoted(&time)));
    }
    if !id.is_empty() {
        headers.push(("id", json::quoted(&id)));
    }
    Ok(Headers { headers: Value::json(json::object(headers)) })
}

#[cfg(test)]
mod tests;
