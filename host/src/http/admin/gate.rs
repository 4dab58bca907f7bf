//! The gate of the admin head: who somebody is, before their body is read, and that the body is theirs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::http::Request;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::AdminHead;
use crate::admin::{Actor, AdminError};
use crate::http::authentication::{Authentication, Proven};
use crate::http::open_dev::Payload;

/// Somebody whose headers are good, with the body that they have not been heard out for.
pub(super) struct Visitor {
    proven: Proven,
    authentication: Arc<Authentication>,
    body: Body,
}

impl AdminHead {
    /// Tells by the headers who comes.
    ///
    /// # Errors
    /// [`AdminError`]: they are not let in.
    pub(super) fn knock(&self, peer: SocketAddr, request: Request<Body>) -> Result<Visitor, AdminError> {
        let (parts, body) = request.into_parts();
        let payload = if body.is_end_stream() { Payload::Absent } else { Payload::Present };
        let proven = self.authentication.of(&parts, payload, peer)?;
        Ok(Visitor { proven, authentication: Arc::clone(&self.authentication), body })
    }
}

impl Visitor {
    /// Who it is, as far as the headers tell.
    pub(super) fn actor(&self) -> &Actor {
        &self.proven.actor
    }

    /// Hears them out: then it is certain who they are.
    ///
    /// # Errors
    /// [`AdminError`]: too much, too slowly, or not what was signed.
    pub(super) async fn enter(self, most: usize, within: Duration) -> Result<(Actor, Bytes), AdminError> {
        let Self { proven, authentication, body } = self;
        let body = body_of(body, most, within).await?;
        // A spent nonce is written to the disk: on a thread that may block.
        let settled = spawn_blocking(move || authentication.settle(proven, &body).map(|actor| (actor, body)));
        settled.await.unwrap_or(Err(AdminError::Internal))
    }
}

/// A body, in time and within bounds.
///
/// # Errors
/// [`AdminError`]: too much, or too slowly.
pub(super) async fn body_of(body: Body, most: usize, within: Duration) -> Result<Bytes, AdminError> {
    let late = |_| AdminError::InvalidBody(format!("the body did not arrive within {} s", within.as_secs()));
    timeout(within, to_bytes(body, most)).await.map_err(late)?.map_err(|_| AdminError::BodyTooLarge)
}
