//! The secrets of a tenant over HTTP: each verb with its door, what it needs and what it does.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{Method, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::Deserialize;
use serde_json::json;
use vault::Metadata;

use super::doors::{Door, Doors, Who};
use super::gate::{Caller, Done};
use super::wire::{
    self, Answers, DestroyedReply, Imported, Importing, Incoming, NewDescription, Numbers, SecretRecords,
    SecretReply, StoredReply, VersionsReply,
};
use super::{AdminHead, MAX_BODY};
use crate::admin::{
    Actor, AdminError, Asked, Deed, Effect, Kind, MAX_IMPORT_BYTES, MAX_IMPORTED, Need, PolicyAsked, Secrets,
    Storing,
};
use crate::http::problem::{json_reply, nothing};

/// The largest body of an import: all its values, and a name and what is around it for each.
const MAX_IMPORT_BODY: usize = MAX_IMPORT_BYTES * 6 + MAX_IMPORTED * 256 + (16 << 10);

/// The verbs on secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
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
    Versions,
    Rollback,
    Prune,
    Destroy,
    DestroyRevoked,
    Policy,
    Explain,
}

impl Verb {
    /// The word that the log and the audit have for it, what it does to a secret, and what
    /// the description of the API says of it.
    const fn facts(self) -> (&'static str, Effect, &'static str) {
        use Effect::{Change, Look};
        match self {
            Self::List => ("list", Look, "List the secrets you may read: names and metadata"),
            Self::Create => ("create", Change, "Store a new secret"),
            Self::Set => ("set", Change, "Store a secret, new or not"),
            Self::Generate => {
                ("generate", Change, "Mint a secret; its value is in this reply and never again")
            }
            Self::Show => ("show", Look, "What is known of a secret; never its value"),
            Self::Describe => ("describe", Change, "Replace the description"),
            Self::Revoke => ("revoke", Change, "Revoke a secret and free its name"),
            Self::Rotate => ("rotate", Change, "Store a new version"),
            Self::RotateGenerated => {
                ("rotate_generated", Change, "Mint a new version; its value is in this reply and never again")
            }
            Self::Import => ("import", Change, "Store several secrets, new or not: all of them or none"),
            Self::Versions => ("versions", Look, "The versions of a secret, newest first"),
            Self::Rollback => ("rollback", Change, "Put an older version back into use"),
            Self::Prune => ("prune", Change, "Destroy all but the newest versions"),
            Self::Destroy => ("destroy", Change, "Destroy one version"),
            Self::DestroyRevoked => {
                ("destroy_revoked", Change, "Destroy all versions of the revoked secrets of this name")
            }
            Self::Policy => ("policy", Change, "Replace the policy"),
            Self::Explain => ("explain", Look, "What rules would get of the secrets they name; opens none"),
        }
    }

