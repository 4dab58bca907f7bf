//! The gate of the admin head: who somebody is, that their body is theirs, and what came of it written down.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, FromRequest};
use axum::http::{Request, Response};
use store::Tenant;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{AdminHead, MAX_BODY};
use crate::admin::{Actor, AdminError, Deed};
use crate::http::authentication::{Authentication, Proven};
use crate::http::open_dev::Payload;
use crate::http::problem::reply;

/// How long a client may take to send its body, unless a door says otherwise.
const WITHIN: Duration = Duration::from_secs(15);

/// Somebody at a door, who was not heard yet.
pub(super) struct Caller {
    pub(super) head: Arc<AdminHead>,
    pub(super) request: Request<Body>,
    /// Where the connection comes from; unknown only where a router is asked without one.
    peer: Option<SocketAddr>,
}

impl FromRequest<Arc<AdminHead>> for Caller {
    type Rejection = Infallible;

    async fn from_request(request: Request<Body>, head: &Arc<AdminHead>) -> Result<Self, Infallible> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        Ok(Self { head: Arc::clone(head), request, peer })
    }
}

/// Who it is, and what they say; or why they are not let in.
pub(super) type Entered = Result<(Actor, Bytes), AdminError>;

/// What a door comes to.
pub(super) type Done = Result<Response<Body>, AdminError>;

/// Somebody whose headers are good, with the body that they have not been heard out for.
pub(super) struct Visitor {
    proven: Proven,
    authentication: Arc<Authentication>,
    body: Body,
}

impl Caller {
    /// Hears them, and does the work for whoever is let in: for doors that leave no trace.
    pub(super) async fn served(
        self,
        work: impl FnOnce(&AdminHead, &Actor, &[u8]) -> Done + Send + 'static,
    ) -> Response<Body> {
        let head = Arc::clone(&self.head);
        let entered = self.enter(MAX_BODY).await;
        answered(move || entered.and_then(|(actor, body)| work(&head, &actor, &body))).await
    }

    /// The same, with a body of at most `most` bytes, and writes the deed down, however it
    /// ends. `work` tells it what it learns: whose tenant, which name.
    pub(super) async fn recorded(
        self,
        most: usize,
        deed: Deed,
        work: impl FnOnce(&AdminHead, &Actor, &[u8], &mut Deed) -> Done + Send + 'static,
    ) -> Response<Body> {
        let head = Arc::clone(&self.head);
        let entered = self.enter(most).await;
        answered(move || head.recorded(entered, deed, work)).await
    }

    /// The body of a door that anybody may try, within the rate of one machine; then the work.
    pub(super) async fn tried(
        self,
        most: usize,
        work: impl FnOnce(&AdminHead, Result<Bytes, AdminError>) -> Done + Send + 'static,
    ) -> Response<Body> {
        let Self { head, request, peer } = self;
        let admitted = peer.ok_or(AdminError::Internal).and_then(|peer| {
            let admitted = head.throttle.admit(peer.ip(), Instant::now());
            admitted.map_err(|wait| AdminError::Throttled(wait.as_secs().saturating_add(1)))
        });
        let body = match admitted {
            Ok(()) => body_of(request.into_body(), most, WITHIN).await,
            Err(error) => Err(error),
        };
        answered(move || work(&head, body)).await
    }

    async fn enter(self, most: usize) -> Entered {
        self.knock()?.enter(most, WITHIN).await
    }

    /// Tells by the headers who comes.
    ///
    /// # Errors
    /// [`AdminError`]: they are not let in.
    pub(super) fn knock(self) -> Result<Visitor, AdminError> {
        let peer = self.peer.ok_or(AdminError::Internal)?;
        let (parts, body) = self.request.into_parts();
        let payload = if body.is_end_stream() { Payload::Absent } else { Payload::Present };
        let authentication = Arc::clone(&self.head.authentication);
        let proven = authentication.of(&parts, payload, peer)?;
        Ok(Visitor { proven, authentication, body })
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
    pub(super) async fn enter(self, most: usize, within: Duration) -> Entered {
        let Self { proven, authentication, body } = self;
        let body = body_of(body, most, within).await?;
        // A spent nonce is written to the disk: on a thread that may block.
        let settled = spawn_blocking(move || authentication.settle(proven, &body).map(|actor| (actor, body)));
        settled.await.unwrap_or(Err(AdminError::Internal))
    }
}

impl AdminHead {
    /// The tenant that a path names; from then on the deed tells whose it is.
    ///
    /// # Errors
    /// [`AdminError`]: `tenant_not_found`.
    pub(super) fn tenant(&self, slug: &str, deed: &mut Deed) -> Result<Tenant, AdminError> {
        let tenant = self.admin.tenant(slug)?;
        tenant.id.as_str().clone_into(&mut deed.tenant);
        Ok(tenant)
    }

    /// Does the work for whoever was let in, and writes the deed down, however it ends.
    pub(super) fn recorded(
        &self,
        entered: Entered,
        mut deed: Deed,
        work: impl FnOnce(&Self, &Actor, &[u8], &mut Deed) -> Done,
    ) -> Done {
        let done = entered.and_then(|(actor, body)| {
            deed.by = actor.by().label().to_owned();
            work(self, &actor, &body, &mut deed)
        });
        self.admin.audit().of(&deed, &done);
        done
    }
}

/// Answers on a thread that may block, as the store does, so that other requests are answered.
pub(super) async fn answered(work: impl FnOnce() -> Done + Send + 'static) -> Response<Body> {
    let done = spawn_blocking(work).await;
    done.unwrap_or(Err(AdminError::Internal)).unwrap_or_else(|error| reply(&error))
}

/// A body, in time and within bounds.
async fn body_of(body: Body, most: usize, within: Duration) -> Result<Bytes, AdminError> {
    let late = |_| AdminError::InvalidBody(format!("the body did not arrive within {} s", within.as_secs()));
    timeout(within, to_bytes(body, most)).await.map_err(late)?.map_err(|_| AdminError::BodyTooLarge)
}
