//! `txco://http-signature`: the headers of a signed HTTP request (RFC 9421).
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod parameters;

use parts::http_signature::{Component, Message, Scheme, base, structured};
use parts::target::Target;
use parts::{failure, json};
use txco_op::prelude::*;

use crate::parameters::Parameters;

#[derive(Params)]
struct Params {
    algorithm: Scheme,
    #[param(default = "@method @target-uri content-digest")]
    components: String,
    url: String,
    #[param(default = "POST")]
    method: String,
    headers: Option<Value>,
    #[param(default = "body")]
    input_path: String,
    #[param(default = "sig1")]
    label: String,
    key_id: Option<String>,
    expires_in: Option<u64>,
    #[param(default)]
    nonce: bool,
    tag: Option<String>,
}

#[derive(Output)]
struct Headers {
    #[output(path = "@computed.http_signature", param = "output_path", class = digest)]
    headers: Value,
}

#[op]
fn sign(call: &Call, params: Params) -> Result<Headers, Failure> {
    let key = call.key("key", Encoding::Declared)?;
    let target = Target::parse(&params.url).ok_or("url must be absolute and written as it is sent")?;
    let components = Component::list(&params.components)?;
    let mut fields = further(params.headers.as_ref())?;
    let digest = digest(call, &params, &components, &fields)?;
    fields.extend(digest.iter().map(|digest| ("content-digest".to_owned(), digest.clone())));
    let method = params.method.to_ascii_uppercase();
    let message = Message::request(&method, &target, fields);
    let created = call.now_seconds();
    let parameters = Parameters {
        created: Some(created),
        expires: params.expires_in.map(|life| created.saturating_add(life)),
        key_id: params.key_id,
        nonce: params.nonce.then(|| base64(&call.random::<16>())),
        tag: params.tag,
    };
    if !structured::is_key(&params.label) {
        return Err("label must begin with a letter and have a-z, 0-9, _, -, . or * only".into());
    }
    let input = parameters.input(&components)?;
    let missing =
        |component: &Component| failure(&["components: the request has no ", &component.identifier()]);
    let base = base(&message, &components, &input).map_err(missing)?;
    let signature = key.sign(params.algorithm.algorithm(), message![&base])?;
    let mut headers = vec![
        ("signature_input", json::quoted(&concat(&[&params.label, "=", &input]))),
        ("signature", json::quoted(&concat(&[&params.label, "=:", &base64(&signature), ":"]))),
    ];
    headers.extend(digest.map(|digest| ("content_digest", json::quoted(&digest))));
    Ok(Headers { headers: Value::json(json::object(headers)) })
}

/// Headers of the rule's own, names in lower case; several values of one name as an array.
fn further(headers: Option<&Value>) -> Result<Vec<(String, String)>, Failure> {
    let wrong = "headers must be an object of texts";
    let Some(headers) = headers else { return Ok(Vec::new()) };
    let object = json::Object::read(headers.as_text()).ok_or(wrong)?;
    let mut further = Vec::new();
    for (name, raw) in object.members() {
        for value in json::texts(raw).ok_or(wrong)? {
            if !parts::is_header_text(&value) {
                return Err(wrong.into());
            }
            further.push((name.to_ascii_lowercase(), value));
        }
    }
    Ok(further)
}

/// The digest of the body (RFC 9530), when it is signed and not given as a header.
fn digest(
    call: &Call,
    params: &Params,
    components: &[Component],
    fields: &[(String, String)],
) -> Result<Option<String>, Failure> {
    let wanted = components.iter().any(|component| component.name == "content-digest");
    if !wanted || fields.iter().any(|(name, _)| name == "content-digest") {
        return Ok(None);
    }
    let nothing = || parts::nothing("sign", "input_path", &params.input_path);
    let body = call.bytes(&params.input_path).ok_or_else(nothing)?;
    Ok(Some(concat(&["sha-256=:", &base64(&Hash::Sha256.digest(message![&body])), ":"])))
}

#[cfg(test)]
mod tests;
