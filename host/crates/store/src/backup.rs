//! Backups of the databases: taken from files in use, and what is in one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::arrival::has_columns;
use crate::error::Error;
use crate::row::KeyId;
use crate::{connection, copy, folder};

/// One of the database files of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// Tenants, their secrets and their ops.
    Runtime,
    /// Actors and their keys.
    Auth,
}

/// What lies in a database, as far as a backup must say it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Active secrets.
    pub secrets: u64,
    /// Versions that have a value, of revoked secrets too.
    pub versions: u64,
    /// How many of them each key opens.
    pub keys: BTreeMap<KeyId, u64>,
    /// How many do not name their key: those of the Go chassis.
    pub unnamed: u64,
}

impl Database {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Runtime, Self::Auth];

    /// Where the file of `env` lies.
    ///
    /// # Errors
    /// [`Error::EnvName`].
    pub fn file(self, folder: &Path, env: &str) -> Result<PathBuf, Error> {
        let kind = match self {
            Self::Runtime => "runtime",
            Self::Auth => "auth",
        };
        folder::file_of(folder, kind, env)
    }
}

/// Copies the database `from`, which may be in use, into the new file `to`: all that was
/// committed before this began, and nothing half.
///
/// # Errors
/// [`Error`] with what is wrong with either file.
pub fn back_up(from: &Path, to: &Path) -> Result<(), Error> {
    copy::into_file(&connection::reader(from)?, to)
}

/// Reads every page of a database and says whether they make a whole.
///
/// # Errors
/// [`Error::Damaged`], [`Error::NotADatabase`], or that it cannot be read.
pub fn check_whole(file: &Path) -> Result<(), Error> {
    let connection = connection::reader(file)?;
    let said: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(Error::opening(file))?;
    if said == "ok" { Ok(()) } else { Err(Error::Damaged) }
}

/// What lies in the runtime database `file`.
///
/// # Errors
/// [`Error`] when it cannot be read.
pub fn holdings(file: &Path) -> Result<Holdings, Error> {
    let connection = connection::reader(file)?;
    let (secrets, versions) = ("tenant_secrets", "tenant_secret_versions");
    if !has_columns(&connection, secrets, &["revoked_at"]).map_err(Error::opening(file))? {
        return Ok(Holdings::default());
    }
    let named = has_columns(&connection, versions, &["key_id"]).map_err(Error::of)?;
    let by_key = if named { "key_id" } else { "NULL" };
    let mut found = Holdings {
        secrets: count(&connection, "SELECT COUNT(*) FROM tenant_secrets WHERE revoked_at IS NULL")?,
        ..Holdings::default()
    };
    let sql = format!("SELECT {by_key}, COUNT(*) FROM {versions} WHERE length(ciphertext) > 0 GROUP BY 1");
    let mut statement = connection.prepare(&sql).map_err(Error::of)?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?)))
        .map_err(Error::of)?;
    for row in rows {
        let (key, count) = row.map_err(Error::of)?;
        let count = count.unsigned_abs();
        found.versions += count;
        match key.as_deref().and_then(KeyId::parse) {
            Some(key) => *found.keys.entry(key).or_default() += count,
            None => found.unnamed += count,
        }
    }
    Ok(found)
}

fn count(connection: &Connection, sql: &str) -> Result<u64, Error> {
    let count: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(Error::of)?;
    Ok(count.unsigned_abs())
}
