//! `/metrics`: the numbers, for whoever works on this machine.
//!
//! They name tenants and secrets, so the gate is that of open access, without its end: a
//! collector on the machine needs no key.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;

use super::open_dev::{Payload, Until, admit};
use super::problem::reply;
use crate::meter;

/// The content type of the text exposition format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The route.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    if let Err(error) = admit(&parts, Payload::Absent, peer, &Until::Forever) {
        return reply(&error);
    }
    match meter::page() {
        Some(page) => ([(header::CONTENT_TYPE, TEXT)], page).into_response(),
        None => (StatusCode::NOT_FOUND, "the numbers go to the program that embeds this chassis\n")
            .into_response(),
    }
}
