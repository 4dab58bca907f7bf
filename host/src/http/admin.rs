//! The admin head: routes, the gate, and one audit line for each request about a secret.

mod wire;
mod ops;
mod audit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{Request, Response, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, get};
use model::SecretName;
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use vault::Metadata;

use super::open_dev::{Payload, admit};
use super::problem::{json_reply, reply};
use crate::admin::{Actor, Admin, AdminError, Asked, Deed, Effect, MAX_IMPORT_BYTES, MAX_IMPORTED, Secrets};
use ops::Turns;
use wire::Incoming;

pub(crate) use super::open_dev::Until;

/// The largest body: the largest value, every byte of it escaped as JSON can, and the rest.
const MAX_BODY: usize = vault::MAX_VALUE_BYTES * 6 + vault::MAX_DESCRIPTION_BYTES * 6 + (16 << 10);

/// The same for an import: all its values, and a name and what is around it for each.
const MAX_IMPORT_BODY: usize = MAX_IMPORT_BYTES * 6 + MAX_IMPORTED * 256 + (16 << 10);

/// How long a client may take to send its body.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// What the admin head needs.
pub(crate) struct AdminHead {
    /// The use-cases.
    pub admin: Admin,
    /// When open access ends.
    pub open_until: Until,
    /// Who may push an op now.
    turns: Turns,
}

impl AdminHead {
    pub(crate) fn new(admin: Admin, open_until: Until) -> Self {
        Self { admin, open_until, turns: Turns::default() }
    }
}

type Head = State<Arc<AdminHead>>;

/// The verbs on secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Create,
    Set,
    Generate,
    Show,
    Describe,
    Revoke,
    Rotate,
    RotateGenerated,
    Import,
    Live(Live),
}

/// What happens to a secret after it was stored: to its versions, and to its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    Versions,
    Rollback,
    Prune,
    Destroy,
    Policy,
    Explain,
}

impl Live {
    const fn word(self) -> &'static str {
        match self {
            Self::Versions => "versions",
            Self::Rollback => "rollback",
            Self::Prune => "prune",
            Self::Destroy => "destroy",
            Self::Policy => "policy",
            Self::Explain => "explain",
        }
    }
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Set => "set",
            Self::Generate => "generate",
            Self::Show => "show",
            Self::Describe => "describe",
            Self::Revoke => "revoke",
            Self::Rotate => "rotate",
            Self::RotateGenerated => "rotate_generated",
            Self::Import => "import",
            Self::Live(live) => live.word(),
        }
    }

    const fn effect(self) -> Effect {
        match self {
            Self::List | Self::Show | Self::Live(Live::Versions | Live::Explain) => Effect::Look,
            Self::Live(Live::Rollback | Live::Prune | Live::Destroy | Live::Policy)
            | Self::Create
            | Self::Set
            | Self::Generate
            | Self::Describe
            | Self::Revoke
            | Self::Rotate
            | Self::RotateGenerated
            | Self::Import => Effect::Change,
        }
    }
}

/// The routes of the admin head.
pub(crate) fn router(head: AdminHead) -> Router {
    let secrets = "/v1/tenants/{slug}/secrets";
    let one = |name: Named| {
        on(MethodFilter::GET, Verb::Show, name)
            .merge(on(MethodFilter::PUT, Verb::Set, name))
            .merge(on(MethodFilter::PATCH, Verb::Describe, name))
            .merge(on(MethodFilter::DELETE, Verb::Revoke, name))
    };
    let all = on(MethodFilter::GET, Verb::List, Named::Elsewhere).merge(on(
        MethodFilter::POST,
        Verb::Create,
        Named::Elsewhere,
    ));
    let generate = on(MethodFilter::POST, Verb::Generate, Named::Elsewhere);
    let import = on(MethodFilter::POST, Verb::Import, Named::Elsewhere);
    let live = |method: MethodFilter, live: Live| on(method, Verb::Live(live), Named::InPath);
    let rotate = on(MethodFilter::POST, Verb::Rotate, Named::InPath);
    let rotate_generated = on(MethodFilter::POST, Verb::RotateGenerated, Named::InPath);
    ops::routes()
        .merge(audit::routes())
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/v1/tenants", get(tenants).post(create_tenant))
        .route(secrets, all)
        // Only POST is the verb; otherwise it is a secret of that name.
        .route(&format!("{secrets}/generate"), one(Named::As("generate")).merge(generate))
        .route(&format!("{secrets}/import"), one(Named::As("import")).merge(import))
        .route(&format!("{secrets}/{{name}}"), one(Named::InPath))
        .route(&format!("{secrets}/{{name}}/rotate"), rotate)
        .route(&format!("{secrets}/{{name}}/rotate-generated"), rotate_generated)
        .route(&format!("{secrets}/{{name}}/versions"), live(MethodFilter::GET, Live::Versions))
        .route(&format!("{secrets}/{{name}}/versions/{{version}}"), live(MethodFilter::DELETE, Live::Destroy))
        .route(&format!("{secrets}/{{name}}/rollback"), live(MethodFilter::POST, Live::Rollback))
        .route(&format!("{secrets}/{{name}}/prune"), live(MethodFilter::POST, Live::Prune))
        .route(&format!("{secrets}/{{name}}/policy"), live(MethodFilter::PUT, Live::Policy))
        .route(
            "/v1/tenants/{slug}/explain",
            on(MethodFilter::POST, Verb::Live(Live::Explain), Named::Elsewhere),
        )
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .with_state(Arc::new(head))
}

