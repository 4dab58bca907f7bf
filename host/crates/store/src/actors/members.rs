//! The members of a tenant, and what each may do there.

use rusqlite::OptionalExtension as _;

use super::people;
use super::rows::{self, Member};
use super::{Actors, Step};
use crate::chain::{By, Deed};
use crate::error::Error;

impl Actors {
    /// The members of a tenant that are not revoked, oldest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn members(&self, tenant_id: &str) -> Result<Vec<Member>, Error> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {}, m.tenant_id, m.capabilities_json, m.created_at
                 FROM actor_memberships m JOIN actors a ON a.actor_id = m.actor_id
                 WHERE m.tenant_id = ?1 AND (m.revoked_at IS NULL OR m.revoked_at = '')
                   AND (a.revoked_at IS NULL OR a.revoked_at = '')
                 ORDER BY m.created_at, a.actor_id",
                rows::ACTOR
            );
            let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
            let member = |row: &rusqlite::Row<'_>| {
                Ok(Member { actor: rows::actor(row)?, membership: rows::membership(row, 6)? })
            };
            let rows = statement.query_map([tenant_id], member).map_err(Error::of)?;
            rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }

    /// Whether an actor is a member of no other tenant than this.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn belongs_only_to(&self, actor_id: &str, tenant_id: &str) -> Result<bool, Error> {
        self.read(|connection| {
            let sql = "SELECT COUNT(*) FROM actor_memberships
                       WHERE actor_id = ?1 AND tenant_id <> ?2 AND (revoked_at IS NULL OR revoked_at = '')";
            let others: i64 =
                connection.query_row(sql, (actor_id, tenant_id), |row| row.get(0)).map_err(Error::of)?;
            Ok(others == 0)
        })
    }

    /// Says what an actor may do in a tenant from now on.
    ///
    /// # Errors
    /// [`Error::NoActor`], [`Error::ActorRevoked`], or of the database.
    pub fn grant(
        &self,
        by: By<'_>,
        tenant_id: &str,
        actor_id: &str,
        capabilities: &[String],
    ) -> Result<Member, Error> {
        self.change(|step| {
            let actor = people::actor(step.transaction, actor_id)?.ok_or(Error::NoActor)?;
            if actor.revoked_at.is_some() {
                return Err(Error::ActorRevoked);
            }
            step.put_membership(actor_id, tenant_id, capabilities)?;
            let deed = Deed::new(by, "actor.grant", tenant_id, actor_id);
            step.record(&deed.fact("capabilities", capabilities))?;
            let sql = "SELECT tenant_id, capabilities_json, created_at FROM actor_memberships
                       WHERE actor_id = ?1 AND tenant_id = ?2";
            let membership = |row: &rusqlite::Row<'_>| rows::membership(row, 0);
            let membership =
                step.transaction.query_row(sql, (actor_id, tenant_id), membership).map_err(Error::of)?;
            Ok(Member { actor, membership })
        })
    }

    /// Ends a membership; whether there was one.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn remove_member(&self, by: By<'_>, tenant_id: &str, actor_id: &str) -> Result<bool, Error> {
        self.change(|step| {
            let changed = step.transaction.execute(
                "UPDATE actor_memberships SET revoked_at = ?3
                 WHERE actor_id = ?1 AND tenant_id = ?2 AND revoked_at IS NULL",
                (actor_id, tenant_id, step.time()),
            );
            let removed = changed.map_err(Error::of)? > 0;
            if removed {
                step.record(&Deed::new(by, "actor.remove_member", tenant_id, actor_id))?;
            }
            Ok(removed)
        })
    }
}

impl Step<'_> {
    /// Writes a membership, also over one that ended.
    pub(super) fn put_membership(
        &self,
        actor_id: &str,
        tenant_id: &str,
        capabilities: &[String],
    ) -> Result<(), Error> {
        self.transaction
            .execute(
                "INSERT INTO actor_memberships (actor_id, tenant_id, capabilities_json, created_at)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (actor_id, tenant_id) DO UPDATE SET
                     capabilities_json = excluded.capabilities_json, revoked_at = NULL,
                     created_at = CASE WHEN revoked_at IS NULL THEN created_at ELSE excluded.created_at END",
                (actor_id, tenant_id, rows::as_list(capabilities), self.time()),
            )
            .map_err(Error::of)?;
        Ok(())
    }

    /// The capabilities of a membership that has not ended.
    pub(super) fn capabilities(&self, actor_id: &str, tenant_id: &str) -> Result<Vec<String>, Error> {
        let sql = "SELECT capabilities_json FROM actor_memberships
                   WHERE actor_id = ?1 AND tenant_id = ?2 AND revoked_at IS NULL";
        let found = self.transaction.query_row(sql, (actor_id, tenant_id), |row| row.get::<_, String>(0));
        Ok(found.optional().map_err(Error::of)?.map(|json| rows::listed(&json)).unwrap_or_default())
    }
}
