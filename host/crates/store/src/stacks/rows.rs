//! Rows of stacks, versions and files, read.

use model::{Delivery, Digest, OpName, StackName, TenantId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{Pin, StackFile, StackRecord, VersionRecord, VersionStatus, manifest_of};
use crate::error::Error;
use crate::refusal::StackRefusal;
use crate::row::said;

/// A stack's row.
pub(super) struct StackRow {
    pub(super) id: String,
    /// What the row points at: a version's id, or in some files its number.
    pub(super) active: Option<i64>,
}

/// A version's row.
pub(super) struct VersionRow {
    pub(super) id: i64,
    pub(super) record: VersionRecord,
}

const VERSION: &str =
    "v.version_id, v.version_number, v.status, p.version_number, v.created_at, v.created_by,
    v.activated_at, v.manifest_hash, (SELECT COUNT(*) FROM stack_files f WHERE f.version_id = v.version_id)";
const OF_VERSIONS: &str =
    "FROM stack_versions v LEFT JOIN stack_versions p ON p.version_id = v.parent_version_id";

pub(super) fn stack(connection: &Connection, tenant: &TenantId, name: &StackName) -> Result<StackRow, Error> {
    found(connection, tenant, name)?.ok_or(Error::Stack(StackRefusal::NoStack))
}

pub(super) fn found(
    connection: &Connection,
    tenant: &TenantId,
    name: &StackName,
) -> Result<Option<StackRow>, Error> {
    let sql = "SELECT stack_id, active_version FROM stacks WHERE tenant_id = ?1 AND name = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let read = |row: &Row<'_>| Ok(StackRow { id: row.get(0)?, active: row.get(1)? });
    statement.query_row((tenant.as_str(), name.as_str()), read).optional().map_err(Error::of)
}

pub(super) fn stacks(
    connection: &Connection,
    tenant: &TenantId,
    name: Option<&StackName>,
) -> Result<Vec<StackRecord>, Error> {
    let sql = "SELECT name, created_at, mint_hostname, stack_id, active_version FROM stacks
               WHERE tenant_id = ?1 AND (?2 IS NULL OR name = ?2) ORDER BY name";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let read = |row: &Row<'_>| {
        let stack = StackRow { id: row.get(3)?, active: row.get(4)? };
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, Option<bool>>(2)?.unwrap_or(true),
            stack,
        ))
    };
    let rows =
        statement.query_map((tenant.as_str(), name.map(StackName::as_str)), read).map_err(Error::of)?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
    let mut all = Vec::new();
    for (name, created_at, mint_hostname, stack) in rows {
        // A stack whose name is none cannot be addressed; it hides no other.
        let Ok(name) = StackName::parse(&name) else { continue };
        let active = active(connection, &stack)?.map(|version| version.record);
        all.push(StackRecord { name, created_at, active, mint_hostname });
    }
    Ok(all)
}

/// The version that a stack points at: by its id, else by its number.
pub(super) fn active(connection: &Connection, stack: &StackRow) -> Result<Option<VersionRow>, Error> {
    let Some(active) = stack.active else { return Ok(None) };
    let sql = format!(
        "SELECT {VERSION} {OF_VERSIONS} WHERE v.stack_id = ?1 AND ?2 IN (v.version_id, v.version_number)
         ORDER BY v.version_id = ?2 DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    let row = statement.query_row((&stack.id, active), one).optional().map_err(Error::of)?;
    row.map(|row| known(connection, row)).transpose()
}

pub(super) fn versions(connection: &Connection, stack: &StackRow) -> Result<Vec<VersionRecord>, Error> {
    let sql = format!("SELECT {VERSION} {OF_VERSIONS} WHERE v.stack_id = ?1 ORDER BY v.version_number DESC");
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    let rows = statement.query_map([&stack.id], one).map_err(Error::of)?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
    rows.into_iter().map(|row| known(connection, row).map(|row| row.record)).collect()
}

pub(super) fn version(connection: &Connection, stack: &StackRow, number: u32) -> Result<VersionRow, Error> {
    let sql = format!("SELECT {VERSION} {OF_VERSIONS} WHERE v.stack_id = ?1 AND v.version_number = ?2");
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    let row = statement.query_row((&stack.id, number), one).optional().map_err(Error::of)?;
    known(connection, row.ok_or(Error::Stack(StackRefusal::NoVersion(number)))?)
}

fn one(row: &Row<'_>) -> rusqlite::Result<VersionRow> {
    let status: String = row.get(2)?;
    let status = match status.as_str() {
        "draft" => VersionStatus::Draft,
        "superseded" => VersionStatus::Superseded,
        "revoked" => VersionStatus::Revoked,
        // The Go chassis's documents do not name the word that it writes for this one.
        _ => VersionStatus::Active,
    };
    Ok(VersionRow {
        id: row.get(0)?,
        record: VersionRecord {
            number: row.get(1)?,
            status,
            parent: row.get(3)?,
            created_at: row.get(4)?,
            created_by: said(row.get(5)?),
            activated_at: said(row.get(6)?),
            manifest: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
            files: row.get(8)?,
        },
    })
}

/// A row of the Go chassis may lack its manifest.
fn known(connection: &Connection, mut row: VersionRow) -> Result<VersionRow, Error> {
    if row.record.manifest.is_empty() {
        row.record.manifest = manifest_of(&files(connection, row.id)?).to_string();
    }
    Ok(row)
}

pub(super) fn files(connection: &Connection, version: i64) -> Result<Vec<StackFile>, Error> {
    let sql = "SELECT path, content FROM stack_files WHERE version_id = ?1 ORDER BY path";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let read = |row: &Row<'_>| {
        Ok(StackFile { path: row.get(0)?, content: row.get::<_, Option<String>>(1)?.unwrap_or_default() })
    };
    let rows = statement.query_map([version], read).map_err(Error::of)?;
    rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
}

pub(super) fn pins(connection: &Connection, version: i64) -> Result<Vec<Pin>, Error> {
    let sql = "SELECT name, delivery, digest, signature FROM txco_version_ops WHERE version_id = ?1 ORDER BY name, delivery";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let rows = statement.query_map([version], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    let mut pins = Vec::new();
    for row in rows.map_err(Error::of)? {
        let (name, delivery, digest, signature): (String, String, String, Option<String>) =
            row.map_err(Error::of)?;
        let parts = (OpName::parse(&name).ok(), Delivery::parse(&delivery), Digest::parse(&digest));
        let (Some(name), Some(delivery), Some(digest)) = parts else {
            return Err(Error::Row { table: "txco_version_ops" });
        };
        pins.push(Pin { name, delivery, digest, signature: said(signature) });
    }
    Ok(pins)
}
