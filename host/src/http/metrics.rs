//! `/metrics`: the numbers, for whoever works on this machine.
//!
//! They name tenants and secrets, so the gate is that of open access, without its end: a
//! collector on the machine needs no key. Other machines get them by OpenTelemetry.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{Request, Response, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use tokio::task::spawn_blocking;

use super::open_dev::admit;
use super::problem::reply;
use crate::admin::AdminError;
use crate::meter::Meter;

/// The content type of the text exposition format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The route.
pub(crate) fn routes(meter: &Arc<Meter>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(meter))
}

async fn metrics(
    State(meter): State<Arc<Meter>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, _) = request.into_parts();
    if let Err(error) = admit(&parts, peer) {
        return reply(&error);
    }
    match spawn_blocking(move || meter.page()).await {
        Ok(page) => ([(header::CONTENT_TYPE, TEXT)], page).into_response(),
        Err(_panic) => reply(&AdminError::Internal),
    }
}