    /// What one needs before anything else is told.
    const fn need(self) -> Need<'static> {
        match self.facts().1 {
            Effect::Look => Need::SOME_SECRET_READ,
            Effect::Change => Need::SOME_SECRET_WRITE,
        }
    }

    /// The same, as the description of the API has it.
    const fn described(self) -> Need<'static> {
        match (self, self.facts().1) {
            (Self::List, _) => Need::SOME_SECRET_READ,
            (_, Effect::Look) => Need::secret_read("{name}"),
            (_, Effect::Change) => Need::secret_write("{name}"),
        }
    }

    /// The door at `path`, with what it takes and gives.
    fn door(self, method: Method, path: &str) -> Door {
        let door = Door::new(method, path, self.facts().2, Who::Capable(self.described()));
        let door = if path.contains("{name}") { door.asks("stack") } else { door };
        match self {
            Self::List => door.gives::<SecretRecords>(200),
            Self::Show => door.gives::<SecretReply>(200),
            Self::Describe => door.takes::<NewDescription>().gives::<SecretReply>(200),
            Self::Revoke => door.ends(204),
            Self::Create | Self::Generate => door.takes::<Incoming>().gives::<StoredReply>(201),
            Self::Set => door.takes::<Incoming>().gives::<StoredReply>(200).gives::<StoredReply>(201),
            Self::Rotate | Self::RotateGenerated => door.takes::<Incoming>().gives::<StoredReply>(200),
            Self::Import => door.takes::<Importing>().gives::<Imported>(200),
            Self::Versions => door.gives::<VersionsReply>(200),
            Self::Rollback => door.takes::<Numbers>().gives::<SecretReply>(200),
            Self::Prune => door.takes::<Numbers>().gives::<DestroyedReply>(200),
            Self::Destroy => door.gives::<DestroyedReply>(200),
            Self::DestroyRevoked => door.gives::<wire::DestroyedVersions<'static>>(200),
            Self::Policy => door.takes::<PolicyAsked>().gives::<SecretReply>(200),
            Self::Explain => door.takes::<wire::Asks>().gives::<Answers>(200),
        }
    }
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

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let one = [
        (Method::GET, Verb::Show),
        (Method::PUT, Verb::Set),
        (Method::PATCH, Verb::Describe),
        (Method::DELETE, Verb::Revoke),
    ];
    // Only POST is the verb; otherwise it is a secret of that name.
    let places =
        [("/{name}", Named::InPath), ("/generate", Named::As("generate")), ("/import", Named::As("import"))];
    let ones = places
        .into_iter()
        .flat_map(|(rest, named)| one.iter().map(move |(method, verb)| (method.clone(), rest, *verb, named)));
    let others = [
        (Method::GET, "", Verb::List, Named::Elsewhere),
        (Method::POST, "", Verb::Create, Named::Elsewhere),
        (Method::POST, "/generate", Verb::Generate, Named::Elsewhere),
        (Method::POST, "/import", Verb::Import, Named::Elsewhere),
        (Method::POST, "/{name}/rotate", Verb::Rotate, Named::InPath),
        (Method::POST, "/{name}/rotate-generated", Verb::RotateGenerated, Named::InPath),
        (Method::GET, "/{name}/versions", Verb::Versions, Named::InPath),
        (Method::DELETE, "/{name}/versions/{version}", Verb::Destroy, Named::InPath),
        (Method::DELETE, "/{name}/revoked", Verb::DestroyRevoked, Named::InPath),
        (Method::POST, "/{name}/rollback", Verb::Rollback, Named::InPath),
        (Method::POST, "/{name}/prune", Verb::Prune, Named::InPath),
        (Method::PUT, "/{name}/policy", Verb::Policy, Named::InPath),
    ];
    let secrets = "/v1/tenants/{slug}/secrets";
    let doors = others.into_iter().chain(ones).fold(doors, |doors, (method, rest, verb, named)| {
        doors.open(&verb.door(method, &format!("{secrets}{rest}")), |method| leads(method, verb, named))
    });
    let explain = Verb::Explain.door(Method::POST, "/v1/tenants/{slug}/explain");
    doors.open(&explain, |method| leads(method, Verb::Explain, Named::Elsewhere))
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
pub(super) struct Call {
    pub(super) verb: Verb,
    pub(super) slug: String,
    pub(super) name: Option<String>,
    pub(super) version: Option<u32>,
    pub(super) stack: Option<String>,
}

fn leads(method: MethodFilter, verb: Verb, named: Named) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(segments): Path<Segments>, Query(scope): Query<Scope>, caller: Caller| async move {
        let name = match named {
            Named::Elsewhere => None,
            Named::InPath => segments.name,
            Named::As(name) => Some(name.to_owned()),
        };
        let call = Call { verb, slug: segments.slug, name, version: segments.version, stack: scope.stack };
        let most = if verb == Verb::Import { MAX_IMPORT_BODY } else { MAX_BODY };
        let deed = call.deed();
        let perform = move |head: &AdminHead, actor: &Actor, body: &[u8], deed: &mut Deed| {
            call.perform(head, actor, body, deed)
        };
        caller.recorded(most, deed, perform).await
    })
}

impl Call {
    pub(super) fn deed(&self) -> Deed {
        let (word, effect, _) = self.verb.facts();
        let mut deed = Deed::new(Kind::Secret, word, effect);
        if let Some(name) = &self.name {
            deed.subject.clone_from(name);
        }
        deed
    }

