//! Making sure that destroyed bytes are in none of the database's files any more (R37).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::connection::BUSY_TIMEOUT;
use crate::error::Error;
use crate::folder::with_suffix;
use crate::store::Store;

/// How long readers of the log are waited for: a person waits too.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of a file is looked at in one piece.
const PIECE: usize = 1 << 20;

impl Store {
    /// Takes what was deleted out of the files: the readers forget it, the write-ahead log is
    /// emptied, and both files are searched for `needles`. Pages that SQLite has rebuilt can
    /// hold what it deleted before; then the whole database is written anew.
    ///
    /// # Errors
    /// [`Error::LogInUse`] when somebody else still reads the log, [`Error::NotErased`] when a
    /// needle is found in spite of everything, or of the database.
    pub fn erase(&self, needles: &[Vec<u8>]) -> Result<(), Error> {
        self.forget();
        let writer = self.writer();
        empty_log(&writer)?;
        if !self.holds(needles)? {
            return Ok(());
        }
        writer.execute_batch("VACUUM").map_err(Error::of)?;
        empty_log(&writer)?;
        if self.holds(needles)? { Err(Error::NotErased) } else { Ok(()) }
    }

    fn holds(&self, needles: &[Vec<u8>]) -> Result<bool, Error> {
        for path in [self.path().to_owned(), with_suffix(self.path(), "-wal")] {
            if file_holds(&path, needles).map_err(Error::file(&path))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The log's pages go into the database, and the log is cut to nothing.
fn empty_log(writer: &Connection) -> Result<(), Error> {
    writer.busy_timeout(PATIENCE).map_err(Error::of)?;
    let busy: rusqlite::Result<i64> =
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    writer.busy_timeout(BUSY_TIMEOUT).map_err(Error::of)?;
    match busy.map_err(Error::of)? {
        0 => Ok(()),
        _ => Err(Error::LogInUse),
    }
}

fn file_holds(path: &Path, needles: &[Vec<u8>]) -> std::io::Result<bool> {
    let longest = needles.iter().map(Vec::len).max().unwrap_or(0);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut held = Vec::with_capacity(PIECE + longest);
    loop {
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut held)?;
        if needles.iter().any(|needle| contains(&held, needle)) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        // What may be the beginning of a needle stays for the next piece.
        held.drain(..held.len().saturating_sub(longest.saturating_sub(1)));
    }
}

fn contains(held: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = held;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(needle) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_across_two_pieces_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let needle = b"needle-of-some-length".to_vec();
        for before in [0, PIECE - 5, PIECE, PIECE + 1, 2 * PIECE - 1] {
            let mut bytes = vec![b'n'; before];
            bytes.extend_from_slice(&needle);
            bytes.extend_from_slice(&[7; 100]);
            std::fs::write(&path, &bytes).unwrap();
            assert!(file_holds(&path, std::slice::from_ref(&needle)).unwrap(), "{before}");
            bytes[before + 3] = b'X';
            std::fs::write(&path, &bytes).unwrap();
            assert!(!file_holds(&path, std::slice::from_ref(&needle)).unwrap(), "{before}");
        }
        assert!(!file_holds(&folder.path().join("absent"), &[needle]).unwrap());
    }
}