/// Where a route's secret is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// In the body, or nowhere.
    Elsewhere,
    /// By a segment of the path.
    InPath,
    /// By the path itself, which is also that of a verb.
    As(&'static str),
}

/// The segments of a secret's path; `name` is absent where the path has none.
#[derive(Deserialize)]
struct Segments {
    slug: String,
    name: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Scope {
    stack: Option<String>,
}

/// One request about secrets, once it is read.
struct Call {
    verb: Verb,
    slug: String,
    name: Option<String>,
    version: Option<u32>,
    stack: Option<String>,
}

fn on(method: MethodFilter, verb: Verb, named: Named) -> MethodRouter<Arc<AdminHead>> {
    axum::routing::on(
        method,
        move |State(head): Head,
              Path(segments): Path<Segments>,
              Query(scope): Query<Scope>,
              ConnectInfo(peer): ConnectInfo<SocketAddr>,
              request: Request<Body>| async move {
            let name = match named {
                Named::Elsewhere => None,
                Named::InPath => segments.name,
                Named::As(name) => Some(name.to_owned()),
            };
            let most = if verb == Verb::Import { MAX_IMPORT_BODY } else { MAX_BODY };
            let body = enter(&head, peer, request, most, BODY_WITHIN).await;
            let call =
                Call { verb, slug: segments.slug, name, version: segments.version, stack: scope.stack };
            // The store blocks: on a thread that may, so that other requests are answered.
            let done = spawn_blocking(move || call.answer(body, &head)).await;
            done.unwrap_or_else(|_panic| reply(&AdminError::Internal))
        },
    )
}

/// The gate, and then the body.
async fn enter(
    head: &AdminHead,
    peer: SocketAddr,
    request: Request<Body>,
    most: usize,
    within: Duration,
) -> Result<Bytes, AdminError> {
    let (parts, body) = request.into_parts();
    let payload = if body.is_end_stream() { Payload::Absent } else { Payload::Present };
    admit(&parts, payload, peer, &head.open_until)?;
    let late = |_| AdminError::InvalidBody(format!("the body did not arrive within {} s", within.as_secs()));
    timeout(within, to_bytes(body, most)).await.map_err(late)?.map_err(|_| AdminError::BodyTooLarge)
}

impl Call {
    /// Does it, and writes the audit line, however it ends.
    fn answer(&self, body: Result<Bytes, AdminError>, head: &AdminHead) -> Response<Body> {
        let actor = Actor::Open;
        let mut tenant_id = "-".to_owned();
        // Logged only when it is a name: a path can contain anything.
        let mut name = self.name.clone();
        let result = match body {
            Ok(body) => self.perform(&body, head, &actor, &mut tenant_id, &mut name),
            Err(error) => Err(error),
        };
        let name = name.filter(|name| SecretName::parse(name).is_ok());
        let subject = name.as_deref().unwrap_or("-");
        let (action, effect) = (self.verb.word(), self.verb.effect());
        let deed = Deed { by: actor.by(), tenant: &tenant_id, subject, action, effect };
        head.admin.audit().of_secret(&deed, &result);
        result.unwrap_or_else(|error| reply(&error))
    }

