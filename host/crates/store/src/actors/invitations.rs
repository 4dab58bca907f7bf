//! Invitations: made, listed, taken back, and accepted once.

use std::time::Duration;

use jiff::Timestamp;
use model::IdKind;
use rusqlite::{OptionalExtension as _, Row};

use super::people::{self, NewActor};
use super::rows::{self, Enrolled, Invitation};
use super::{Actors, Step};
use crate::chain::{By, Deed};
use crate::error::Error;
use crate::row::{said, time_text};

/// The tenant of invitations that name none: the Go chassis's oldest.
const DEFAULT_TENANT: &str = "tnt_default";
const COLUMNS: &str =
    "invitation_id, label, kind, tenant_id, capabilities, created_by, created_at, expires_at,
                       consumed_at, consumed_by, revoked_at";

/// An invitation to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewInvitation<'a> {
    /// The SHA-256 of its token, in lower-case hex.
    pub token_hash: &'a str,
    /// What the invited will be called.
    pub label: Option<&'a str>,
    /// What they will be.
    pub kind: Option<&'a str>,
    /// Where.
    pub tenant_id: &'a str,
    /// What they will be allowed to do.
    pub capabilities: &'a [String],
    /// Who invites.
    pub by: By<'a>,
    /// How long it can be accepted.
    pub ttl: Duration,
}

impl Actors {
    /// Makes an invitation.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn invite(&self, new: &NewInvitation<'_>) -> Result<Invitation, Error> {
        self.change(|step| {
            let expires = step.now.checked_add(new.ttl).unwrap_or(Timestamp::MAX);
            let invitation = Invitation {
                id: step.mint(IdKind::Invitation)?.as_str().to_owned(),
                label: said(new.label.map(str::to_owned)),
                kind: said(new.kind.map(str::to_owned)),
                tenant_id: new.tenant_id.to_owned(),
                capabilities: new.capabilities.to_vec(),
                created_by: new.by.author().map(str::to_owned),
                created_at: step.time(),
                expires_at: time_text(expires),
                consumed_at: None,
                consumed_by: None,
                revoked_at: None,
            };
            step
                .transaction
                .execute(
                    "INSERT INTO actor_invitations (invitation_id, token_hash, label, kind, tenant_id, capabilities,
                         created_by, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    (
                        &invitation.id,
                        new.token_hash,
                        &invitation.label,
                        &invitation.kind,
                        new.tenant_id,
                        rows::as_list(new.capabilities),
                        new.by.author().unwrap_or_default(),
                        &invitation.created_at,
                        &invitation.expires_at,
                    ),
                )
                .map_err(Error::of)?;
            let deed = Deed::new(new.by, "actor.invite", new.tenant_id, &invitation.id);
            step.record(&deed.fact("capabilities", new.capabilities))?;
            Ok(invitation)
        })
    }

    /// The invitations of a tenant, newest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn invitations(&self, tenant_id: &str) -> Result<Vec<Invitation>, Error> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM actor_invitations WHERE COALESCE(NULLIF(tenant_id, ''), '{DEFAULT_TENANT}') = ?1
                 ORDER BY created_at DESC, invitation_id DESC"
            );
            let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
            let rows = statement.query_map([tenant_id], invitation).map_err(Error::of)?;
            rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }

    /// Takes an invitation of a tenant back; whether there is one. One that was accepted stays
    /// accepted.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn revoke_invitation(&self, by: By<'_>, tenant_id: &str, id: &str) -> Result<bool, Error> {
        self.change(|step| {
            let sql = format!(
                "UPDATE actor_invitations SET revoked_at = CASE WHEN consumed_at IS NULL
                     THEN COALESCE(revoked_at, ?3) ELSE revoked_at END
                 WHERE invitation_id = ?1 AND COALESCE(NULLIF(tenant_id, ''), '{DEFAULT_TENANT}') = ?2"
            );
            let changed = step.transaction.execute(&sql, (id, tenant_id, step.time()));
            let found = changed.map_err(Error::of)? > 0;
            if found {
                step.record(&Deed::new(by, "actor.revoke_invitation", tenant_id, id))?;
            }
            Ok(found)
        })
    }

    /// Accepts an invitation with a key: somebody new is enrolled, the owner of a known key
    /// becomes a member and keeps what they may do already. Nothing when the token is of no
    /// invitation that can be accepted now.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn accept(
        &self,
        token_hash: &str,
        public_key: &[u8],
        new: NewActor<'_>,
    ) -> Result<Option<(Enrolled, Invitation)>, Error> {
        self.change(|step| {
            let sql = format!(
                "SELECT {COLUMNS} FROM actor_invitations
                 WHERE token_hash = ?1 AND consumed_at IS NULL AND revoked_at IS NULL"
            );
            let found = step.transaction.query_row(&sql, [token_hash], invitation).optional();
            let Some(invitation) = found.map_err(Error::of)? else { return Ok(None) };
            // A time that is none has passed.
            let expires: Option<Timestamp> = invitation.expires_at.parse().ok();
            if expires.is_none_or(|expires| expires <= step.now) {
                return Ok(None);
            }
            let enrolled = match people::active_key(step.transaction, public_key)? {
                Some(key) => {
                    let owner = people::actor(step.transaction, &key.actor_id)?;
                    let Some(owner) = owner.filter(|owner| owner.revoked_at.is_none()) else {
                        return Ok(None);
                    };
                    Enrolled { actor_id: owner.id, key_id: key.id, super_admin: owner.super_admin }
                }
                None => step.enrol(
                    NewActor {
                        label: new.label.or(invitation.label.as_deref()),
                        kind: new.kind.or(invitation.kind.as_deref()),
                        super_admin: false,
                    },
                    public_key,
                )?,
            };
            step.join(&enrolled.actor_id, &invitation)?;
            let deed = enrolled.deed("actor.accept", &invitation.tenant_id);
            step.record(&deed.fact("invitation_id", invitation.id.as_str()))?;
            Ok(Some((enrolled, invitation)))
        })
    }
}

impl Step<'_> {
    fn join(&self, actor_id: &str, invitation: &Invitation) -> Result<(), Error> {
        let mut capabilities = self.capabilities(actor_id, &invitation.tenant_id)?;
        for one in &invitation.capabilities {
            if !capabilities.contains(one) {
                capabilities.push(one.clone());
            }
        }
        self.put_membership(actor_id, &invitation.tenant_id, &capabilities)?;
        self.transaction
            .execute(
                "UPDATE actor_invitations SET consumed_at = ?2, consumed_by = ?3 WHERE invitation_id = ?1",
                (&invitation.id, self.time(), actor_id),
            )
            .map_err(Error::of)?;
        Ok(())
    }
}

fn invitation(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    Ok(Invitation {
        id: row.get(0)?,
        label: said(row.get(1)?),
        kind: said(row.get(2)?),
        tenant_id: said(row.get(3)?).unwrap_or_else(|| DEFAULT_TENANT.to_owned()),
        capabilities: rows::listed(&row.get::<_, String>(4)?),
        created_by: said(row.get(5)?),
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
        consumed_at: said(row.get(8)?),
        consumed_by: said(row.get(9)?),
        revoked_at: said(row.get(10)?),
    })
}
