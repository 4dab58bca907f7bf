//! The people of a tenant over HTTP: members, invitations, actors.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{Method, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Invitation, Member, Tenant};

use super::AdminHead;
use super::doors::{Door, Doors, Who};
use super::gate::Caller;
use super::wire::first_of;
use crate::admin::{AdminError, Deed, Effect, Kind, Need, Oneself, People};
use crate::config::Setting as _;
use crate::http::problem::{json_reply, nothing};

/// Names and capabilities, and little else.
pub(super) const MAX_BODY: usize = 64 << 10;

/// A request about the people of a tenant, once it is known who asks.
struct Asked<'a> {
    people: People<'a>,
    tenant: &'a Tenant,
    /// Whom or what the path names.
    id: &'a str,
    body: &'a [u8],
    oneself: Oneself,
}

/// What it comes to: the reply, and whom it was about.
type Told = Result<(Response<Body>, String), AdminError>;

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let base = "/v1/tenants/{slug}/auth";
    let (read, invite, revoke) = (Need::ACTORS_READ, Need::ACTORS_INVITE, Need::ACTORS_REVOKE);
    let door = |method: Method, rest: &str, says, need| {
        Door::new(method, &format!("{base}{rest}"), says, Who::Capable(need))
    };
    let (get, post, delete) = (|| Method::GET, || Method::POST, || Method::DELETE);
    doors
        .open(&door(get(), "/members", "List the members", read).gives::<Members<'static>>(200), |m| {
            leads(m, "list_members", members)
        })
        .open(
            &door(post(), "/members", "Say what an actor may do in the tenant", invite)
                .takes::<Granted>()
                .gives::<MemberRecord<'static>>(200),
            |m| leads(m, "grant", grant),
        )
        .open(&door(delete(), "/members/{actor}", "End a membership", revoke).ends(204), |m| {
            leads(m, "remove_member", remove_member)
        })
        .open(
            &door(get(), "/invitations", "List the invitations", read).gives::<Invitations<'static>>(200),
            |m| leads(m, "list_invitations", invitations),
        )
        .open(
            &door(
                post(),
                "/invitations",
                "Invite somebody; the token is in this reply and never again",
                invite,
            )
            .takes::<Invited>()
            .gives::<Token<'static>>(200),
            |m| leads(m, "invite", self::invite),
        )
        .open(
            &door(post(), "/invitations/{id}/revoke", "Take an invitation back", invite)
                .gives::<Revoked<'static>>(200),
            |m| leads(m, "revoke_invitation", revoke_invitation),
        )
        .open(
            &door(get(), "/actors", "List the actors of the tenant", read)
                .gives::<ActorRecords<'static>>(200),
            |m| leads(m, "list_actors", actors),
        )
        .open(
            &door(post(), "/actors/{id}/revoke", "Revoke an actor with all keys, everywhere", revoke)
                .asks("self")
                .gives::<Revoked<'static>>(200),
            |m| leads(m, "revoke_actor", revoke_actor),
        )
}

#[derive(Deserialize)]
struct Segments {
    slug: String,
    #[serde(alias = "actor")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "self")]
    oneself: Option<String>,
}

fn leads(
    method: MethodFilter,
    action: &'static str,
    work: fn(&Asked<'_>) -> Told,
) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(segments): Path<Segments>, Query(said): Query<Said>, caller: Caller| async move {
        let oneself = if said.oneself.as_deref() == Some("true") { Oneself::Too } else { Oneself::Not };
        let effect = if action.starts_with("list") { Effect::Look } else { Effect::Change };
        let mut deed = Deed::new(Kind::Actor, action, effect);
        let id = segments.id.unwrap_or_default();
        deed.subject.clone_from(&id);
        caller
            .recorded(MAX_BODY, deed, move |head, actor, body, deed| {
                let tenant = head.tenant(&segments.slug, deed)?;
                let people = head.admin.people(actor);
                let (answer, about) = work(&Asked { people, tenant: &tenant, id: &id, body, oneself })?;
                deed.subject = about;
                Ok(answer)
            })
            .await
    })
}

/// What a list is about: nobody in particular.
fn nobody(answer: Response<Body>) -> Told {
    Ok((answer, String::new()))
}

fn members(asked: &Asked<'_>) -> Told {
    let all = asked.people.members(asked.tenant)?;
    nobody(json_reply(200, &Members { members: all.iter().map(MemberRecord::of).collect() }))
}

fn grant(asked: &Asked<'_>) -> Told {
    let granted: Granted = first_of(asked.body)?;
    let member = asked.people.grant(asked.tenant, &granted.actor_id, &granted.capabilities)?;
    Ok((json_reply(200, &MemberRecord::of(&member)), granted.actor_id))
}

fn remove_member(asked: &Asked<'_>) -> Told {
    asked.people.remove_member(asked.tenant, asked.id)?;
    Ok((nothing(), asked.id.to_owned()))
}

fn invitations(asked: &Asked<'_>) -> Told {
    let all = asked.people.invitations(asked.tenant)?;
    let now = jiff::Timestamp::now();
    let all = all.iter().map(|one| InvitationRecord::of(one, now)).collect();
    nobody(json_reply(200, &Invitations { invitations: all }))
}

