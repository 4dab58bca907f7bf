//! How somebody gets an identity over HTTP, and what they learn of the one they have.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, Response};
use axum::routing::on;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use model::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Enrolled, NewActor, When};

use super::AdminHead;
use super::doors::{Door, Doors, Who};
use super::gate::{Caller, Done};
use super::people::{MAX_BODY, Revoked};
use super::wire::first_of;
use crate::admin::{self, Actor, AdminError, Deed, EVERYTHING, Effect, FIRST_TENANT, Kind, Unproven};
use crate::http::authentication::Secret;
use crate::http::problem::{json_reply, reply};

/// The secret of the start, by which somebody becomes an actor without knowing one.
pub(crate) enum EnrolSecret {
    /// There is none.
    Off,
    /// The operator's: good at any time, for an ordinary actor.
    Given(Secret),
    /// The chassis's own, printed at the start: good for the first, who rules everything.
    Minted(Secret),
}

const SECRET_HEADER: &str = "x-txco-enroll-secret";

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let enrol = Door::new(
        Method::POST,
        "/auth/dev/enroll",
        "Become an actor by the secret of the start",
        Who::Anybody,
    )
    .takes::<NewKey>()
    .gives::<Identity<'static>>(200);
    let consume = Door::new(Method::POST, "/auth/invitations/consume", "Accept an invitation", Who::Anybody)
        .takes::<Acceptance>()
        .gives::<Identity<'static>>(200);
    let whoami = Door::new(Method::GET, "/auth/whoami", "Who you are here, and what you may do", Who::Known)
        .gives::<Whoami<'static>>(200);
    let add = Door::new(Method::POST, "/auth/keys", "Give yourself one more key", Who::Known)
        .takes::<NewKey>()
        .gives::<Identity<'static>>(200);
    let revoke = Door::new(Method::POST, "/auth/keys/{id}/revoke", "Revoke a key of your own", Who::Known)
        .gives::<Revoked<'static>>(200);
    let doors = doors
        .open(&enrol, |method| on(method, enrol_by_secret))
        .open(&consume, |method| on(method, accept))
        .open(&whoami, |method| on(method, self::whoami))
        .open(&add, |method| on(method, add_key))
        .open(&revoke, |method| on(method, revoke_key));
    let past = ["/v1/ops", "/v1/ops/import", "/auth/actors", "/auth/actors/{id}/revoke", "/auth/invitations"];
    past.iter().chain(&["/auth/invitations/{id}/revoke"]).fold(doors, |doors, path| {
        [Method::GET, Method::POST].into_iter().fold(doors, |doors, method| {
            let door = Door::new(method, path, "Moved below /v1/tenants/{slug}", Who::Anybody).ends(410);
            doors.open(&door, |method| on(method, async || reply(&AdminError::Gone)))
        })
    })
}

async fn enrol_by_secret(caller: Caller) -> Response<Body> {
    let offered = offered(caller.request.headers());
    caller
        .tried(MAX_BODY, move |head, body| {
            let enrolled = body.and_then(|body| head.enrol(offered.as_deref(), &body));
            head.told("enroll", enrolled.map(|new| New::of(new, FIRST_TENANT, vec![EVERYTHING.to_owned()])))
        })
        .await
}

fn offered(headers: &HeaderMap) -> Option<String> {
    headers.get(SECRET_HEADER)?.to_str().ok().map(|text| text.trim().to_owned())
}

impl AdminHead {
    fn enrol(&self, offered: Option<&str>, body: &[u8]) -> Result<Enrolled, AdminError> {
        let (secret, when) = match &self.enrol_secret {
            EnrolSecret::Off => return Err(AdminError::EnrolmentClosed),
            EnrolSecret::Given(secret) => (secret, When::Always),
            EnrolSecret::Minted(secret) => (secret, When::Nobody),
        };
        let burned = when == When::Nobody && self.admin.actors().active().map_err(AdminError::Actors)? > 0;
        if burned {
            return Err(AdminError::EnrolmentClosed);
        }
        if !offered.is_some_and(|offered| secret.is(offered.as_bytes())) {
            return Err(Unproven::EnrolmentSecret.into());
        }
        let asked = NewKey::read(body)?;
        admin::enrol(self.admin.actors(), asked.actor(), &asked.public_key()?, when)
    }
}

async fn accept(caller: Caller) -> Response<Body> {
    let accept = |head: &AdminHead, body: &[u8]| {
        let asked: Acceptance = first_of(body).map_err(|_| invalid_json())?;
        let key = asked.key();
        let (enrolled, invitation) =
            admin::accept(head.admin.actors(), &asked.token, &key.public_key()?, key.actor())?;
        Ok(New::of(enrolled, &invitation.tenant_id, invitation.capabilities))
    };
    caller
        .tried(MAX_BODY, move |head, body| head.told("accept", body.and_then(|body| accept(head, &body))))
        .await
}

/// A new identity, and where it is good for what.
struct New {
    enrolled: Enrolled,
    tenant_id: String,
    capabilities: Vec<String>,
}

impl New {
    fn of(enrolled: Enrolled, tenant_id: &str, capabilities: Vec<String>) -> Self {
        Self { enrolled, tenant_id: tenant_id.to_owned(), capabilities }
    }
}

