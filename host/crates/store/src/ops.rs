//! The ops of tenants: components by digest, and who pushed which under what name.

use model::{Delivery, Digest, OpName, TenantId};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::chain::{By, Deed};
use crate::error::Error;
use crate::row::said;
use crate::store::{Store, Writing};

/// One component of an op, as it is pushed.
#[derive(Debug, Clone, Copy)]
pub struct NewBuild<'a> {
    /// How it is given secrets.
    pub delivery: Delivery,
    /// The component.
    pub component: &'a [u8],
    /// Somebody's signature over it, as text.
    pub signature: Option<&'a str>,
}

/// An op of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOp {
    /// Its name.
    pub name: OpName,
    /// How often it was pushed with other bytes than before.
    pub push_no: u32,
    /// When it was pushed (RFC 3339, UTC, seconds).
    pub pushed_at: String,
    /// The actor who pushed it.
    pub pushed_by: Option<String>,
    /// Its components, at most one for each delivery.
    pub builds: Vec<StoredBuild>,
}

/// One component of an op, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBuild {
    /// How it is given secrets.
    pub delivery: Delivery,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Somebody's signature over it, as text.
    pub signature: Option<String>,
}

/// What a push did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The tenant had no op of this name.
    Created,
    /// It had one, with other bytes.
    Replaced,
    /// It had exactly these; only signatures may be new.
    Unchanged,
}

impl Store {
    /// All ops of `tenant`, by name.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn ops(&self, tenant: &TenantId) -> Result<Vec<StoredOp>, Error> {
        self.read(|reader| all(&reader.connection, tenant, None))
    }

    /// The op called `name`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn op(&self, tenant: &TenantId, name: &OpName) -> Result<Option<StoredOp>, Error> {
        self.read(|reader| Ok(all(&reader.connection, tenant, Some(name))?.pop()))
    }

    /// The component with `digest`, if an op or a stack of `tenant` has it. What is read is what was
    /// pushed: bytes with another digest are a damaged database.
    ///
    /// # Errors
    /// [`Error::Row`], or of the database.
    pub fn component(&self, tenant: &TenantId, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT bytes FROM txco_components WHERE digest = ?2 AND EXISTS
                   (SELECT 1 FROM txco_op_builds b WHERE b.tenant_id = ?1 AND b.digest = ?2
                    UNION ALL
                    SELECT 1 FROM txco_version_ops p JOIN stack_versions v ON v.version_id = p.version_id
                    JOIN stacks s ON s.stack_id = v.stack_id WHERE s.tenant_id = ?1 AND p.digest = ?2)";
        let found: Option<Vec<u8>> = self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let asked = (tenant.as_str(), digest.to_string());
            statement.query_row(asked, |row| row.get(0)).optional().map_err(Error::of)
        })?;
        match found {
            Some(bytes) if Digest::of(&bytes) != *digest => Err(Error::Row { table: "txco_components" }),
            found => Ok(found),
        }
    }

    /// Somebody's signature over the component with `digest`, as an op or a stack of `tenant` has it.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn signature(&self, tenant: &TenantId, digest: &Digest) -> Result<Option<String>, Error> {
        let sql = "SELECT signature FROM txco_op_builds
                   WHERE tenant_id = ?1 AND digest = ?2 AND signature IS NOT NULL
                   UNION ALL
                   SELECT p.signature FROM txco_version_ops p JOIN stack_versions v ON v.version_id = p.version_id
                   JOIN stacks s ON s.stack_id = v.stack_id
                   WHERE s.tenant_id = ?1 AND p.digest = ?2 AND p.signature IS NOT NULL LIMIT 1";
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let asked = (tenant.as_str(), digest.to_string());
            statement.query_row(asked, |row| row.get(0)).optional().map_err(Error::of)
        })
    }

    /// Makes `builds` the op called `name`; what it was before is gone. `most` is how many
    /// ops the tenant may have.
    ///
    /// # Errors
    /// [`Error::TooManyOps`], or of the database.
    pub fn push_op(
        &self,
        tenant: &TenantId,
        name: &OpName,
        builds: &[NewBuild<'_>],
        by: By<'_>,
        most: usize,
    ) -> Result<(StoredOp, Pushed), Error> {
        self.write(|writing: &Writing<'_>| {
            let transaction = writing.transaction;
            let before = all(transaction, tenant, Some(name))?.pop();
            if before.is_none() && count(transaction, tenant)? >= most {
                return Err(Error::TooManyOps { most });
            }
            let now: Vec<StoredBuild> = builds.iter().map(stored).collect();
            let pushed = match &before {
                None => Pushed::Created,
                Some(before) if same_bytes(&before.builds, &now) => Pushed::Unchanged,
                Some(_) => Pushed::Replaced,
            };
            forget_builds(writing, tenant, name)?;
            let push_no = before.map_or(0, |op| op.push_no) + u32::from(pushed != Pushed::Unchanged);
            put(transaction, (tenant, name), push_no, &writing.time(), by.author())?;
            for (build, stored) in builds.iter().zip(&now) {
                put_build(writing, (tenant, name), build, stored)?;
            }
            drop_unused(transaction)?;
            writing.record(&Deed::new(by, "op.push", tenant.as_str(), name.as_str()))?;
            let op = all(transaction, tenant, Some(name))?.pop();
            Ok((op.ok_or(Error::Row { table: "txco_ops" })?, pushed))
        })
    }

    /// Removes the op called `name`; says whether there was one.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn remove_op(&self, tenant: &TenantId, name: &OpName, by: By<'_>) -> Result<bool, Error> {
        self.write(|writing: &Writing<'_>| {
            forget_builds(writing, tenant, name)?;
            let sql = "DELETE FROM txco_ops WHERE tenant_id = ?1 AND name = ?2";
            let removed = writing.transaction.execute(sql, (tenant.as_str(), name.as_str()));
            drop_unused(writing.transaction)?;
            let removed = removed.map_err(Error::of)? > 0;
            if removed {
                writing.record(&Deed::new(by, "op.remove", tenant.as_str(), name.as_str()))?;
            }
            Ok(removed)
        })
    }
}

