//! Actors: enrolled, invited, made members, revoked; a tenant sees only its own (weakness A5).

use std::time::Duration;

use model::{Capability, TenantId};
use sha2::{Digest as _, Sha256};
use store::{Actors, Enrolled, Invitation, Member, NewActor, NewInvitation, Tenant, When};
use zeroize::Zeroizing;

use super::actor::{Actor, Need};
use super::error::AdminError;
use super::unproven::Unproven;

/// How long an invitation can be accepted when nobody says.
const TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest.
const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What whoever is first may do, and whoever is invited to nothing in particular.
pub(crate) const EVERYTHING: &str = "admin:all";
/// The tenant of whoever enrols by secret.
pub(crate) const FIRST_TENANT: &str = "tnt_default";

/// The people of a chassis, as one actor may handle them.
pub(crate) struct People<'a> {
    actors: &'a Actors,
    actor: &'a Actor,
}

/// Whether an actor may revoke themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oneself {
    /// They said that they mean it.
    Too,
    /// Only others.
    Not,
}

/// Enrols somebody who knows the secret of the start. A secret that the chassis minted is for
/// the first alone, who may do everything everywhere.
///
/// # Errors
/// [`AdminError::EnrolmentClosed`], [`AdminError::KeyEnrolled`].
pub(crate) fn enrol(
    actors: &Actors,
    new: NewActor<'_>,
    public_key: &[u8; 32],
    when: When,
) -> Result<Enrolled, AdminError> {
    let new = NewActor { super_admin: when == When::Nobody, ..new };
    let everything = [EVERYTHING.to_owned()];
    actors.enrol(new, public_key, when, (FIRST_TENANT, &everything)).map_err(of_actors)
}

/// Enrols somebody with an invitation.
///
/// # Errors
/// [`AdminError::Unproven`] whatever is wrong with the token.
pub(crate) fn accept(
    actors: &Actors,
    token: &str,
    public_key: &[u8; 32],
    new: NewActor<'_>,
) -> Result<(Enrolled, Invitation), AdminError> {
    let accepted = actors.accept(&hash_of(token), public_key, new).map_err(of_actors)?;
    accepted.ok_or_else(|| Unproven::Token.into())
}

impl<'a> People<'a> {
    pub(super) fn new(actors: &'a Actors, actor: &'a Actor) -> Self {
        Self { actors, actor }
    }

    /// Gives the actor one more key.
    ///
    /// # Errors
    /// [`AdminError::NoIdentity`], [`AdminError::KeyEnrolled`].
    pub(crate) fn add_key(&self, public_key: &[u8; 32]) -> Result<Enrolled, AdminError> {
        let Actor::Enrolled(own) = self.actor else { return Err(AdminError::NoIdentity) };
        let key_id = self.actors.add_key(&own.id, public_key).map_err(of_actors)?;
        Ok(Enrolled { actor_id: own.id.clone(), key_id, super_admin: own.super_admin })
    }

    /// Revokes a key of the actor's own, or any when they may do everything.
    ///
    /// # Errors
    /// [`AdminError::KeyNotFound`], also for a key of somebody else: who may not revoke it
    /// does not learn of it; [`AdminError::LastSuperAdmin`].
    pub(crate) fn revoke_key(&self, id: &str) -> Result<(), AdminError> {
        let known = self.actors.known(id).map_err(of_actors)?.ok_or(AdminError::KeyNotFound)?;
        if !self.actor.rules_all() && self.actor.by().author() != Some(&known.actor.id) {
            return Err(AdminError::KeyNotFound);
        }
        self.actors.revoke_key(self.actor.by(), id).map_err(of_actors)?;
        Ok(())
    }

