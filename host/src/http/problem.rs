//! Admin errors as replies: `{"error": code, "message": …, "detail": {…}}`.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::admin::{AdminError, Extra};

/// A JSON reply, with a newline at its end as the existing API has it.
pub(super) fn json_reply(status: u16, body: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(body);
    let status = if text.is_ok() { status } else { 500 };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = text.unwrap_or_else(|_| json!({ "error": "internal" }).to_string());
    let mut reply = Response::new(Body::from(format!("{text}\n")));
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
    let mut reply = json_reply(status, &body);
    if let AdminError::Throttled(seconds) = error {
        reply.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(*seconds));
    }
    reply
}

/// The reply to what left nothing to tell of.
pub(super) fn nothing() -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}
