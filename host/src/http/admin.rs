//! The admin head: routes, the gate, and one audit line for each request about a secret.

mod wire;
mod doors;
mod gate;
mod tenants;
mod people;
mod enrolment;
mod ops;
mod audit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use model::SecretName;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::By;
use tokio::task::spawn_blocking;
use vault::Metadata;

use super::authentication::Authentication;
use super::problem::{json_reply, reply};
use super::throttle::Throttle;
use crate::admin::{
    Actor, Admin, AdminError, Asked, Deed, Effect, MAX_IMPORT_BYTES, MAX_IMPORTED, Need, Secrets,
};
use doors::{Door, Doors, Who};
use ops::Turns;
use wire::{Imported, Importing, Incoming, NewDescription, Numbers, SecretRecords, SecretReply, StoredReply};

pub(crate) use enrolment::EnrolSecret;

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
    /// How somebody proves who they are.
    pub authentication: Arc<Authentication>,
    /// The secret by which somebody becomes an actor.
    pub enrol_secret: EnrolSecret,
    /// How often one machine may try it.
    pub throttle: Throttle,
    /// Who may push an op now.
    turns: Turns,
}

impl AdminHead {
    pub(crate) fn new(
        admin: Admin,
        authentication: Authentication,
        enrol_secret: EnrolSecret,
        throttle: Throttle,
    ) -> Self {
        let authentication = Arc::new(authentication);
        Self { admin, authentication, enrol_secret, throttle, turns: Turns::default() }
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

    /// What it does, for the description of the API.
    const fn says(self) -> &'static str {
        match self {
            Self::Versions => "The versions of a secret, newest first",
            Self::Rollback => "Put an older version back into use",
            Self::Prune => "Destroy all but the newest versions",
            Self::Destroy => "Destroy one version",
            Self::Policy => "Replace the policy",
            Self::Explain => "What rules would get of the secrets they name; opens none",
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

    /// What it does, for the description of the API.
    const fn says(self) -> &'static str {
        match self {
            Self::List => "List the secrets you may read: names and metadata",
            Self::Create => "Store a new secret",
            Self::Set => "Store a secret, new or not",
            Self::Generate => "Mint a secret; its value is in this reply and never again",
            Self::Show => "What is known of a secret; never its value",
            Self::Describe => "Replace the description",
            Self::Revoke => "Revoke a secret and free its name",
            Self::Rotate => "Store a new version",
            Self::RotateGenerated => "Mint a new version; its value is in this reply and never again",
            Self::Import => "Store several secrets, new or not: all of them or none",
            Self::Live(live) => live.says(),
        }
    }

    /// What one needs before anything else is told.
    const fn need(self) -> Need<'static> {
        match self {
            Self::List | Self::Show | Self::Live(Live::Versions | Live::Explain) => Need::SOME_SECRET_READ,
            Self::Create
            | Self::Set
            | Self::Generate
            | Self::Describe
            | Self::Revoke
            | Self::Rotate
            | Self::RotateGenerated
            | Self::Import
            | Self::Live(Live::Rollback | Live::Prune | Live::Destroy | Live::Policy) => {
                Need::SOME_SECRET_WRITE
            }
        }
    }

    /// The same, as the description of the API has it.
    const fn capability(self) -> &'static str {
        match self {
            Self::List => "secret:*:read",
            Self::Show | Self::Live(Live::Versions | Live::Explain) => "secret:{name}:read",
            Self::Create
            | Self::Set
            | Self::Generate
            | Self::Describe
            | Self::Revoke
            | Self::Rotate
            | Self::RotateGenerated
            | Self::Import
            | Self::Live(Live::Rollback | Live::Prune | Live::Destroy | Live::Policy) => {
                "secret:{name}:write"
            }
        }
    }
}

/// What is served beside administration, and needs none of it.
pub(crate) struct Aside {
    /// Whether the chassis can answer.
    pub readiness: Router,
    /// The numbers.
    pub metrics: Router,
}

/// The routes of the admin head.
pub(crate) fn router(head: AdminHead, aside: Aside) -> Router {
    let healthz = Door::new(Method::GET, "/healthz", "Whether the chassis runs", Who::Anybody).ends(200);
    let readyz = ["/readyz", "/_txc/readyz"].map(|path| {
        let says = "Whether it can answer, and how its secret store is";
        let door = Door::new(Method::GET, path, says, Who::Anybody);
        door.gives::<Map<String, Value>>(200).gives::<Map<String, Value>>(503)
    });
    let doors =
        Doors::new().open(&healthz, |method| on(method, async || "ok\n")).beside(&readyz, aside.readiness);
    let metrics =
        Door::new(Method::GET, "/metrics", "The numbers, for whoever works on this machine", Who::Anybody);
    let doors = audit::open(doors.beside(&[metrics.ends(200)], aside.metrics));
    let doors = open_secrets(people::open(tenants::open(enrolment::open(ops::open(doors)))));
    doors
        .close()
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .with_state(Arc::new(head))
}

