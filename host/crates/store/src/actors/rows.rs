//! What the rows of the actor database look like outside this crate.

use rusqlite::Row;

use crate::chain::{By, Deed};
use crate::row::said;

/// Somebody who administers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorRecord {
    /// Who.
    pub id: String,
    /// What people call them.
    pub label: Option<String>,
    /// What they are: `human`, `cli`, `ci` …
    pub kind: Option<String>,
    /// Whether everything is theirs, in every tenant.
    pub super_admin: bool,
    /// Since when (RFC 3339).
    pub created_at: String,
    /// Until when.
    pub revoked_at: Option<String>,
}

/// A key of an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorKey {
    /// The `keyid` of its signatures.
    pub id: String,
    /// Whose it is.
    pub actor_id: String,
    /// Its public half.
    pub public_key: Vec<u8>,
    /// `ed25519`.
    pub algorithm: String,
    /// Since when.
    pub created_at: String,
    /// Until when.
    pub revoked_at: Option<String>,
}

/// What an actor may do in one tenant; capabilities as they are written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The tenant's identifier.
    pub tenant_id: String,
    /// What they may do.
    pub capabilities: Vec<String>,
    /// Since when.
    pub created_at: String,
}

/// A member of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub actor: ActorRecord,
    /// What they may do, since when.
    pub membership: Membership,
}

/// An invitation; its token is known to nobody here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Which.
    pub id: String,
    /// What the invited will be called.
    pub label: Option<String>,
    /// What they will be.
    pub kind: Option<String>,
    /// Where.
    pub tenant_id: String,
    /// What they will be allowed to do.
    pub capabilities: Vec<String>,
    /// Who invited.
    pub created_by: Option<String>,
    /// When.
    pub created_at: String,
    /// Until when it can be accepted.
    pub expires_at: String,
    /// When it was.
    pub consumed_at: Option<String>,
    /// By whom.
    pub consumed_by: Option<String>,
    /// When it was taken back.
    pub revoked_at: Option<String>,
}

/// Somebody with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Who.
    pub actor_id: String,
    /// Their key.
    pub key_id: String,
    /// Whether everything is theirs.
    pub super_admin: bool,
}

impl Enrolled {
    /// What they did to come in, for the audit.
    pub(super) fn deed<'a>(&'a self, action: &'a str, tenant: &'a str) -> Deed<'a> {
        let deed = Deed::new(By::Actor(&self.actor_id), action, tenant, &self.actor_id);
        deed.fact("key_id", self.key_id.as_str())
    }
}

/// The columns of an actor, in the order of [`actor`].
pub(super) const ACTOR: &str = "a.actor_id, a.label, a.kind, a.super_admin, a.created_at, a.revoked_at";

pub(super) fn actor(row: &Row<'_>) -> rusqlite::Result<ActorRecord> {
    Ok(ActorRecord {
        id: row.get(0)?,
        label: said(row.get(1)?),
        kind: said(row.get(2)?),
        super_admin: row.get::<_, i64>(3)? != 0,
        created_at: row.get(4)?,
        revoked_at: said(row.get(5)?),
    })
}

/// The columns of a key, in the order of [`key`].
pub(super) const KEY: &str = "key_id, actor_id, public_key, algorithm, created_at, revoked_at";

pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<ActorKey> {
    Ok(ActorKey {
        id: row.get(0)?,
        actor_id: row.get(1)?,
        public_key: row.get(2)?,
        algorithm: row.get(3)?,
        created_at: row.get(4)?,
        revoked_at: said(row.get(5)?),
    })
}

/// A membership from the columns that begin at `first`: tenant, capabilities, since when.
pub(super) fn membership(row: &Row<'_>, first: usize) -> rusqlite::Result<Membership> {
    Ok(Membership {
        tenant_id: row.get(first)?,
        capabilities: listed(&row.get::<_, String>(first + 1)?),
        created_at: row.get(first + 2)?,
    })
}

/// A JSON list of texts; what is none of that permits nothing.
pub(super) fn listed(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}

pub(super) fn as_list(capabilities: &[String]) -> String {
    serde_json::Value::from(capabilities).to_string()
}