    fn perform(
        &self,
        body: &[u8],
        head: &AdminHead,
        actor: &Actor,
        tenant_id: &mut String,
        name: &mut Option<String>,
    ) -> Result<Response<Body>, AdminError> {
        let tenant = head.admin.tenant(&self.slug)?;
        tenant.id.as_str().clone_into(tenant_id);
        let secrets = head.admin.secrets(&tenant, actor)?;
        let stack = self.stack.as_deref();
        let asked = || Asked::new(self.name.as_deref(), stack);
        Ok(match self.verb {
            Verb::List => {
                let all: Vec<_> = secrets.list()?.iter().map(wire::record_of).collect();
                json_reply(200, &json!({ "secrets": all }))
            }
            Verb::Show => json_reply(200, &json!({ "secret": wire::record_of(&secrets.show(asked()?)?) })),
            Verb::Describe => {
                let description = wire::new_description(body)?;
                let metadata = secrets.describe(asked()?, &description)?;
                json_reply(200, &json!({ "secret": wire::record_of(&metadata) }))
            }
            Verb::Revoke => {
                secrets.revoke(asked()?)?;
                let mut gone = Response::new(Body::empty());
                *gone.status_mut() = StatusCode::NO_CONTENT;
                gone
            }
            Verb::Create | Verb::Generate => {
                let mut incoming = Incoming::parse(body)?;
                name.clone_from(&incoming.name);
                // The name is told first, whatever else is wrong.
                Asked::new(incoming.name.as_deref(), incoming.stack.as_deref())?;
                let value = if self.verb == Verb::Create { Some(incoming.value()?) } else { None };
                let asked = Asked::new(incoming.name.as_deref(), incoming.stack.as_deref())?;
                let stored = match value {
                    Some(value) => secrets.create(asked, &incoming.beside(), value)?,
                    None => secrets.generate(asked, &incoming.beside(), incoming.byte_len)?,
                };
                wire::stored_reply(&stored)
            }
            Verb::Set => {
                let mut incoming = Incoming::parse(body)?;
                let value = incoming.value()?;
                let asked = Asked::new(self.name.as_deref(), incoming.stack.as_deref().or(stack))?;
                wire::stored_reply(&secrets.set(asked, &incoming.beside(), value)?)
            }
            Verb::Rotate => {
                let mut incoming = Incoming::parse(body)?;
                let value = incoming.value()?;
                wire::stored_reply(&secrets.rotate(asked()?, &incoming.beside(), value)?)
            }
            Verb::RotateGenerated => {
                let incoming = if body.is_empty() { Incoming::default() } else { Incoming::parse(body)? };
                let stored = secrets.rotate_generated(asked()?, &incoming.beside(), incoming.byte_len)?;
                wire::stored_reply(&stored)
            }
            Verb::Import => {
                let (stack, values) = wire::import_of(body)?;
                let stored = secrets.import(stack.as_deref(), values)?;
                for one in &stored {
                    let (action, effect) = (self.verb.word(), self.verb.effect());
                    let subject = one.metadata.name.as_str();
                    let deed = Deed { by: actor.by(), tenant: tenant_id, subject, action, effect };
                    head.admin.audit().of_secret(&deed, &Ok(()));
                }
                wire::imported_reply(&stored)
            }
            Verb::Live(live) => self.live(live, body, &secrets, asked)?,
        })
    }

    fn live<'c>(
        &'c self,
        live: Live,
        body: &[u8],
        secrets: &Secrets<'_>,
        asked: impl Fn() -> Result<Asked<'c>, AdminError>,
    ) -> Result<Response<Body>, AdminError> {
        let secret = |metadata: &Metadata| json!({ "secret": wire::record_of(metadata) });
        Ok(match live {
            Live::Rollback => {
                let to = wire::Numbers::parse(body)?.to;
                json_reply(200, &secret(&secrets.roll_back(asked()?, to)?))
            }
            Live::Prune => {
                let keep = wire::Numbers::parse(body)?.keep;
                let (metadata, gone) = secrets.prune(asked()?, keep)?;
                json_reply(200, &json!({ "secret": wire::record_of(&metadata), "destroyed": gone }))
            }
            Live::Destroy => {
                let version = self.version.unwrap_or_default();
                let metadata = secrets.destroy(asked()?, version)?;
                json_reply(200, &json!({ "secret": wire::record_of(&metadata), "destroyed": [version] }))
            }
            Live::Policy => json_reply(200, &secret(&secrets.policy(asked()?, &wire::first_of(body)?)?)),
            Live::Explain => {
                let asks: wire::Asks = wire::first_of(body)?;
                json_reply(200, &json!({ "answers": secrets.explain(&asks.asks)? }))
            }
            Live::Versions => {
                let (metadata, versions) = secrets.versions(asked()?)?;
                json_reply(200, &wire::versions_of(&metadata, &versions))
            }
        })
    }
}

async fn tenants(
    State(head): Head,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = enter(&head, peer, request, MAX_BODY, BODY_WITHIN).await;
    let done = spawn_blocking(move || {
        entered?;
        let all: Vec<_> = head.admin.tenants()?.iter().map(wire::tenant_of).collect();
        Ok(json_reply(200, &json!({ "tenants": all })))
    });
    finished(done.await)
}

async fn create_tenant(
    State(head): Head,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = enter(&head, peer, request, MAX_BODY, BODY_WITHIN).await;
    let done = spawn_blocking(move || {
        let actor = Actor::Open;
        let result = entered.and_then(|body| {
            let asked = wire::NewTenant::parse(&body)?;
            head.admin.create_tenant(&actor, &asked.slug, asked.name.as_deref())
        });
        let tenant = result.as_ref().map_or("-", |tenant| tenant.id.as_str());
        let deed = Deed { by: actor.by(), tenant, subject: "-", action: "create", effect: Effect::Change };
        head.admin.audit().of_tenant(&deed, &result);
        Ok(json_reply(201, &wire::tenant_of(&result?)))
    });
    finished(done.await)
}

fn finished(done: Result<Result<Response<Body>, AdminError>, tokio::task::JoinError>) -> Response<Body> {
    done.unwrap_or(Err(AdminError::Internal)).unwrap_or_else(|error| reply(&error))
}

#[cfg(test)]
mod tests;
