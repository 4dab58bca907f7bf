//! `txco://webhook-verify`: whether a webhook is from whom it seems, and fresh.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod message;

use parts::json;
use parts::webhook::{Scheme, Stamp};
use txco_op::prelude::*;

use crate::message::{Reason, Received};

#[derive(Params)]
struct Params {
    scheme: Scheme,
    #[param(default = "body")]
    input_path: String,
    signature_path: Option<String>,
    timestamp_path: Option<String>,
    id_path: Option<String>,
    #[param(default = 300)]
    tolerance: u64,
    key_encoding: Option<Encoding>,
}

#[derive(Output)]
struct Verdict {
    #[output(path = "@computed.webhook", param = "output_path", class = data)]
    verdict: Value,
}

#[op]
fn verify(call: &Call) -> Result<Verdict, Failure> {
    let params: Params = call.params()?;
    let keys = call.keys("key", params.key_encoding.unwrap_or(params.scheme.encoding()))?;
    let members = match received(call, &params) {
        Ok((message, body)) => match matching(&keys, params.scheme, &message, &body)? {
            Some(index) => accepted(&message, index),
            None => Reason::Mismatch.members(),
        },
        Err(reason) => reason.members(),
    };
    Ok(Verdict { verdict: Value::json(json::object(members)) })
}

/// What came in, if it is a whole message of the scheme and fresh.
fn received(call: &Call, params: &Params) -> Result<(Received, Blob), Reason> {
    let Params { scheme, tolerance, .. } = params;
    let at = |path: &Option<String>, header: &str| {
        let own = || concat(&["@web.req.headers.", header, ".0"]);
        let found = call.get(&path.clone().unwrap_or_else(own));
        found.map(Value::into_text).filter(|text| !text.is_empty())
    };
    let (signature, time, id) = match scheme {
        Scheme::Stripe => ("Stripe-Signature", "", ""),
        Scheme::Github => ("X-Hub-Signature-256", "", ""),
        Scheme::Slack => ("X-Slack-Signature", "X-Slack-Request-Timestamp", ""),
        Scheme::StandardWebhooks => ("Webhook-Signature", "Webhook-Timestamp", "Webhook-Id"),
    };
    let signature = at(&params.signature_path, signature).ok_or(Reason::SignatureMissing)?;
    let time = (!time.is_empty()).then(|| at(&params.timestamp_path, time));
    let id = (!id.is_empty()).then(|| at(&params.id_path, id).ok_or(Reason::IdMissing)).transpose()?;
    let message = Received::read(*scheme, &signature, time.flatten(), id.unwrap_or_default())?;
    message.is_fresh(call.now_seconds(), *tolerance)?;
    let body = call.bytes(&params.input_path).ok_or(Reason::BodyMissing)?;
    Ok((message, body))
}

/// Which version of the key made one of the message's signatures. The MAC is made once per
/// version, however many signatures there are to compare it with.
fn matching(keys: &[Key], scheme: Scheme, message: &Received, body: &Blob) -> Result<Option<usize>, Failure> {
    let stamp = Stamp { id: &message.id, time: &message.time };
    let mut matching = None;
    for (index, key) in keys.iter().enumerate() {
        let mac = scheme.mac(key, &stamp, body.into())?;
        let found = message.signatures.iter().fold(false, |found, signature| found | equal(&mac, signature));
        if found && matching.is_none() {
            matching = Some(index);
        }
    }
    Ok(matching)
}

/// The verdict on a message that version `index` of the key signed.
fn accepted(message: &Received, index: usize) -> Vec<(&'static str, String)> {
    let mut members = vec![("valid", "true".to_owned())];
    members.push(("retiring", if index > 0 { "true" } else { "false" }.to_owned()));
    if let Some(seconds) = message.seconds {
        members.push(("timestamp", decimal(seconds)));
    }
    if !message.id.is_empty() {
        members.push(("id", json::quoted(&message.id)));
    }
    members
}

#[cfg(test)]
mod tests;
