//! A host proves whose it is: it says here what only the chassis can know that its tenant asked.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode, header};

use super::Web;
use crate::admin::VERIFY;

/// Where it is asked.
pub(super) fn place() -> String {
    format!("{VERIFY}{{token}}")
}

/// Says the answer to a token; 404 to one that nobody minted.
pub(super) async fn prove(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Response<Body> {
    let asked = tokio::task::spawn_blocking(move || web.store.hostname_answer(&token)).await;
    let (status, body) = match asked {
        Ok(Ok(Some(answer))) => (StatusCode::OK, format!("{answer}\n")),
        Ok(Ok(None)) => (StatusCode::NOT_FOUND, "unknown or expired\n".to_owned()),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not now\n".to_owned()),
    };
    let response =
        Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response.header(header::CACHE_CONTROL, "no-store").body(Body::from(body)).unwrap_or_default()
}
