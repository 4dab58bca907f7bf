//! What is served: the active version of each stack, as it was activated.

use std::collections::BTreeMap;

use model::{StackName, TenantId};
use rusqlite::{Connection, Row};

use super::rows::{self, StackRow};
use super::{Pin, StackFile, activation, manifest_of};
use crate::error::Error;
use crate::store::Store;

/// A stack with the rules that are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The stack.
    pub stack: StackName,
    /// The version, when it was activated here; what the Go chassis activated has none.
    pub version: Option<u32>,
    /// Its files.
    pub files: Vec<StackFile>,
    /// The components of its `op://` references; what the Go chassis activated has none.
    pub pinned: Pinned,
}

/// Which components the rules of a stack call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinned {
    /// These.
    To(Vec<Pin>),
    /// Nobody said: those that are there now.
    Nowhere,
    /// The files are not those that were activated: somebody changed them in the database.
    Damaged,
}

impl Store {
    /// What is served of `tenant`, by stack.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn served(&self, tenant: &TenantId) -> Result<Vec<Served>, Error> {
        // One transaction: stacks, files and pins of one moment.
        self.read(|reader| {
            let transaction = reader.connection.unchecked_transaction().map_err(Error::of)?;
            let mut all: BTreeMap<String, Served> = BTreeMap::new();
            for (name, stack) in pointed(&transaction, tenant)? {
                if let Some(served) = ours(&transaction, &name, &stack)? {
                    all.insert(name.as_str().to_owned(), served);
                }
            }
            for (stack, file) in theirs(&transaction, tenant)? {
                let Ok(name) = StackName::parse(&stack) else { continue };
                let served = all.entry(stack).or_insert_with(|| Served {
                    stack: name,
                    version: None,
                    files: Vec::new(),
                    pinned: Pinned::Nowhere,
                });
                // What was activated here is served from its version.
                if served.version.is_none() {
                    served.files.push(file);
                }
            }
            Ok(all.into_values().collect())
        })
    }
}

fn pointed(connection: &Connection, tenant: &TenantId) -> Result<Vec<(StackName, StackRow)>, Error> {
    let sql = "SELECT name, stack_id, active_version FROM stacks
               WHERE tenant_id = ?1 AND active_version IS NOT NULL";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let read =
        |row: &Row<'_>| Ok((row.get::<_, String>(0)?, StackRow { id: row.get(1)?, active: row.get(2)? }));
    let rows = statement.query_map([tenant.as_str()], read).map_err(Error::of)?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
    Ok(rows.into_iter().filter_map(|(name, row)| Some((StackName::parse(&name).ok()?, row))).collect())
}

/// The active version, when it was activated here; whole, or said to be damaged.
fn ours(connection: &Connection, name: &StackName, stack: &StackRow) -> Result<Option<Served>, Error> {
    let Some(version) = rows::active(connection, stack)? else { return Ok(None) };
    if !activation::is_ours(connection, version.id)? {
        return Ok(None);
    }
    let sql = "SELECT manifest_hash FROM txco_activated WHERE version_id = ?1";
    let manifest: String = connection.query_row(sql, [version.id], |row| row.get(0)).map_err(Error::of)?;
    let files = rows::files(connection, version.id)?;
    let pinned = if manifest_of(&files).to_string() == manifest {
        Pinned::To(rows::pins(connection, version.id)?)
    } else {
        Pinned::Damaged
    };
    Ok(Some(Served { stack: name.clone(), version: Some(version.record.number), files, pinned }))
}

/// The rules in the Go chassis's table, each with the path that it may have had.
fn theirs(connection: &Connection, tenant: &TenantId) -> Result<Vec<(String, StackFile)>, Error> {
    let sql =
        "SELECT stack, scope, name, txcl FROM ops WHERE tenant_id = ?1 ORDER BY stack, scope, name, txcl";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let read = |row: &Row<'_>| {
        let (stack, scope): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok((stack, scope, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    };
    let rows = statement.query_map([tenant.as_str()], read).map_err(Error::of)?;
    let mut unnamed = 0;
    let mut all = Vec::new();
    for row in rows {
        let (stack, scope, mut name, content) = row.map_err(Error::of)?;
        if name.is_empty() {
            unnamed += 1;
            name = format!("unnamed-{unnamed}");
        }
        all.push((stack, StackFile { path: format!("{scope}/{name}.txcl"), content }));
    }
    Ok(all)
}