    /// The members of a tenant.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn members(&self, tenant: &Tenant) -> Result<Vec<Member>, AdminError> {
        self.actor.may(&tenant.id, Need::ACTORS_READ)?;
        self.actors.members(tenant.id.as_str()).map_err(of_actors)
    }

    /// Says what an actor may do in a tenant. Whoever says it has all of it, and all that the
    /// actor could do there before: nobody takes from those above them.
    ///
    /// # Errors
    /// [`AdminError`]: `actor_id_required`, `capabilities_required`, `unknown_capability`,
    /// `capability_exceeds_granter`, `actor_not_found`, `actor_revoked`.
    pub(crate) fn grant(
        &self,
        tenant: &Tenant,
        actor_id: &str,
        capabilities: &[String],
    ) -> Result<Member, AdminError> {
        self.actor.may(&tenant.id, Need::ACTORS_INVITE)?;
        if actor_id.is_empty() {
            return Err(AdminError::ActorIdRequired);
        }
        if capabilities.is_empty() {
            return Err(AdminError::CapabilitiesRequired);
        }
        self.actor.must_cover(&tenant.id, &grantable(capabilities)?)?;
        self.must_be_above(&tenant.id, actor_id)?;
        self.actors.grant(self.actor.by(), tenant.id.as_str(), actor_id, capabilities).map_err(of_actors)
    }

    fn must_be_above(&self, tenant: &TenantId, actor_id: &str) -> Result<(), AdminError> {
        let members = self.actors.members(tenant.as_str()).map_err(of_actors)?;
        let before = members.iter().find(|member| member.actor.id == actor_id);
        let before = before.map(|member| member.membership.capabilities.as_slice()).unwrap_or_default();
        let before: Vec<_> = before.iter().filter_map(|text| Capability::parse(text).ok()).collect();
        self.actor.must_cover(tenant, &before)
    }

    /// Ends a membership.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::ActorNotFound`].
    pub(crate) fn remove_member(&self, tenant: &Tenant, actor_id: &str) -> Result<(), AdminError> {
        self.actor.may(&tenant.id, Need::ACTORS_REVOKE)?;
        let removed =
            self.actors.remove_member(self.actor.by(), tenant.id.as_str(), actor_id).map_err(of_actors)?;
        if removed { Ok(()) } else { Err(AdminError::ActorNotFound) }
    }

    /// Revokes an actor with all keys, everywhere. Whoever does not rule everything can do
    /// this only to a member of their tenant who belongs to no other.
    ///
    /// # Errors
    /// [`AdminError`]: `capability_denied`, `actor_not_found`, `self_revoke`, `last_super_admin`.
    pub(crate) fn revoke(&self, tenant: &Tenant, id: &str, oneself: Oneself) -> Result<(), AdminError> {
        self.actor.may(&tenant.id, Need::ACTORS_REVOKE)?;
        if !self.actor.rules_all() {
            let members = self.actors.members(tenant.id.as_str()).map_err(of_actors)?;
            let member = members.iter().find(|member| member.actor.id == id);
            let member = member.ok_or(AdminError::ActorNotFound)?;
            let only_here = self.actors.belongs_only_to(id, tenant.id.as_str()).map_err(of_actors)?;
            if member.actor.super_admin || !only_here {
                return Err(AdminError::CapabilityDenied("super_admin".to_owned()));
            }
        }
        if oneself == Oneself::Not && self.actor.by().author() == Some(id) {
            return Err(AdminError::SelfRevoke);
        }
        let found = self.actors.revoke_actor(self.actor.by(), tenant.id.as_str(), id).map_err(of_actors)?;
        if found { Ok(()) } else { Err(AdminError::ActorNotFound) }
    }

    /// The invitations of a tenant.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn invitations(&self, tenant: &Tenant) -> Result<Vec<Invitation>, AdminError> {
        self.actor.may(&tenant.id, Need::ACTORS_READ)?;
        self.actors.invitations(tenant.id.as_str()).map_err(of_actors)
    }

    /// Invites somebody; the token is told once, and only its digest is kept.
    ///
    /// # Errors
    /// [`AdminError`]: `capability_denied`, `unknown_capability`,
    /// `capability_exceeds_granter`, `invalid_ttl`.
    pub(crate) fn invite(
        &self,
        tenant: &Tenant,
        (label, kind): (Option<&str>, Option<&str>),
        ttl: Option<Duration>,
        capabilities: &[String],
    ) -> Result<(Invitation, Zeroizing<String>), AdminError> {
        self.actor.may(&tenant.id, Need::ACTORS_INVITE)?;
        let everything = [EVERYTHING.to_owned()];
        let capabilities = if capabilities.is_empty() { &everything } else { capabilities };
        self.actor.must_cover(&tenant.id, &grantable(capabilities)?)?;
        let ttl = ttl.unwrap_or(TTL);
        if ttl.is_zero() || ttl > MAX_TTL {
            return Err(AdminError::InvalidTtl);
        }
        let token = minted_token()?;
        let invitation = self.actors.invite(&NewInvitation {
            token_hash: &hash_of(&token),
            label,
            kind,
            tenant_id: tenant.id.as_str(),
            capabilities,
            by: self.actor.by(),
            ttl,
        });
        Ok((invitation.map_err(of_actors)?, token))
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::InvitationNotFound`].
    pub(crate) fn revoke_invitation(&self, tenant: &Tenant, id: &str) -> Result<(), AdminError> {
        self.actor.may(&tenant.id, Need::ACTORS_INVITE)?;
        let found =
            self.actors.revoke_invitation(self.actor.by(), tenant.id.as_str(), id).map_err(of_actors)?;
        if found { Ok(()) } else { Err(AdminError::InvitationNotFound) }
    }
}

fn grantable(texts: &[String]) -> Result<Vec<Capability>, AdminError> {
    let one = |text: &String| {
        let capability = Capability::parse(text).map_err(|e| AdminError::UnknownCapability(e.to_string()))?;
        if capability.is_grantable() {
            return Ok(capability);
        }
        Err(AdminError::UnknownCapability(format!("nothing here asks for {text}")))
    };
    texts.iter().map(one).collect()
}

/// 32 random bytes.
fn minted_token() -> Result<Zeroizing<String>, AdminError> {
    use base64::Engine as _;
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|_| AdminError::Actors(store::Error::NoRandomness))?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes.as_ref());
    Ok(Zeroizing::new(format!("invite_{text}")))
}

/// The form in which a token is kept: lower-case hex of its SHA-256.
fn hash_of(token: &str) -> String {
    Sha256::digest(token.trim().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_actors(error: store::Error) -> AdminError {
    use store::Error as E;
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are the database's own")]
    match error {
        E::SomebodyEnrolled => AdminError::EnrolmentClosed,
        E::KeyEnrolled { actor_id, key_id } => AdminError::KeyEnrolled { actor_id, key_id },
        E::NoActor => AdminError::ActorNotFound,
        E::ActorRevoked => AdminError::ActorRevoked,
        E::LastSuperAdmin => AdminError::LastSuperAdmin,
        other => AdminError::Actors(other),
    }
}