    pub(super) fn perform(&self, head: &AdminHead, actor: &Actor, body: &[u8], deed: &mut Deed) -> Done {
        let tenant = head.tenant(&self.slug, deed)?;
        let secrets = head.admin.secrets(&tenant, actor, self.verb.need())?;
        match self.verb {
            Verb::List => {
                let all: Vec<_> = secrets.list()?.iter().map(wire::record_of).collect();
                Ok(json_reply(200, &json!({ "secrets": all })))
            }
            Verb::Show => Ok(told(&secrets.show(self.asked()?)?)),
            Verb::Describe => {
                let description = wire::new_description(body)?;
                Ok(told(&secrets.describe(self.asked()?, &description)?))
            }
            Verb::Revoke => {
                secrets.revoke(self.asked()?)?;
                Ok(nothing())
            }
            Verb::Create => self.store(body, &secrets, deed, |said| Ok(Storing::Create(said.value()?))),
            Verb::Set => self.store(body, &secrets, deed, |said| Ok(Storing::Set(said.value()?))),
            Verb::Rotate => self.store(body, &secrets, deed, |said| Ok(Storing::Rotate(said.value()?))),
            Verb::Generate => self.store(body, &secrets, deed, |said| Ok(Storing::Generate(said.byte_len))),
            Verb::RotateGenerated => {
                let body = if body.is_empty() { b"{}" } else { body };
                self.store(body, &secrets, deed, |said| Ok(Storing::RotateGenerated(said.byte_len)))
            }
            Verb::Import => {
                let (stack, values) = wire::import_of(body)?;
                let stored = secrets.import(stack.as_deref(), values)?;
                for one in &stored {
                    let subject = one.metadata.name.as_str().to_owned();
                    head.admin.audit().of(&Deed { subject, ..deed.clone() }, &Ok::<_, AdminError>(()));
                }
                Ok(wire::imported_reply(&stored))
            }
            Verb::Versions => {
                let (metadata, versions) = secrets.versions(self.asked()?)?;
                Ok(json_reply(200, &wire::versions_of(&metadata, &versions)))
            }
            Verb::Rollback => Ok(told(&secrets.roll_back(self.asked()?, Numbers::parse(body)?.to)?)),
            Verb::Prune => {
                let (metadata, gone) = secrets.prune(self.asked()?, Numbers::parse(body)?.keep)?;
                Ok(destroyed(&metadata, &gone))
            }
            Verb::Destroy => {
                let version = self.version.unwrap_or_default();
                Ok(destroyed(&secrets.destroy(self.asked()?, version)?, &[version]))
            }
            Verb::DestroyRevoked => {
                let gone = secrets.destroy_revoked(self.asked()?)?;
                Ok(json_reply(200, &wire::DestroyedVersions::of(&gone)))
            }
            Verb::Policy => Ok(told(&secrets.policy(self.asked()?, &wire::first_of(body)?)?)),
            Verb::Explain => {
                let asks: wire::Asks = wire::first_of(body)?;
                Ok(json_reply(200, &Answers { answers: secrets.explain(&asks.asks)? }))
            }
        }
    }

    fn asked(&self) -> Result<Asked<'_>, AdminError> {
        Asked::new(self.name.as_deref(), self.stack.as_deref())
    }

    /// The verbs that store. The path names the secret, or the body does where the path cannot.
    fn store(
        &self,
        body: &[u8],
        secrets: &Secrets<'_>,
        deed: &mut Deed,
        what: impl FnOnce(&mut Incoming) -> Result<Storing, AdminError>,
    ) -> Done {
        let mut said = Incoming::parse(body)?;
        let name = self.name.clone().or_else(|| said.name.clone());
        let stack = said.stack.clone().or_else(|| self.stack.clone());
        // The name is told first, whatever else is wrong.
        let asked = Asked::new(name.as_deref(), stack.as_deref())?;
        name.as_deref().unwrap_or_default().clone_into(&mut deed.subject);
        let storing = what(&mut said)?;
        Ok(wire::stored_reply(&secrets.store(asked, &said.beside(), storing)?))
    }
}

fn told(metadata: &Metadata) -> Response<Body> {
    json_reply(200, &json!({ "secret": wire::record_of(metadata) }))
}

fn destroyed(metadata: &Metadata, gone: &[u32]) -> Response<Body> {
    json_reply(200, &json!({ "secret": wire::record_of(metadata), "destroyed": gone }))
}
