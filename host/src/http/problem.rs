//! Admin errors as replies: `{"error": code, "message": …, "detail": {…}}`.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::admin::{AdminError, Extra};

/// A JSON reply, with a newline at its end as the existing API has it.
pub(super) fn json_reply(status: u16, body: &Value) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = Response::new(Body::from(format!("{body}\n")));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    // A generated value is in some of these replies.
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    reply
}

/// The reply that tells an error.
pub(super) fn reply(error: &AdminError) -> Response<Body> {
    let (status, code) = error.answer();
    if status >= 500 {
        tracing::warn!(status, code, err = %error, "admin request failed");
    }
    let body = match error.extra() {
        Extra::Nothing => json!({ "error": code }),
        Extra::Message(text) => json!({ "error": code, "message": text }),
        Extra::Detail(detail) => json!({ "error": code, "detail": detail }),
    };
    json_reply(status, &body)
}
