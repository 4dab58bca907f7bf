//! The two sides of a request that waits, as requests: its worker, and its client.

use serde_json::{Value, json};

use crate::Request;

/// What a worker says that is done.
#[must_use]
pub fn done(output: &Value) -> Value {
    json!({ "status": "completed", "output": output })
}

/// The call of the worker that got `job`, by whatever address the chassis has now.
#[must_use]
pub fn callback(job: &Value, token: &str, said: &Value) -> Request {
    let url = job["_txc"]["callback_url"].as_str().unwrap();
    let path = &url[url.find("/_txc").unwrap()..];
    Request::new("POST", path).header("Authorization", &format!("Bearer {token}")).json(said)
}

/// What a client asks with its ticket, and `more` of a query.
#[must_use]
pub fn asking(path: &str, ticket: &str, more: &str) -> Request {
    Request::new("GET", &format!("{path}?_txc.continuation={ticket}{more}"))
}