fn stored(build: &NewBuild<'_>) -> StoredBuild {
    StoredBuild {
        delivery: build.delivery,
        digest: Digest::of(build.component),
        size: build.component.len() as u64,
        signature: build.signature.map(str::to_owned),
    }
}

fn same_bytes(before: &[StoredBuild], now: &[StoredBuild]) -> bool {
    let has = |build: &StoredBuild| {
        before.iter().any(|other| (other.delivery, other.digest) == (build.delivery, build.digest))
    };
    before.len() == now.len() && now.iter().all(has)
}

fn count(transaction: &Transaction<'_>, tenant: &TenantId) -> Result<usize, Error> {
    let sql = "SELECT COUNT(*) FROM txco_ops WHERE tenant_id = ?1";
    let count: i64 = transaction.query_row(sql, [tenant.as_str()], |row| row.get(0)).map_err(Error::of)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn put(
    transaction: &Transaction<'_>,
    (tenant, name): (&TenantId, &OpName),
    push_no: u32,
    now: &str,
    by: Option<&str>,
) -> Result<(), Error> {
    let sql =
        "INSERT INTO txco_ops (tenant_id, name, push_no, pushed_at, pushed_by) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET push_no = ?3, pushed_at = ?4, pushed_by = ?5";
    let row = (tenant.as_str(), name.as_str(), push_no, now, by);
    transaction.execute(sql, row).map_err(Error::of)?;
    Ok(())
}

fn put_build(
    writing: &Writing<'_>,
    (tenant, name): (&TenantId, &OpName),
    build: &NewBuild<'_>,
    stored: &StoredBuild,
) -> Result<(), Error> {
    let (transaction, digest) = (writing.transaction, stored.digest.to_string());
    writing.changed('+', &format!("op {tenant} {name} {} {digest}", build.delivery.word()));
    // Whoever stored these bytes first: they are the same, or the digest would be another. Unless
    // somebody damaged the row; then these are the right ones.
    let sql = "INSERT INTO txco_components (digest, bytes) VALUES (?1, ?2)
               ON CONFLICT DO UPDATE SET bytes = ?2 WHERE bytes <> ?2";
    transaction.execute(sql, (&digest, build.component)).map_err(Error::of)?;
    let sql = "INSERT INTO txco_op_builds (tenant_id, name, delivery, digest, size, signature)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let size = i64::try_from(stored.size).unwrap_or(i64::MAX);
    let row = (tenant.as_str(), name.as_str(), build.delivery.word(), &digest, size, build.signature);
    transaction.execute(sql, row).map_err(Error::of)?;
    Ok(())
}

fn forget_builds(writing: &Writing<'_>, tenant: &TenantId, name: &OpName) -> Result<(), Error> {
    let transaction = writing.transaction;
    for build in all(transaction, tenant, Some(name))?.iter().flat_map(|op| &op.builds) {
        writing.changed('-', &format!("op {tenant} {name} {} {}", build.delivery.word(), build.digest));
    }
    let sql = "DELETE FROM txco_op_builds WHERE tenant_id = ?1 AND name = ?2";
    transaction.execute(sql, (tenant.as_str(), name.as_str())).map_err(Error::of)?;
    Ok(())
}

/// Drops the components that no op and no version of a stack has any more.
pub(crate) fn drop_unused(connection: &Connection) -> Result<(), Error> {
    let sql = "DELETE FROM txco_components WHERE digest NOT IN
               (SELECT digest FROM txco_op_builds UNION ALL SELECT digest FROM txco_version_ops)";
    connection.execute(sql, ()).map_err(Error::of)?;
    Ok(())
}

/// The ops of `tenant`, by name, or only the one called `name`.
fn all(connection: &Connection, tenant: &TenantId, name: Option<&OpName>) -> Result<Vec<StoredOp>, Error> {
    let sql = "SELECT o.name, o.push_no, o.pushed_at, o.pushed_by, b.delivery, b.digest, b.size, b.signature
               FROM txco_ops o JOIN txco_op_builds b ON b.tenant_id = o.tenant_id AND b.name = o.name
               WHERE o.tenant_id = ?1 AND (?2 IS NULL OR o.name = ?2) ORDER BY o.name, b.delivery";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let rows = statement.query_map((tenant.as_str(), name.map(OpName::as_str)), one);
    let mut ops: Vec<StoredOp> = Vec::new();
    for row in rows.map_err(Error::of)? {
        let (op, build) = row.map_err(Error::of)?.ok_or(Error::Row { table: "txco_ops" })?;
        match ops.last_mut().filter(|last| last.name == op.name) {
            Some(last) => last.builds.push(build),
            None => ops.push(StoredOp { builds: vec![build], ..op }),
        }
    }
    Ok(ops)
}

fn one(row: &Row<'_>) -> rusqlite::Result<Option<(StoredOp, StoredBuild)>> {
    let (name, delivery, digest): (String, String, String) = (row.get(0)?, row.get(4)?, row.get(5)?);
    let (pushed_by, signature) = (said(row.get(3)?), said(row.get(7)?));
    let (push_no, pushed_at, size): (u32, String, i64) = (row.get(1)?, row.get(2)?, row.get(6)?);
    let names = (OpName::parse(&name).ok(), Delivery::parse(&delivery), Digest::parse(&digest));
    let (Some(name), Some(delivery), Some(digest)) = names else { return Ok(None) };
    let build = StoredBuild { delivery, digest, size: u64::try_from(size).unwrap_or(0), signature };
    Ok(Some((StoredOp { name, push_no, pushed_at, pushed_by, builds: Vec::new() }, build)))
}
