//! What an upstream's reply, or its absence, adds to the envelope (R5).

use egress::Reply;
use model::{Failure, Fault, Object, Path, Sealed, Value};

use crate::protect::project;

/// The members it adds at top level, and the record of the rule's upstream.
pub(crate) fn received(
    reply: Option<Reply>,
    failure: Option<Failure>,
    into: Option<&Path>,
) -> Result<(Object, Option<Object>), Failure> {
    let mut record = Object::default();
    let mut output = Value::object();
    if let Some(reply) = reply {
        record.insert("status", Value::from(u64::from(reply.status)));
        record.insert("headers", headers(&reply.headers));
        if reply.attempts > 1 {
            record.insert("attempts", Value::from(u64::from(reply.attempts)));
        }
        let body = Value::parse(&reply.body).map(|body| sealed(body, &reply.arrived));
        match (body, &failure) {
            (Ok(Value::Object(object)), None) => {
                let object = Value::Object(project(object));
                let nested = match into {
                    Some(place) => output.set(place, object),
                    None => {
                        output = object;
                        Ok(())
                    }
                };
                nested.map_err(|error| Failure::new(Fault::RuleFailed, format!("WITH into: {error}")))?;
            }
            (Ok(value), _) => {
                record.insert("body", value);
            }
            (Err(_), _) if reply.body.is_empty() => {}
            (Err(_), _) => {
                record.insert(
                    "body".to_owned(),
                    Value::from(String::from_utf8_lossy(&reply.body).into_owned()),
                );
            }
        }
    }
    if let Some(failure) = failure {
        let error = [("code", failure.fault.code()), ("message", failure.detail.as_str())];
        let error: Value = error.into_iter().map(|(k, v)| (k, Value::from(v))).collect();
        record.insert("error", error);
    }
    Ok((output.into_object().unwrap_or_default(), Some(record)))
}

/// The body with the credentials that arrived in their places, where it has their text.
fn sealed(mut body: Value, arrived: &[(Path, Sealed)]) -> Value {
    for (path, credential) in arrived {
        // The place was written when it was taken out, so it can be written again.
        let _infallible = body.set(path, Value::Sealed(credential.clone()));
    }
    body
}

/// Header values by lower-case name; a header that came several times is an array.
fn headers(all: &[(String, String)]) -> Value {
    let mut object = Object::default();
    for (name, value) in all {
        let value = Value::from(value.as_str());
        match object.value_mut(&name.to_ascii_lowercase()) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![std::mem::replace(first, Value::Null), value]),
            None => {
                object.insert(name.to_ascii_lowercase(), value);
            }
        }
    }
    Value::Object(object)
}

/// Whether `on_error = "continue"` may go on after it.
pub(crate) fn is_upstreams(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::UpstreamUnreachable
            | Fault::UpstreamTls
            | Fault::UpstreamTimeout
            | Fault::UpstreamRedirect
            | Fault::UpstreamStatus
            | Fault::UpstreamTooLarge
            | Fault::UpstreamEncoding
            | Fault::UpstreamProtocol
            | Fault::UpstreamCredentialAbsent
    )
}
