//! Who somebody is: by a signature, by name and password, or by working on this very machine.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model::{Capability, TenantId};
use sha2::{Digest as _, Sha256};
use store::{Actors, Known, Nonce};
use zeroize::Zeroizing;

use super::open_dev::{self, Payload};
use crate::admin::{Actor, AdminError, Denial, Enrolled, Membership, Unproven};
use crate::config::AuthMode;
use crate::request_signature::{Claim, Message};

/// How far a client's clock may be from ours, in seconds.
const SKEW: i64 = 5 * 60;
/// How long a spent nonce is remembered, in seconds: longer than a signature is good, so that
/// a clock that is set back does not make it good again.
const REMEMBERED: i64 = 60 * 60;

/// When open access ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// With the first enrolled actor, looked up at each request (`txco serve`).
    Enrolment,
    /// Never (`txco dev`).
    Forever,
    /// Before it begins: others can reach the admin head.
    Never,
}

/// A name and a password, as digests.
pub(crate) struct Credentials(Secret);

/// A secret to compare with; only its digest is kept.
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn new(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Compares digests: how long it takes tells nothing of the secret.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        let other = Self::new(text);
        self.0.iter().zip(&other.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl Credentials {
    /// Nothing when either is empty: an empty password is none (weakness A1).
    pub(crate) fn new(user: &str, password: &str) -> Option<Self> {
        let whole = Zeroizing::new(format!("{user}:{password}"));
        (!user.is_empty() && !password.is_empty()).then(|| Self(Secret::new(whole.as_bytes())))
    }
}

/// How somebody proves who they are here.
pub(crate) struct Authentication {
    /// Which proofs count.
    pub mode: AuthMode,
    /// The name and password, when there are some.
    pub credentials: Option<Credentials>,
    /// When open access ends.
    pub open: Until,
    /// Who is enrolled.
    pub actors: Arc<Actors>,
}

/// Somebody whose headers are good.
pub(crate) struct Proven {
    /// Who.
    pub(crate) actor: Actor,
    /// What is left to be checked once the body is there.
    claim: Option<Box<Claim>>,
}

impl Authentication {
    /// Tells by the headers who comes.
    ///
    /// # Errors
    /// [`AdminError`]: they are not let in.
    pub(crate) fn of(&self, parts: &Parts, payload: Payload, peer: SocketAddr) -> Result<Proven, AdminError> {
        let signed = parts.headers.contains_key("signature-input");
        if signed && self.mode != AuthMode::Basic {
            return self.signed(parts);
        }
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let right = self.mode != AuthMode::Signed && self.has_credentials(value.as_bytes());
            if !right {
                return Err(Unproven::Credentials.into());
            }
            // A browser sends what it remembers with every form of every page.
            open_dev::check_payload(parts, payload)?;
            return Ok(Proven { actor: Actor::Basic, claim: None });
        }
        self.open(parts, payload, peer)?;
        Ok(Proven { actor: Actor::Open, claim: None })
    }

    fn open(&self, parts: &Parts, payload: Payload, peer: SocketAddr) -> Result<(), AdminError> {
        if self.mode == AuthMode::Signed || self.credentials.is_some() || self.open == Until::Never {
            return Err(Unproven::Missing.into());
        }
        open_dev::admit(parts, peer)?;
        if self.open == Until::Enrolment {
            match self.actors.active() {
                Ok(0) => {}
                Ok(_) => return Err(AdminError::Denied(Denial::Enrolled)),
                Err(error) => {
                    tracing::warn!(%error, "actor database");
                    return Err(AdminError::Denied(Denial::Unreadable));
                }
            }
        }
        open_dev::check_payload(parts, payload)
    }

    fn has_credentials(&self, value: &[u8]) -> bool {
        let Some(Credentials(secret)) = &self.credentials else { return false };
        let Some((scheme, rest)) = value.split_at_checked(6) else { return false };
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return false;
        }
        STANDARD.decode(rest.trim_ascii()).is_ok_and(|given| secret.is(&Zeroizing::new(given)))
    }

    /// Everything but the body and the nonce, cheapest first; nothing is remembered yet.
    fn signed(&self, parts: &Parts) -> Result<Proven, AdminError> {
        let claim = claim_of(parts).map_err(Unproven::from)?;
        let now = Timestamp::now().as_second();
        let fresh = (now - SKEW..=now + SKEW).contains(&claim.created);
        if !fresh || claim.expires.is_some_and(|expires| expires < now) {
            return Err(Unproven::Timestamp.into());
        }
        let known = self.actors.known(&claim.key_id)?.ok_or(Unproven::UnknownKey)?;
        if known.key.algorithm != "ed25519" {
            return Err(Unproven::UnknownKey.into());
        }
        if known.key.revoked_at.is_some() {
            return Err(Unproven::RevokedKey.into());
        }
        if !claim.is_of(&known.key.public_key) {
            return Err(Unproven::Signature.into());
        }
        if known.actor.revoked_at.is_some() {
            return Err(Unproven::ActorRevoked.into());
        }
        Ok(Proven { actor: actor_of(known), claim: Some(Box::new(claim)) })
    }

    /// The last of it: the body is the one that was signed, and the signature is new. Only a
    /// signature that held in everything else spends its nonce (weakness A3).
    ///
    /// # Errors
    /// [`AdminError`]: another body, a used signature, or the database that has to remember it.
    pub(crate) fn settle(&self, proven: Proven, body: &[u8]) -> Result<Actor, AdminError> {
        let Some(claim) = proven.claim else { return Ok(proven.actor) };
        if !claim.is_over(body) {
            return Err(Unproven::Digest.into());
        }
        let expires = claim.created.saturating_add(SKEW + REMEMBERED);
        match self.actors.spend_nonce(&claim.key_id, &claim.nonce, expires) {
            Ok(Nonce::Fresh) => Ok(proven.actor),
            Ok(Nonce::Spent) => Err(Unproven::Replay.into()),
            Err(store::Error::Full) => Err(AdminError::NonceUnwritten),
            Err(error) => Err(error.into()),
        }
    }
}

fn claim_of(parts: &Parts) -> Result<Claim, crate::request_signature::Unreadable> {
    let header = |name: &str| {
        let values: Option<Vec<_>> =
            parts.headers.get_all(name).iter().map(|value| value.to_str().ok().map(str::trim)).collect();
        values.filter(|values| !values.is_empty()).map(|values| values.join(", "))
    };
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = parts.uri.authority().map(axum::http::uri::Authority::as_str).or(host);
    Claim::read(&Message {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        authority: authority.unwrap_or_default(),
        header: &header,
    })
}

/// What is stored and is no capability permits nothing.
fn actor_of(known: Known) -> Actor {
    let membership = |row: store::Membership| {
        let capabilities = row.capabilities.iter().filter_map(|text| Capability::parse(text).ok());
        Some(Membership {
            tenant: TenantId::parse(&row.tenant_id).ok()?,
            capabilities: capabilities.collect(),
        })
    };
    Actor::Enrolled(Box::new(Enrolled {
        id: known.actor.id,
        key_id: known.key.id,
        label: known.actor.label,
        super_admin: known.actor.super_admin,
        memberships: known.memberships.into_iter().filter_map(membership).collect(),
    }))
}

#[cfg(test)]
mod tests;
