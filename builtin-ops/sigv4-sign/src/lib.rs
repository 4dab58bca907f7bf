//! `txco://sigv4-sign`: a request to AWS, signed with Signature Version 4.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod canonical;
mod encode;
mod time;

use parts::json;
use parts::target::Target;
use txco_op::prelude::*;

use crate::canonical::{PathStyle, Request, Scope};
use crate::time::Stamp;

/// What stands for the hash of a body that is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The longest that a URL may be valid: seven days, as AWS has it.
const LONGEST: u32 = 604_800;

#[derive(Params)]
struct Params {
    access_key_id: String,
    region: String,
    service: String,
    url: String,
    #[param(default = "POST")]
    method: String,
    headers: Option<Value>,
    #[param(default = "body")]
    input_path: String,
    #[param(default)]
    unsigned_payload: bool,
    presign: Option<u32>,
}

#[op]
fn sign(call: &Call, params: Params) -> Result<Vec<Field>, Failure> {
    let key = call.key("key", Encoding::Declared)?;
    let token = session_token(call)?;
    let target = Target::parse(&params.url).filter(|target| !target.query.is_some_and(|q| q.contains('+')));
    let target = target.ok_or("url must be absolute and written as it is sent, a blank as %20")?;
    let method = params.method.to_ascii_uppercase();
    let stamp = Stamp::of(call.now_seconds());
    let scope = Scope { date: stamp.date(), region: &params.region, service: &params.service };
    let mut headers = further(params.headers.as_ref())?;
    headers.push(("host".to_owned(), target.authority.clone()));
    let mut request = Request {
        method: &method,
        path: target.path,
        query: target.query.unwrap_or_default().to_owned(),
        headers,
        payload: payload(call, &params, &method)?,
        style: if params.service == "s3" { PathStyle::Kept } else { PathStyle::Normalized },
    };
    if let Some(seconds) = params.presign {
        if token.is_some() {
            return Err("a URL must not carry a session token: it would be readable to all who see it".into());
        }
        if !(1..=LONGEST).contains(&seconds) {
            return Err("presign must be 1 to 604800 seconds".into());
        }
        request.presign(&params.access_key_id, &scope, &stamp, seconds);
        let signature = hex(&signed(key, &scope, &request.to_sign(&stamp, &scope))?);
        let url = [
            target.scheme,
            "://",
            &target.authority,
            target.path,
            "?",
            &request.query,
            "&X-Amz-Signature=",
            &signature,
        ];
        return Ok(vec![place(call, "url", Field::digest, concat(&url))]);
    }
    request.headers.push(("x-amz-date".to_owned(), stamp.text().to_owned()));
    if params.service == "s3" {
        request.headers.push(("x-amz-content-sha256".to_owned(), request.payload.clone()));
    }
    if let Some(token) = token.as_ref() {
        let text = token.expose_text().filter(|text| parts::is_header_text(text));
        let text = text.ok_or("the secret in secrets.session_token is no session token")?;
        request.headers.push(("x-amz-security-token".to_owned(), text.to_owned()));
    }
    let signature = hex(&signed(key, &scope, &request.to_sign(&stamp, &scope))?);
    let authorization = request.authorization(&params.access_key_id, &scope, &signature);
    let mut fields = vec![
        place(call, "authorization", Field::digest, authorization),
        place(call, "date", Field::digest, stamp.text().to_owned()),
        place(call, "content_sha256", Field::digest, request.payload.clone()),
    ];
    if let Some(text) = token.as_ref().and_then(Secret::expose_text) {
        fields.push(place(call, "security_token", Field::credential, text.to_owned()));
    }
    Ok(fields)
}

/// A field below the place that the rule names.
fn place(call: &Call, name: &str, field: fn(String, String) -> Field, value: String) -> Field {
    let below = call.text("output_path").unwrap_or_else(|| "@computed.aws".to_owned());
    field(concat(&[&below, ".", name]), value)
}

/// The signature under a key that is derived in steps, none of which is seen here.
fn signed(key: Key, scope: &Scope<'_>, to_sign: &str) -> Result<Vec<u8>, Failure> {
    let how = Algorithm::HmacSha256;
    let key = key.derive(how, b"AWS4", scope.date.as_bytes())?;
    let key = key.derive(how, b"", scope.region.as_bytes())?.derive(how, b"", scope.service.as_bytes())?;
    key.derive(how, b"", b"aws4_request")?.sign(how, message![to_sign])
}

/// Headers of the rule's own, names in lower case.
fn further(headers: Option<&Value>) -> Result<Vec<(String, String)>, Failure> {
    let wrong = "headers must be an object of texts";
    let Some(headers) = headers else { return Ok(Vec::new()) };
    let object = json::Object::read(headers.as_text()).ok_or(wrong)?;
    let mut further = Vec::new();
    for (name, raw) in object.members() {
        let name = name.to_ascii_lowercase();
        if matches!(name.as_str(), "host" | "x-amz-date" | "x-amz-content-sha256" | "x-amz-security-token") {
            return Err(parts::failure(&["headers: ", &name, " is the op's own"]));
        }
        let text = json::text(raw).filter(|text| parts::is_header_text(text)).ok_or(wrong)?;
        further.push((name, text));
    }
    Ok(further)
}

/// The hash of what is sent.
fn payload(call: &Call, params: &Params, method: &str) -> Result<String, Failure> {
    let of_url = params.presign.is_some() && params.service == "s3";
    if params.unsigned_payload || of_url {
        return Ok(UNSIGNED.to_owned());
    }
    // Other methods send no body.
    let hash = if matches!(method, "POST" | "PUT" | "PATCH") {
        let nothing = || parts::nothing("sign", "input_path", &params.input_path);
        Hash::Sha256.digest(message![&call.bytes(&params.input_path).ok_or_else(nothing)?])
    } else {
        Hash::Sha256.digest(message![])
    };
    Ok(hex(&hash))
}

#[cfg(not(feature = "use-keys"))]
fn session_token(call: &Call) -> Result<Option<Secret>, Failure> {
    (call.versions("session_token") > 0).then(|| call.reveal("session_token")).transpose()
}

#[cfg(feature = "use-keys")]
fn session_token(call: &Call) -> Result<Option<Secret>, Failure> {
    match call.versions("session_token") {
        0 => Ok(None),
        _ => Err("a session token is signed as it is: its secret must be one that may be revealed".into()),
    }
}

#[cfg(test)]
mod tests;
