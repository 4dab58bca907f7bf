//! Requests that wait: workers call back here, and clients ask for their answers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use chassis::{Delivery, Route, RunStatus, Ticket};
use model::{Envelope, Fault, RequestId};
use serde_json::{Value as Json, json};

use super::outlet;
use super::{BodyError, Detail, Web, read};

/// Where workers call back.
pub(super) const COMPLETE: &str = "/_txc/continuations/op/{wait}/complete";

/// The most that a worker may say.
const MOST: usize = 1 << 20;
/// What a client is to wait before it asks again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("3");
/// The parameter with which a client asks.
const PARAMETER: &str = "_txc.continuation";
/// A ticket is `rc_` and 43 characters of base64.
const TICKET_LENGTH: usize = 46;

/// Takes a worker's call.
pub(super) async fn complete(
    State(web): State<Arc<Web>>,
    Path(wait): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // Whatever is wrong with a token is not said: who guesses learns nothing.
    let bad_token = || says(StatusCode::UNAUTHORIZED, &json!({ "error": "bad token" }));
    let Some(token) = token(&parts.headers) else { return bad_token() };
    let body = match read(&parts.headers, body, MOST, web.body_within).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return says(
                StatusCode::PAYLOAD_TOO_LARGE,
                &json!({ "error": format!("more than {MOST} bytes") }),
            );
        }
        Err(BodyError::TooSlow) => {
            return says(StatusCode::REQUEST_TIMEOUT, &json!({ "error": "body too slow" }));
        }
        Err(BodyError::BrokenOff) => {
            return says(StatusCode::BAD_REQUEST, &json!({ "error": "body broken off" }));
        }
    };
    match web.chassis.deliver(&wait, token, body.to_vec()).await {
        Ok(Delivery::Recorded) => says(StatusCode::OK, &json!({ "status": "recorded" })),
        Ok(Delivery::Resumed) => says(StatusCode::OK, &json!({ "status": "resumed" })),
        Ok(Delivery::BadToken) => bad_token(),
        Ok(Delivery::Cancelled) => says(StatusCode::GONE, &json!({ "error": Fault::RunCancelled.outside() })),
        Ok(Delivery::Malformed(why)) => {
            let hint = "a worker says {\"status\": \"completed\", \"output\": …} or {\"status\": \"failed\", \"error\": …}";
            says(StatusCode::BAD_REQUEST, &json!({ "error": why, "hint": hint }))
        }
        Err(failure) => {
            tracing::warn!(%wait, error = %failure, "a worker's call could not be kept");
            says(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": failure.fault.outside() }))
        }
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| text("x-txco-continuation-token"))
}

/// What a client is told whose request waits: where to ask.
pub(super) fn accepted(ticket: &Ticket, parts: &Parts) -> Response<Body> {
    let place = format!("{}?{PARAMETER}={}", parts.uri.path(), ticket.text());
    let mut response = if is_browser(parts) {
        status(StatusCode::SEE_OTHER)
    } else {
        let mut response =
            says(StatusCode::ACCEPTED, &json!({ "status": "running", "continuation": ticket.text() }));
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        response
    };
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// What a client asks with, when it asks for the answer to an earlier request.
pub(super) fn asked(parts: &Parts) -> Option<String> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    parameter(parts, PARAMETER).map(str::to_owned)
}

/// Answers a client that asks.
pub(super) async fn poll(
    web: &Web,
    ticket: &str,
    route: &Route,
    id: &RequestId,
    parts: &Parts,
) -> Response<Body> {
    let unknown =
        |reason| says(StatusCode::NOT_FOUND, &json!({ "error": "unknown_continuation", "reason": reason }));
    if ticket.is_empty() {
        return unknown("empty_or_missing_rcid");
    }
    if !ticket.starts_with("rc_") || ticket.len() != TICKET_LENGTH {
        return unknown("malformed_rcid");
    }
    let as_json = parameter(parts, "format") == Some("json");
    let wait = if as_json { web.longpoll } else { Duration::ZERO };
    let mut response = match web.chassis.poll(ticket, &route.tenant, &route.stack, wait).await {
        Ok(None) => unknown("unknown_or_expired"),
        Ok(Some(state @ (RunStatus::Waiting | RunStatus::Running))) if !is_browser(parts) => {
            let state = if state == RunStatus::Waiting { "waiting" } else { "running" };
            let mut response =
                says(StatusCode::ACCEPTED, &json!({ "continuation": ticket, "status": state }));
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            response
        }
        Ok(Some(RunStatus::Waiting | RunStatus::Running)) => wait_page(),
        Ok(Some(RunStatus::Failed(fault))) => failed(ticket, fault, web.detail),
        Ok(Some(RunStatus::Completed(envelope))) if as_json => completed(ticket, &envelope),
        Ok(Some(RunStatus::Completed(envelope))) => outlet::shape(&envelope, &parts.method)
            .unwrap_or_else(|failure| outlet::failed(&failure, None, id, &parts.method, web.detail)),
        Err(failure) => {
            tracing::warn!(request_id = %id, error = %failure, "a request that waits cannot be looked up");
            says(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "lookup_failed" }))
        }
    };
    if parts.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

fn failed(ticket: &str, fault: Fault, detail: Detail) -> Response<Body> {
    let mut said = json!({ "continuation": ticket, "status": "failed", "reason": fault.outside() });
    if let (Detail::Shown, Some(members)) = (detail, said.as_object_mut()) {
        members.insert("fault".to_owned(), json!(fault.code()));
        members.insert("meaning".to_owned(), json!(fault.meaning()));
    }
    let code = if fault == Fault::RunCancelled { StatusCode::GONE } else { StatusCode::BAD_GATEWAY };
    says(code, &said)
}

/// The result for programs: the envelope as an answer shows it, and what rules shaped.
fn completed(ticket: &str, envelope: &Envelope) -> Response<Body> {
    let public = envelope.filtered(|name| !name.starts_with('_'));
    let mut said = json!({ "continuation": ticket, "status": "completed", "result": public.document() });
    if let (Some(response), Some(members)) = (envelope.member(["_txc", "web", "res"]), said.as_object_mut()) {
        members.insert("response".to_owned(), json!(response));
    }
    says(StatusCode::OK, &said)
}

/// For people, whose browser asks again by itself.
fn wait_page() -> Response<Body> {
    const PAGE: &str = "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"3\">\
                        <title>One moment</title><p>This takes a moment. The page asks again by itself.</p>\n";
    let mut response = status(StatusCode::ACCEPTED);
    *response.body_mut() = Body::from(PAGE);
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

fn is_browser(parts: &Parts) -> bool {
    let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html")) && parameter(parts, "format") != Some("json")
}

/// The first value of a parameter of the URL that needs no escapes.
fn parameter<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    let pairs = parts.uri.query().into_iter().flat_map(|query| query.split('&'));
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn says(code: StatusCode, what: &Json) -> Response<Body> {
    let mut response = status(code);
    *response.body_mut() = Body::from(format!("{what}\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}
