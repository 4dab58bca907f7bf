//! Actors and their keys: enrolled, found by key, revoked.

use model::IdKind;
use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::rows::{self, ActorKey, ActorRecord, Enrolled, Membership};
use super::{Actors, Step};
use crate::chain::{By, Deed};
use crate::error::Error;

/// Somebody to be enrolled.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewActor<'a> {
    /// What people call them.
    pub label: Option<&'a str>,
    /// What they are.
    pub kind: Option<&'a str>,
    /// Whether everything is theirs.
    pub super_admin: bool,
}

/// Whether somebody may be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only as the first: a secret of the start is worth nothing once somebody is enrolled.
    Nobody,
    /// At any time.
    Always,
}

/// Whose a key is, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The key.
    pub key: ActorKey,
    /// Its owner.
    pub actor: ActorRecord,
    /// What they may do where.
    pub memberships: Vec<Membership>,
}

impl Actors {
    /// How many actors are enrolled and not revoked.
    ///
    /// # Errors
    /// [`Error`] of the database: then nobody knows, and open administration must not be assumed.
    pub fn active(&self) -> Result<u64, Error> {
        self.read(active)
    }

    /// Whose the key called `id` is, revoked or not.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn known(&self, id: &str) -> Result<Option<Known>, Error> {
        self.read(|connection| {
            let sql = format!("SELECT {} FROM actor_keys WHERE key_id = ?1", rows::KEY);
            let Some(key) = connection
                .prepare_cached(&sql)
                .map_err(Error::of)?
                .query_row([id], rows::key)
                .optional()
                .map_err(Error::of)?
            else {
                return Ok(None);
            };
            let Some(actor) = actor(connection, &key.actor_id)? else { return Ok(None) };
            let memberships = memberships(connection, &key.actor_id)?;
            Ok(Some(Known { key, actor, memberships }))
        })
    }

    /// The actor called `id`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn actor(&self, id: &str) -> Result<Option<ActorRecord>, Error> {
        self.read(|connection| actor(connection, id))
    }

    /// Enrols somebody with a key, as a member of `tenant` with these capabilities.
    ///
    /// # Errors
    /// [`Error::SomebodyEnrolled`], [`Error::KeyEnrolled`], or of the database.
    pub fn enrol(
        &self,
        new: NewActor<'_>,
        public_key: &[u8],
        when: When,
        membership: (&str, &[String]),
    ) -> Result<Enrolled, Error> {
        self.change(|step| {
            // Under the write lock: of two that come at once with one secret, one is the first.
            if when == When::Nobody && active(step.transaction)? > 0 {
                return Err(Error::SomebodyEnrolled);
            }
            let enrolled = step.enrol(new, public_key)?;
            let (tenant, capabilities) = membership;
            step.put_membership(&enrolled.actor_id, tenant, capabilities)?;
            step.record(&enrolled.deed("actor.enroll", tenant))?;
            Ok(enrolled)
        })
    }

    /// Gives an actor one more key.
    ///
    /// # Errors
    /// [`Error::KeyEnrolled`], or of the database.
    pub fn add_key(&self, actor_id: &str, public_key: &[u8]) -> Result<String, Error> {
        self.change(|step| {
            let key_id = step.add_key(actor_id, public_key)?;
            let deed = Deed::new(By::Actor(actor_id), "actor.add_key", "-", actor_id);
            step.record(&deed.fact("key_id", key_id.as_str()))?;
            Ok(key_id)
        })
    }

    /// Revokes a key; whether there is one of that name.
    ///
    /// # Errors
    /// [`Error::LastSuperAdmin`], or of the database.
    pub fn revoke_key(&self, by: By<'_>, id: &str) -> Result<bool, Error> {
        self.change(|step| {
            let sql = "SELECT actor_id FROM actor_keys WHERE key_id = ?1";
            let owner = step.transaction.query_row(sql, [id], |row| row.get::<_, String>(0)).optional();
            let Some(owner) = owner.map_err(Error::of)? else { return Ok(false) };
            step.keeping_a_super_admin(|| {
                let sql = "UPDATE actor_keys SET revoked_at = ?2 WHERE key_id = ?1 AND revoked_at IS NULL";
                step.mark(sql, id)
            })?;
            step.record(&Deed::new(by, "actor.revoke_key", "-", id).fact("actor_id", owner))?;
            Ok(true)
        })
    }

    /// Revokes an actor with all keys, and takes back the invitations nobody accepted yet;
    /// whether there is one of that name. `tenant` is where it was asked for.
    ///
    /// # Errors
    /// [`Error::LastSuperAdmin`], or of the database.
    pub fn revoke_actor(&self, by: By<'_>, tenant: &str, id: &str) -> Result<bool, Error> {
        self.change(|step| {
            if actor(step.transaction, id)?.is_none() {
                return Ok(false);
            }
            step.keeping_a_super_admin(|| step.revoke(id))?;
            step.record(&Deed::new(by, "actor.revoke_actor", tenant, id))?;
            Ok(true)
        })
    }
}

