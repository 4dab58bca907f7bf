//! The routes of the audit: its rows, whether it holds, and whether a value was ever stored.

use axum::body::Body;
use axum::extract::Query;
use axum::http::{Method, Response};
use axum::routing::on;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{AuditRow, Head, Seen, Verdict};

use super::AdminHead;
use super::doors::{Door, Doors, Who};
use super::gate::Caller;
use super::wire::Incoming;
use crate::admin::{Actor, Chain, Wanted};
use crate::http::problem::json_reply;

/// The doors: whoever may do everything, for the audit tells of every tenant.
pub(super) fn open(doors: Doors) -> Doors {
    let door = |method: Method, path: &str, says| Door::new(method, path, says, Who::RulesAll);
    let asked = ["tenant", "subject", "action", "actor", "chain", "after", "limit"];
    let list = door(Method::GET, "/v1/audit", "Rows of the audit, oldest first; with `after`, of one chain");
    let list = asked.into_iter().fold(list, Door::asks).gives::<AuditRows>(200);
    let checked = door(Method::GET, "/v1/audit/verify", "Whether the audit holds");
    let checked = checked.asks("head").asks("people_head").gives::<AuditVerdict>(200);
    let accepted =
        door(Method::POST, "/v1/audit/accept", "Record that what was changed outside is as it should be");
    let accepted = accepted.gives::<Accepted>(200);
    let sought = door(Method::POST, "/v1/audit/seen", "Where exactly this value was ever stored");
    let sought = sought.takes::<Incoming>().gives::<SeenValues>(200);
    doors
        .open(&list, |method| on(method, rows))
        .open(&checked, |method| on(method, verify))
        .open(&accepted, |method| on(method, accept))
        .open(&sought, |method| on(method, seen))
}

#[derive(Deserialize)]
struct RowsQuery {
    tenant: Option<String>,
    subject: Option<String>,
    action: Option<String>,
    actor: Option<String>,
    chain: Option<String>,
    after: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
struct VerifyQuery {
    head: Option<String>,
    people_head: Option<String>,
}

async fn rows(Query(query): Query<RowsQuery>, caller: Caller) -> Response<Body> {
    caller
        .served(move |head, actor, _| {
            let wanted = Wanted {
                tenant: query.tenant.as_deref(),
                subject: query.subject.as_deref(),
                action: query.action.as_deref(),
                actor: query.actor.as_deref(),
                chain: query.chain.as_deref(),
                after: query.after,
                limit: query.limit,
            };
            let rows: Vec<_> = head.admin.audit_rows(actor, &wanted)?.iter().map(row_of).collect();
            let ends = head.admin.audit_heads(actor)?;
            let end = |head: Option<Head>| head.as_ref().map(Head::to_string);
            let said = json!({ "rows": rows, "head": end(ends.chassis), "people_head": end(ends.people) });
            Ok(json_reply(200, &said))
        })
        .await
}

async fn verify(Query(query): Query<VerifyQuery>, caller: Caller) -> Response<Body> {
    caller
        .served(move |head, actor, _| {
            let verify = |chain, kept: Option<&str>| head.admin.verify_audit(actor, chain, kept);
            let chassis = verify(Chain::Chassis, query.head.as_deref())?;
            let people = verify(Chain::People, query.people_head.as_deref())?;
            Ok(json_reply(200, &verdict_of(&chassis, Some(&people))))
        })
        .await
}

async fn accept(caller: Caller) -> Response<Body> {
    let accept = |head: &AdminHead, actor: &Actor, _: &[u8]| {
        Ok(json_reply(200, &Accepted { accepted: head.admin.accept_state(actor)? }))
    };
    caller.served(accept).await
}

async fn seen(caller: Caller) -> Response<Body> {
    caller
        .served(|head, actor, body| {
            let value = Incoming::parse(body)?.value()?;
            let seen = head.admin.seen(actor, value)?;
            Ok(json_reply(200, &json!({ "seen": seen.iter().map(seen_of).collect::<Vec<_>>() })))
        })
        .await
}

/// Rows, and the ends of both chains.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct AuditRows {
    rows: Vec<AuditRowRecord>,
    head: Option<String>,
    people_head: Option<String>,
}

/// A row, as [`row_of`] writes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct AuditRowRecord {
    /// `chassis` or `people`.
    chain: String,
    seq: u64,
    at: String,
    actor: String,
    tenant_id: String,
    action: String,
    subject: String,
    outcome: String,
    /// JSON as text: its bytes are what is sealed.
    detail: String,
    previous: String,
    audit_key: Option<String>,
    seal: Option<String>,
}

/// What was found, as [`verdict_of`] writes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct AuditVerdict {
    ok: bool,
    rows: u64,
    head: Option<String>,
    wrong: Option<String>,
    unsealed: u64,
    other_keys: Map<String, Value>,
    unexplained: Vec<String>,
    unexplained_count: u64,
    /// The same of the chain of people.
    people: Option<Box<Self>>,
}

#[derive(Serialize, JsonSchema)]
struct Accepted {
    accepted: u64,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct SeenValues {
    seen: Vec<SeenValue>,
}

/// Where a value was stored, as [`seen_of`] writes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct SeenValue {
    secret_id: String,
    version_no: u32,
    tenant_id: Option<String>,
    name: Option<String>,
    stack: Option<String>,
    created_at: Option<String>,
    revoked_at: Option<String>,
}

/// A row, as an export keeps it: `detail` stays text, for its bytes are what is sealed.
fn row_of((chain, row): &(Chain, AuditRow)) -> Value {
    json!({
        "chain": chain.word(),
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

/// What was found of a chain; of both, where the other one is given.
fn verdict_of(verdict: &Verdict, people: Option<&Verdict>) -> Value {
    let holds = |verdict: &Verdict| verdict.wrong.is_none() && verdict.unexplained_count == 0;
    json!({
        "ok": holds(verdict) && people.is_none_or(holds),
        "rows": verdict.rows,
        "head": verdict.head.as_ref().map(Head::to_string),
        "wrong": verdict.wrong.as_ref().map(ToString::to_string),
        "unsealed": verdict.unsealed,
        "other_keys": verdict.other_keys,
        "unexplained": verdict.unexplained,
        "unexplained_count": verdict.unexplained_count,
        "people": people.map(|people| verdict_of(people, None)),
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
