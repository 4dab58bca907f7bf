//! The Go chassis's actor database, as far as it ends open administration (R32).

use std::path::Path;

use crate::arrival::has_columns;
use crate::connection;
use crate::error::Error;
use crate::folder::file_of;

/// How many actors are enrolled in `<folder>/auth-<env>.db`; none when there is no such
/// file. Only ever read.
///
/// # Errors
/// [`Error`] when the file is there and cannot be read: then nobody knows, and open
/// administration must not be assumed.
pub fn active_actors(folder: &Path, env: &str) -> Result<u64, Error> {
    let path = file_of(folder, "auth", env)?;
    if !path.try_exists().map_err(Error::file(&path))? {
        return Ok(0);
    }
    let connection = connection::reader(&path)?;
    let revocable = has_columns(&connection, "actors", &["revoked_at"]).map_err(Error::opening(&path))?;
    let sql = match revocable {
        true => "SELECT COUNT(*) FROM actors WHERE revoked_at IS NULL OR revoked_at = ''",
        false => "SELECT COUNT(*) FROM actors",
    };
    let count: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(Error::opening(&path))?;
    Ok(count.unsigned_abs())
}