fn invite(asked: &Asked<'_>) -> Told {
    let invited: Invited = if asked.body.is_empty() { Invited::default() } else { first_of(asked.body)? };
    let ttl = invited.ttl.as_deref().filter(|ttl| !ttl.is_empty()).map(Duration::parse).transpose();
    let ttl = ttl.map_err(|_| AdminError::InvalidTtl)?;
    let called = (invited.label.as_deref(), invited.kind.as_deref());
    let (invitation, token) = asked.people.invite(asked.tenant, called, ttl, &invited.capabilities)?;
    let answer = Token { invitation_id: &invitation.id, token: &token, expires_at: &invitation.expires_at };
    Ok((json_reply(200, &answer), invitation.id.clone()))
}

fn revoke_invitation(asked: &Asked<'_>) -> Told {
    asked.people.revoke_invitation(asked.tenant, asked.id)?;
    let answer = Revoked { revoked: true, invitation_id: Some(asked.id), ..Revoked::default() };
    Ok((json_reply(200, &answer), asked.id.to_owned()))
}

fn actors(asked: &Asked<'_>) -> Told {
    let all = asked.people.members(asked.tenant)?;
    nobody(json_reply(200, &ActorRecords { actors: all.iter().map(ActorRecord::of).collect() }))
}

fn revoke_actor(asked: &Asked<'_>) -> Told {
    asked.people.revoke(asked.tenant, asked.id, asked.oneself)?;
    let answer = Revoked { revoked: true, actor_id: Some(asked.id), ..Revoked::default() };
    Ok((json_reply(200, &answer), asked.id.to_owned()))
}

/// What an actor may do from now on.
#[derive(Deserialize, JsonSchema)]
struct Granted {
    #[serde(default)]
    actor_id: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

/// Whom to invite, for what, and for how long (`24h`; at most 168h).
#[derive(Deserialize, JsonSchema, Default)]
#[serde(default)]
struct Invited {
    label: Option<String>,
    kind: Option<String>,
    ttl: Option<String>,
    capabilities: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Token<'a> {
    invitation_id: &'a str,
    token: &'a str,
    expires_at: &'a str,
}

/// What was revoked.
#[derive(Serialize, JsonSchema, Default)]
pub(super) struct Revoked<'a> {
    pub(super) revoked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actor_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invitation_id: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct Members<'a> {
    members: Vec<MemberRecord<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct MemberRecord<'a> {
    actor_id: &'a str,
    label: &'a str,
    kind: &'a str,
    capabilities: &'a [String],
    created_at: &'a str,
}

impl<'a> MemberRecord<'a> {
    fn of(member: &'a Member) -> Self {
        Self {
            actor_id: &member.actor.id,
            label: member.actor.label.as_deref().unwrap_or_default(),
            kind: member.actor.kind.as_deref().unwrap_or_default(),
            capabilities: &member.membership.capabilities,
            created_at: &member.membership.created_at,
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct ActorRecords<'a> {
    actors: Vec<ActorRecord<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct ActorRecord<'a> {
    actor_id: &'a str,
    label: &'a str,
    kind: &'a str,
    super_admin: bool,
    created_at: &'a str,
}

impl<'a> ActorRecord<'a> {
    fn of(member: &'a Member) -> Self {
        let actor = &member.actor;
        Self {
            actor_id: &actor.id,
            label: actor.label.as_deref().unwrap_or_default(),
            kind: actor.kind.as_deref().unwrap_or_default(),
            super_admin: actor.super_admin,
            created_at: &actor.created_at,
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Invitations<'a> {
    invitations: Vec<InvitationRecord<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct InvitationRecord<'a> {
    invitation_id: &'a str,
    /// `active`, `consumed`, `revoked` or `expired`.
    status: &'static str,
    label: &'a str,
    kind: &'a str,
    capabilities: &'a [String],
    created_by: &'a str,
    created_at: &'a str,
    expires_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_by: Option<&'a str>,
}

impl<'a> InvitationRecord<'a> {
    fn of(invitation: &'a Invitation, now: jiff::Timestamp) -> Self {
        let live = invitation.expires_at.parse::<jiff::Timestamp>().is_ok_and(|at| at > now);
        let status = match (&invitation.consumed_at, &invitation.revoked_at, live) {
            (Some(_), _, _) => "consumed",
            (None, Some(_), _) => "revoked",
            (None, None, false) => "expired",
            (None, None, true) => "active",
        };
        Self {
            invitation_id: &invitation.id,
            status,
            label: invitation.label.as_deref().unwrap_or_default(),
            kind: invitation.kind.as_deref().unwrap_or_default(),
            capabilities: &invitation.capabilities,
            created_by: invitation.created_by.as_deref().unwrap_or_default(),
            created_at: &invitation.created_at,
            expires_at: &invitation.expires_at,
            consumed_at: invitation.consumed_at.as_deref(),
            consumed_by: invitation.consumed_by.as_deref(),
        }
    }
}