impl Step<'_> {
    fn revoke(&self, id: &str) -> Result<(), Error> {
        for sql in [
            "UPDATE actors SET revoked_at = ?2 WHERE actor_id = ?1 AND revoked_at IS NULL",
            "UPDATE actor_keys SET revoked_at = ?2 WHERE actor_id = ?1 AND revoked_at IS NULL",
            "UPDATE actor_invitations SET revoked_at = ?2
             WHERE created_by = ?1 AND revoked_at IS NULL AND consumed_at IS NULL",
        ] {
            self.mark(sql, id)?;
        }
        Ok(())
    }

    /// Does `work`, unless it takes away the last who rules everything: somebody with a key
    /// who is not revoked. Then nobody could undo it.
    fn keeping_a_super_admin<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let sql = "SELECT COUNT(DISTINCT a.actor_id) FROM actors a JOIN actor_keys k ON k.actor_id = a.actor_id
                   WHERE a.super_admin <> 0 AND COALESCE(a.revoked_at, '') = '' AND COALESCE(k.revoked_at, '') = ''";
        let count = || self.transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(Error::of);
        let before = count()?;
        let done = work()?;
        if before > 0 && count()? == 0 { Err(Error::LastSuperAdmin) } else { Ok(done) }
    }

    /// Sets a time, `?2`, on the rows of `?1`.
    pub(super) fn mark(&self, sql: &str, id: &str) -> Result<usize, Error> {
        self.transaction.execute(sql, (id, self.time())).map_err(Error::of)
    }

    pub(super) fn enrol(&self, new: NewActor<'_>, public_key: &[u8]) -> Result<Enrolled, Error> {
        let actor_id = self.mint(IdKind::Actor)?.as_str().to_owned();
        let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        self.transaction
            .execute(
                "INSERT INTO actors (actor_id, label, kind, super_admin, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (&actor_id, said(new.label), said(new.kind), i64::from(new.super_admin), self.time()),
            )
            .map_err(Error::of)?;
        let key_id = self.add_key(&actor_id, public_key)?;
        Ok(Enrolled { actor_id, key_id, super_admin: new.super_admin })
    }

    fn add_key(&self, actor_id: &str, public_key: &[u8]) -> Result<String, Error> {
        if let Some(key) = active_key(self.transaction, public_key)? {
            return Err(Error::KeyEnrolled { actor_id: key.actor_id, key_id: key.id });
        }
        let key_id = self.mint(IdKind::Key)?.as_str().to_owned();
        self.transaction
            .execute(
                "INSERT INTO actor_keys (key_id, actor_id, public_key, algorithm, created_at)
                 VALUES (?1, ?2, ?3, 'ed25519', ?4)",
                (&key_id, actor_id, public_key, self.time()),
            )
            .map_err(Error::of)?;
        Ok(key_id)
    }
}

fn active(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) FROM actors WHERE revoked_at IS NULL OR revoked_at = ''";
    let count: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(Error::of)?;
    Ok(count.unsigned_abs())
}

pub(super) fn actor(connection: &Connection, id: &str) -> Result<Option<ActorRecord>, Error> {
    let sql = format!("SELECT {} FROM actors a WHERE a.actor_id = ?1", rows::ACTOR);
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    statement.query_row([id], rows::actor).optional().map_err(Error::of)
}

/// The key with these bytes that is not revoked; there is one at most.
pub(super) fn active_key(
    transaction: &Transaction<'_>,
    public_key: &[u8],
) -> Result<Option<ActorKey>, Error> {
    let sql = format!(
        "SELECT {} FROM actor_keys WHERE public_key = ?1 AND (revoked_at IS NULL OR revoked_at = '') LIMIT 1",
        rows::KEY
    );
    transaction.query_row(&sql, [public_key], rows::key).optional().map_err(Error::of)
}

fn memberships(connection: &Connection, actor_id: &str) -> Result<Vec<Membership>, Error> {
    let sql = "SELECT tenant_id, capabilities_json, created_at FROM actor_memberships
               WHERE actor_id = ?1 AND (revoked_at IS NULL OR revoked_at = '') ORDER BY tenant_id";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let rows = statement.query_map([actor_id], |row| rows::membership(row, 0)).map_err(Error::of)?;
    rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
}
