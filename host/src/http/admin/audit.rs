//! The routes of the audit: its rows, whether it holds, and whether a value was ever stored.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{Request, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{AuditRow, Head, Seen, Verdict};
use tokio::task::spawn_blocking;

use super::wire::Incoming;
use super::{AdminHead, MAX_BODY, enter, finished};
use crate::admin::{Actor, AdminError, Wanted};
use crate::http::problem::json_reply;

/// How long a client may take to send its body.
const WITHIN: Duration = Duration::from_secs(15);

type Shared = State<Arc<AdminHead>>;

pub(super) fn routes() -> Router<Arc<AdminHead>> {
    Router::new()
        .route("/v1/audit", get(rows))
        .route("/v1/audit/verify", get(verify))
        .route("/v1/audit/accept", post(accept))
        .route("/v1/audit/seen", post(seen))
}

#[derive(Deserialize)]
struct RowsQuery {
    tenant: Option<String>,
    subject: Option<String>,
    action: Option<String>,
    actor: Option<String>,
    after: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
struct VerifyQuery {
    head: Option<String>,
}

async fn rows(
    State(head): Shared,
    Query(query): Query<RowsQuery>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = enter(&head, peer, request, MAX_BODY, WITHIN).await;
    answered(move || {
        entered?;
        let wanted = Wanted {
            tenant: query.tenant.as_deref(),
            subject: query.subject.as_deref(),
            action: query.action.as_deref(),
            actor: query.actor.as_deref(),
            after: query.after,
            limit: query.limit,
        };
        let rows: Vec<_> = head.admin.audit_rows(&wanted)?.iter().map(row_of).collect();
        let end = head.admin.audit_head()?.as_ref().map(Head::to_string);
        Ok(json_reply(200, &json!({ "rows": rows, "head": end })))
    })
    .await
}

async fn verify(
    State(head): Shared,
    Query(query): Query<VerifyQuery>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = enter(&head, peer, request, MAX_BODY, WITHIN).await;
    answered(move || {
        entered?;
        Ok(json_reply(200, &verdict_of(&head.admin.verify_audit(query.head.as_deref())?)))
    })
    .await
}

async fn accept(
    State(head): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = enter(&head, peer, request, MAX_BODY, WITHIN).await;
    answered(move || {
        entered?;
        Ok(json_reply(200, &json!({ "accepted": head.admin.accept_state(&Actor::Open)? })))
    })
    .await
}

async fn seen(
    State(head): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = enter(&head, peer, request, MAX_BODY, WITHIN).await;
    answered(move || {
        let mut incoming = Incoming::parse(&entered?)?;
        let value = incoming.value()?;
        let seen = head.admin.seen(&Actor::Open, value)?;
        Ok(json_reply(200, &json!({ "seen": seen.iter().map(seen_of).collect::<Vec<_>>() })))
    })
    .await
}

/// The store blocks: on a thread that may, so that other requests are answered.
async fn answered(
    work: impl FnOnce() -> Result<Response<Body>, AdminError> + Send + 'static,
) -> Response<Body> {
    finished(spawn_blocking(work).await)
}

/// A row, as an export keeps it: `detail` stays text, for its bytes are what is sealed.
fn row_of(row: &AuditRow) -> Value {
    json!({
        "seq": row.seq,
        "at": row.at,
        "actor": row.actor,
        "tenant_id": row.tenant_id,
        "action": row.action,
        "subject": row.subject,
        "outcome": row.outcome,
        "detail": row.detail,
        "previous": hex(&row.previous),
        "audit_key": row.audit_key,
        "seal": row.seal.as_deref().map(hex),
    })
}

fn verdict_of(verdict: &Verdict) -> Value {
    json!({
        "ok": verdict.wrong.is_none() && verdict.unexplained_count == 0,
        "rows": verdict.rows,
        "head": verdict.head.as_ref().map(Head::to_string),
        "wrong": verdict.wrong.as_ref().map(ToString::to_string),
        "unsealed": verdict.unsealed,
        "other_keys": verdict.other_keys,
        "unexplained": verdict.unexplained,
        "unexplained_count": verdict.unexplained_count,
    })
}

fn seen_of(seen: &Seen) -> Value {
    json!({
        "secret_id": seen.secret_id,
        "version_no": seen.version_no,
        "tenant_id": seen.tenant_id,
        "name": seen.name,
        "stack": seen.stack,
        "created_at": seen.created_at,
        "revoked_at": seen.revoked_at,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
