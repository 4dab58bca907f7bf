//! How a database file is opened: the pragmas, and why each.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::Error;

/// How long a statement waits for another process's write to end.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How many statements a connection keeps prepared: all that this crate says often.
const PREPARED: usize = 64;

/// The one connection that writes.
pub(crate) fn writer(path: &Path) -> Result<Connection, Error> {
    let opening = Error::opening(path);
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Readers never wait for the writer, nor it for them (weakness S15).
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(&opening)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Error::NoWriteAheadLog { path: path.to_owned() });
    }
    // What was committed survives a power cut: `generate` shows a value once (R16).
    connection.pragma_update(None, "synchronous", "FULL").map_err(&opening)?;
    // Deleted rows are overwritten, not only unlinked.
    connection.pragma_update(None, "secure_delete", "ON").map_err(&opening)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(&opening)?;
    // A write takes its lock at its beginning: what it read is still true when it writes.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    Ok(connection)
}

/// A connection that cannot write.
pub(crate) fn reader(path: &Path) -> Result<Connection, Error> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// SQLite's count of the commits of other connections and processes.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached("PRAGMA data_version").map_err(Error::of)?;
    statement.query_row([], |row| row.get(0)).map_err(Error::of)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    let opening = Error::opening(path);
    // Never CREATE: files are made by `folder::create`, with their mode.
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(&opening)?;
    // SQLite is content with less than it was asked for, and says so only here.
    let writes = access.contains(OpenFlags::SQLITE_OPEN_READ_WRITE);
    if writes && connection.is_readonly("main").map_err(&opening)? {
        return Err(Error::Unwritable { path: path.to_owned() });
    }
    connection.busy_timeout(BUSY_TIMEOUT).map_err(&opening)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    // The file may come from elsewhere: what its schema calls may not reach outside it.
    connection.pragma_update(None, "trusted_schema", "OFF").map_err(&opening)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(&opening)?;
    // Without it a prepared statement is planned anew for every value that it is given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(&opening)?;
    Ok(connection)
}