/// The doors of secrets.
fn open_secrets(doors: Doors) -> Doors {
    let secrets = "/v1/tenants/{slug}/secrets";
    let door = |method: Method, rest: &str, verb: Verb| {
        let door =
            Door::new(method, &format!("{secrets}{rest}"), verb.says(), Who::Capable(verb.capability()));
        let door = if rest.contains("{name}") { door.asks("stack") } else { door };
        match verb {
            Verb::List => door.gives::<SecretRecords>(200),
            Verb::Show => door.gives::<SecretReply>(200),
            Verb::Describe => door.takes::<NewDescription>().gives::<SecretReply>(200),
            Verb::Revoke => door.ends(204),
            Verb::Create | Verb::Generate => door.takes::<Incoming>().gives::<StoredReply>(201),
            Verb::Set => door.takes::<Incoming>().gives::<StoredReply>(200).gives::<StoredReply>(201),
            Verb::Import => door.takes::<Importing>().gives::<Imported>(200),
            Verb::Live(Live::Versions) => door.gives::<Map<String, Value>>(200),
            Verb::Live(Live::Rollback | Live::Prune) => {
                door.takes::<Numbers>().gives::<Map<String, Value>>(200)
            }
            Verb::Live(Live::Destroy) => door.gives::<Map<String, Value>>(200),
            Verb::Live(Live::Policy) => door.takes::<Map<String, Value>>().gives::<SecretReply>(200),
            Verb::Live(Live::Explain) => door.takes::<Map<String, Value>>().gives::<Map<String, Value>>(200),
            Verb::Rotate | Verb::RotateGenerated => door.takes::<Incoming>().gives::<StoredReply>(200),
        }
    };
    let one = |doors: Doors, rest: &'static str, name: Named| {
        let verbs = [
            (Method::GET, Verb::Show),
            (Method::PUT, Verb::Set),
            (Method::PATCH, Verb::Describe),
            (Method::DELETE, Verb::Revoke),
        ];
        verbs.into_iter().fold(doors, |doors, (method, verb)| {
            doors.open(&door(method, rest, verb), |method| leads(method, verb, name))
        })
    };
    let post = |doors: Doors, rest: &'static str, verb: Verb, name: Named| {
        doors.open(&door(Method::POST, rest, verb), |method| leads(method, verb, name))
    };
    let doors =
        doors.open(&door(Method::GET, "", Verb::List), |method| leads(method, Verb::List, Named::Elsewhere));
    let doors = post(doors, "", Verb::Create, Named::Elsewhere);
    // Only POST is the verb; otherwise it is a secret of that name.
    let doors = post(doors, "/generate", Verb::Generate, Named::Elsewhere);
    let doors = one(doors, "/generate", Named::As("generate"));
    let doors = post(doors, "/import", Verb::Import, Named::Elsewhere);
    let doors = one(doors, "/import", Named::As("import"));
    let doors = one(doors, "/{name}", Named::InPath);
    let doors = post(doors, "/{name}/rotate", Verb::Rotate, Named::InPath);
    let doors = post(doors, "/{name}/rotate-generated", Verb::RotateGenerated, Named::InPath);
    let lives = [
        (Method::GET, "/{name}/versions", Live::Versions),
        (Method::DELETE, "/{name}/versions/{version}", Live::Destroy),
        (Method::POST, "/{name}/rollback", Live::Rollback),
        (Method::POST, "/{name}/prune", Live::Prune),
        (Method::PUT, "/{name}/policy", Live::Policy),
    ];
    let doors = lives.into_iter().fold(doors, |doors, (method, rest, live)| {
        doors.open(&door(method, rest, Verb::Live(live)), |m| leads(m, Verb::Live(live), Named::InPath))
    });
    let explain = Verb::Live(Live::Explain);
    let asked = Door::new(
        Method::POST,
        "/v1/tenants/{slug}/explain",
        explain.says(),
        Who::Capable("secret:{name}:read"),
    );
    let asked = asked.takes::<Map<String, Value>>().gives::<Map<String, Value>>(200);
    doors.open(&asked, |method| leads(method, explain, Named::Elsewhere))
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

fn leads(method: MethodFilter, verb: Verb, named: Named) -> MethodRouter<Arc<AdminHead>> {
    on(
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
            let entered = heard(&head, peer, request, most, BODY_WITHIN).await;
            let call =
                Call { verb, slug: segments.slug, name, version: segments.version, stack: scope.stack };
            answered(move || Ok(call.answer(entered, &head))).await
        },
    )
}

/// The gate, and then the body.
async fn heard(
    head: &AdminHead,
    peer: SocketAddr,
    request: Request<Body>,
    most: usize,
    within: Duration,
) -> Result<(Actor, Bytes), AdminError> {
    head.knock(peer, request)?.enter(most, within).await
}

/// Who it was, for the audit; a dash when nobody knows.
fn by_of(known: Option<&Actor>) -> By<'_> {
    known.map_or(By::Actor("-"), Actor::by)
}

/// Answers on a thread that may block, as the store does, so that other requests are answered.
async fn answered(
    work: impl FnOnce() -> Result<Response<Body>, AdminError> + Send + 'static,
) -> Response<Body> {
    let done = spawn_blocking(work).await;
    done.unwrap_or(Err(AdminError::Internal)).unwrap_or_else(|error| reply(&error))
}

impl Call {
    /// Does it, and writes the audit line, however it ends.
    fn answer(&self, entered: Result<(Actor, Bytes), AdminError>, head: &AdminHead) -> Response<Body> {
        let known = entered.as_ref().ok().map(|(actor, _)| actor.clone());
        let mut tenant_id = "-".to_owned();
        // Logged only when it is a name: a path can contain anything.
        let mut name = self.name.clone();
        let result =
            entered.and_then(|(actor, body)| self.perform(&body, head, &actor, &mut tenant_id, &mut name));
        let name = name.filter(|name| SecretName::parse(name).is_ok());
        let subject = name.as_deref().unwrap_or("-");
        let (action, effect) = (self.verb.word(), self.verb.effect());
        let deed = Deed { by: by_of(known.as_ref()), tenant: &tenant_id, subject, action, effect };
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
        let secrets = head.admin.secrets(&tenant, actor, self.verb.need())?;
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
                let to = Numbers::parse(body)?.to;
                json_reply(200, &secret(&secrets.roll_back(asked()?, to)?))
            }
            Live::Prune => {
                let keep = Numbers::parse(body)?.keep;
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

#[cfg(test)]
mod tests;
