//! Whole copies of a database file, taken while it is in use.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::error::Error;
use crate::folder;

/// Copies what `from` sees now, write-ahead log included, into a new file that only we can
/// read and that is whole by itself. It is on the disk when this returns.
pub(crate) fn into_file(from: &Connection, to: &Path) -> Result<(), Error> {
    folder::create(to).map_err(Error::file(to))?;
    let mut copy = Connection::open(to).map_err(Error::opening(to))?;
    // In one step: a reader holds no writer up, and so nothing changes underneath.
    Backup::new(from, &mut copy)
        .and_then(|backup| backup.run_to_completion(i32::MAX, Duration::ZERO, None))
        .map_err(Error::of)?;
    // The copied header asks for a write-ahead log; a file that is only read needs none beside it.
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(Error::of)?;
    copy.close().map_err(|(_, error)| Error::of(error))?;
    folder::settle(to).map_err(Error::file(to))
}