impl AdminHead {
    /// Writes down who somebody became, or that they did not, and answers with it.
    fn told(&self, action: &'static str, result: Result<New, AdminError>) -> Done {
        let mut deed = Deed::new(Kind::Actor, action, Effect::Change);
        if let Ok(new) = &result {
            deed.by.clone_from(&new.enrolled.actor_id);
            deed.subject.clone_from(&new.enrolled.actor_id);
            deed.tenant.clone_from(&new.tenant_id);
        }
        self.admin.audit().of(&deed, &result);
        self.identity(&result?)
    }

    /// The new identity as it is known from now on.
    fn identity(&self, new: &New) -> Done {
        let tenants = self.admin.tenants(&Actor::Basic)?;
        let own = tenants.iter().find(|tenant| tenant.id.as_str() == new.tenant_id);
        let identity = Identity {
            actor_id: &new.enrolled.actor_id,
            key_id: &new.enrolled.key_id,
            capabilities: &new.capabilities,
            tenant_slug: own.map_or("", |tenant| tenant.slug.as_str()),
            super_admin: new.enrolled.super_admin,
        };
        Ok(json_reply(200, &identity))
    }
}

async fn whoami(caller: Caller) -> Response<Body> {
    caller
        .served(|head, actor, _| {
            let tenants = head.admin.tenants(actor)?;
            let slug =
                |id: &TenantId| tenants.iter().find(|tenant| tenant.id == *id).map(|t| t.slug.as_str());
            Ok(json_reply(200, &Whoami::of(actor, &slug)))
        })
        .await
}

async fn add_key(caller: Caller) -> Response<Body> {
    let deed = Deed::new(Kind::Actor, "add_key", Effect::Change);
    caller
        .recorded(MAX_BODY, deed, |head, actor, body, deed| {
            let enrolled = head.admin.people(actor).add_key(&NewKey::read(body)?.public_key()?)?;
            deed.subject.clone_from(&enrolled.actor_id);
            head.identity(&New::of(enrolled, "-", Vec::new()))
        })
        .await
}

async fn revoke_key(Path(id): Path<String>, caller: Caller) -> Response<Body> {
    let mut deed = Deed::new(Kind::Actor, "revoke_key", Effect::Change);
    deed.subject.clone_from(&id);
    caller
        .recorded(MAX_BODY, deed, move |head, actor, _, _| {
            head.admin.people(actor).revoke_key(&id)?;
            Ok(json_reply(200, &Revoked { revoked: true, key_id: Some(&id), ..Revoked::default() }))
        })
        .await
}

/// A public key, and what its owner is called.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// 32 bytes in base64, standard or URL-safe.
    public_key_b64: String,
    /// `ed25519`.
    algorithm: Option<String>,
    label: Option<String>,
    kind: Option<String>,
}

/// The same with the token of an invitation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    token: String,
    public_key_b64: String,
    algorithm: Option<String>,
    label: Option<String>,
    kind: Option<String>,
}

fn invalid_json() -> AdminError {
    AdminError::InvalidEnrolment("invalid JSON body")
}

impl NewKey {
    fn read(body: &[u8]) -> Result<Self, AdminError> {
        first_of(body).map_err(|_| invalid_json())
    }

    fn actor(&self) -> NewActor<'_> {
        NewActor { label: self.label.as_deref(), kind: self.kind.as_deref(), super_admin: false }
    }

    fn public_key(&self) -> Result<[u8; 32], AdminError> {
        if self.algorithm.as_deref().is_some_and(|algorithm| !matches!(algorithm, "" | "ed25519")) {
            return Err(AdminError::InvalidEnrolment("unsupported algorithm"));
        }
        let text = self.public_key_b64.trim();
        let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or(AdminError::InvalidEnrolment("invalid public key"))
    }
}

impl Acceptance {
    fn key(&self) -> NewKey {
        NewKey {
            public_key_b64: self.public_key_b64.clone(),
            algorithm: self.algorithm.clone(),
            label: self.label.clone(),
            kind: self.kind.clone(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Identity<'a> {
    actor_id: &'a str,
    key_id: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    capabilities: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    tenant_slug: &'a str,
    super_admin: bool,
}

#[derive(Serialize, JsonSchema)]
struct Whoami<'a> {
    /// `open`, `basic` or `signed`.
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    super_admin: bool,
    /// What you may do everywhere.
    capabilities: Vec<&'static str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    memberships: Vec<MembershipRecord<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct MembershipRecord<'a> {
    tenant_id: &'a str,
    tenant_slug: &'a str,
    capabilities: Vec<&'a str>,
}

impl<'a> Whoami<'a> {
    fn of(actor: &'a Actor, slug: &dyn Fn(&TenantId) -> Option<&'a str>) -> Self {
        let anonymous = |source| Self {
            source,
            actor_id: None,
            key_id: None,
            label: None,
            super_admin: false,
            capabilities: vec!["admin:all"],
            memberships: Vec::new(),
        };
        let enrolled = match actor {
            Actor::Open => return anonymous("open"),
            Actor::Basic => return anonymous("basic"),
            Actor::Enrolled(enrolled) => enrolled,
        };
        let memberships = enrolled.memberships.iter().map(|membership| MembershipRecord {
            tenant_id: membership.tenant.as_str(),
            tenant_slug: slug(&membership.tenant).unwrap_or_default(),
            capabilities: membership.capabilities.iter().map(model::Capability::as_str).collect(),
        });
        Self {
            source: "signed",
            actor_id: Some(&enrolled.id),
            key_id: Some(&enrolled.key_id),
            label: enrolled.label.as_deref(),
            super_admin: enrolled.super_admin,
            capabilities: Vec::new(),
            memberships: memberships.collect(),
        }
    }
}
