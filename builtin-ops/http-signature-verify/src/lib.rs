//! `txco://http-signature-verify`: whether an HTTP request is signed (RFC 9421), fresh, and covers what it must.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod dictionary;
mod signed;

use parts::http_signature::{Component, Message, Scheme, base};
use parts::json;
use parts::target::Target;
use txco_op::prelude::*;

use crate::dictionary::{Item, dictionary};
use crate::signed::{Expected, Reason, Signed};

#[derive(Params)]
struct Params {
    algorithm: Scheme,
    public_key: Option<String>,
    #[param(default = "@method @target-uri content-digest")]
    components: String,
    origin: Option<String>,
    label: Option<String>,
    key_id: Option<String>,
    tag: Option<String>,
    #[param(default = "body")]
    input_path: String,
    #[param(default = 300)]
    tolerance: u64,
}

#[derive(Output)]
struct Verdict {
    #[output(path = "@computed.http_signature", param = "output_path", class = data)]
    verdict: Value,
}

#[op]
fn verify(call: &Call, params: Params) -> Result<Verdict, Failure> {
    let mac = (params.algorithm == Scheme::HmacSha256).then_some(params.algorithm.name());
    let keys = parts::verifying_keys(call, params.public_key.as_deref(), mac)?;
    let components = Component::list(&params.components)?;
    if let Some(origin) = &params.origin {
        let whole = Target::parse(origin).filter(|target| target.path == "/" && target.query.is_none());
        whole.filter(|_| !origin.ends_with('/')).ok_or("origin must be https://HOST or http://HOST")?;
    }
    let members = match verdict(call, &params, &components, &keys)? {
        Ok((signed, index)) => accepted(&signed, index),
        Err(reason) => vec![("valid", "false".to_owned()), ("reason", json::quoted(reason.word()))],
    };
    Ok(Verdict { verdict: Value::json(json::object(members)) })
}

/// The signature, and which key made it; or why not.
fn verdict(
    call: &Call,
    params: &Params,
    components: &[Component],
    keys: &[Key],
) -> Result<Result<(Signed, usize), Reason>, Failure> {
    let fields = fields(call);
    let found = match signed(call, params, components, &fields) {
        Ok(found) => found,
        Err(reason) => return Ok(Err(reason)),
    };
    let Some(base) = to_verify(call, params, &found, fields.clone()) else {
        return Ok(Err(Reason::ComponentMissing));
    };
    for (index, key) in keys.iter().enumerate() {
        if key.verify(params.algorithm.algorithm(), message![&base], &found.signature)? {
            // What is signed is the digest; that it is of the body is for us to see.
            let covered = found.components.iter().any(|component| component.name == "content-digest");
            let digest = if covered { digest(call, params, &fields) } else { Ok(()) };
            return Ok(digest.map(|()| (found, index)));
        }
    }
    Ok(Err(Reason::Signature))
}

/// The signature that is meant, if it is as expected.
fn signed(
    call: &Call,
    params: &Params,
    components: &[Component],
    fields: &[(String, String)],
) -> Result<Signed, Reason> {
    let expected = Expected {
        algorithm: params.algorithm,
        components,
        label: params.label.as_deref(),
        key_id: params.key_id.as_deref(),
        tag: params.tag.as_deref(),
        tolerance: params.tolerance,
        now: call.now_seconds(),
    };
    let input = whole(fields, "signature-input").ok_or(Reason::SignatureMissing)?;
    let signature = whole(fields, "signature").ok_or(Reason::SignatureMissing)?;
    Signed::find(&input, &signature, &expected)
}

/// The request's headers: names in lower case, in the order in which they came.
fn fields(call: &Call) -> Vec<(String, String)> {
    let headers = call.get("@web.req.headers").map(Value::into_text).unwrap_or_default();
    let mut fields: Vec<(String, String)> =
        call.get("@web.req.host").map(|host| ("host".to_owned(), host.into_text())).into_iter().collect();
    for (name, raw) in json::Object::read(&headers).iter().flat_map(json::Object::members) {
        let values = json::texts(raw).unwrap_or_default();
        fields.extend(values.into_iter().map(|value| (name.to_ascii_lowercase(), value)));
    }
    fields
}

/// All values of a header as one (RFC 9110, section 5.3).
fn whole(fields: &[(String, String)], name: &str) -> Option<String> {
    let values: Vec<_> =
        fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| parts::joined(&values, ", "))
}

/// The text that was signed, of the request as it came; `None` when it has not all of that.
fn to_verify(call: &Call, params: &Params, signed: &Signed, fields: Vec<(String, String)>) -> Option<String> {
    let of = |path: &str| call.get(path).map(Value::into_text);
    let origin = match &params.origin {
        Some(origin) => origin.clone(),
        None => concat(&["https://", &of("@web.req.host")?]),
    };
    let full = of("@web.req.url.full")?;
    // A request to a proxy says the whole URL; where it went then, its rule has to know.
    let url = if full.starts_with('/') { concat(&[&origin, &full]) } else { full };
    let method = of("@web.req.method")?;
    let target = Target::parse(&url)?;
    base(&Message::request(&method, &target, fields), &signed.components, &signed.input).ok()
}

/// Whether Content-Digest (RFC 9530) is of the body: all of its digests that we know, and at least one.
fn digest(call: &Call, params: &Params, fields: &[(String, String)]) -> Result<(), Reason> {
    let header = whole(fields, "content-digest").ok_or(Reason::ComponentMissing)?;
    let digests = dictionary(&header, |reader| reader.value()).ok_or(Reason::Malformed)?;
    let body = call.bytes(&params.input_path).ok_or(Reason::BodyMissing)?;
    let mut known = 0;
    for (name, item) in digests {
        let hash = match name {
            "sha-256" => Hash::Sha256,
            "sha-512" => Hash::Sha512,
            _ => continue,
        };
        known += 1;
        if !matches!(item, Item::Bytes(theirs) if theirs == hash.digest(message![&body])) {
            return Err(Reason::Digest);
        }
    }
    if known == 0 { Err(Reason::Digest) } else { Ok(()) }
}

/// The verdict on a request that key `index` signed.
fn accepted(signed: &Signed, index: usize) -> Vec<(&'static str, String)> {
    let mut members = vec![
        ("valid", "true".to_owned()),
        ("retiring", if index > 0 { "true" } else { "false" }.to_owned()),
        ("label", json::quoted(&signed.label)),
        ("created", decimal(signed.created)),
    ];
    members.extend(signed.key_id.iter().map(|id| ("key_id", json::quoted(id))));
    members.extend(signed.nonce.iter().map(|nonce| ("nonce", json::quoted(nonce))));
    members
}

#[cfg(test)]
mod tests;
