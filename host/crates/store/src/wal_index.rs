//! Whether anything was committed since the last look, without asking SQLite.
//!
//! `PRAGMA data_version` costs a read transaction: a lock that all readers of a process share, and
//! four system calls. What it compares lies in memory that every process with the database open
//! has mapped: the header of the write-ahead log's index, which a commit changes last of all. Its
//! format and the order in which it is written are part of SQLite's file format
//! (<https://sqlite.org/walformat.html>, section 2.1). It is mapped by SQLite and lent by the
//! interface SQLite has for that (`xShmMap`); a file descriptor of our own would, closed, release
//! the locks of every other.
#![allow(unsafe_code, reason = "SQLite lends its mapping of the index through C, as a pointer")]

use std::ffi::c_int;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, ffi};

/// The header: 48 bytes, twice.
const WORDS: usize = 24;
/// The size of a page of the index.
const PAGE: c_int = 32_768;

/// Both copies of the header, as they were at one look. They count transactions and carry the
/// checksum of all frames before: when they are the same, nothing was committed.
pub(crate) type Header = [u32; WORDS];

/// The index of one connection's write-ahead log. It is mapped for as long as the connection is
/// open, and must go with it.
pub(crate) struct WalIndex(NonNull<[AtomicU32; WORDS]>);

// SAFETY: the words are shared with other threads and processes anyway, and only read, atomically.
unsafe impl Send for WalIndex {}

impl WalIndex {
    /// The index of `connection`, which must have read before, in write-ahead mode; nothing when
    /// its file system has none that is shared.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        let mut file: *mut ffi::sqlite3_file = null_mut();
        // SAFETY: the connection is open, and this control writes one pointer.
        let found = unsafe {
            let to = (&raw mut file).cast();
            ffi::sqlite3_file_control(
                connection.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                to,
            )
        };
        let mut mapped = null_mut();
        // SAFETY: SQLite's own file of an open connection, whose methods are there when it is; of
        // the second version on they include this one, which writes one pointer or none.
        let lent = unsafe {
            let methods = file.as_ref().filter(|_| found == ffi::SQLITE_OK)?.pMethods.as_ref()?;
            let map = methods.xShmMap.filter(|_| methods.iVersion >= 2)?;
            map(file, 0, PAGE, 0, &raw mut mapped)
        };
        let readable = lent == ffi::SQLITE_OK || lent == ffi::SQLITE_READONLY;
        NonNull::new(mapped.cast()).filter(|_| readable).map(Self)
    }

    /// Looks at it. What was committed before this began, here or in another process, shows.
    pub(crate) fn look(&self) -> Header {
        // SAFETY: mapped, aligned as a page is, for as long as the connection is open.
        let words = unsafe { self.0.as_ref() };
        words.each_ref().map(|word| word.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap()
    }

    fn open(path: &std::path::Path) -> Connection {
        let connection = crate::connection::writer(path).unwrap();
        connection.execute_batch("PRAGMA wal_autocheckpoint = 3").unwrap();
        connection
    }

    /// Over commits, aborts, checkpoints and resets of the log: the header is the same exactly
    /// when SQLite's own counter is.
    #[test]
    fn it_changes_when_the_counter_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        std::fs::write(&path, "").unwrap();
        let writers = [open(&path), open(&path)];
        writers[0].execute_batch("CREATE TABLE t (n)").unwrap();
        let reader = crate::connection::reader(&path).unwrap();
        let mut seen_version = version(&reader);
        let index = WalIndex::of(&reader).unwrap();
        let mut seen = index.look();
        let deeds = [
            "INSERT INTO t VALUES (1)",
            "SELECT COUNT(*) FROM t",
            "BEGIN; INSERT INTO t VALUES (2); ROLLBACK",
            "BEGIN; INSERT INTO t VALUES (3); COMMIT",
            "PRAGMA wal_checkpoint(RESTART)",
            "DELETE FROM t WHERE n = 3",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "UPDATE t SET n = n",
        ];
        let mut changes = 0;
        for round in 0..200 {
            let deed = deeds[round * 5 % deeds.len()];
            // A checkpoint answers with a row, which a batch passes over.
            writers[round % 2].execute_batch(deed).unwrap();
            let (now, now_version) = (index.look(), version(&reader));
            if now_version != seen_version {
                assert_ne!(now, seen, "round {round}: {deed} was not seen");
                changes += 1;
            }
            (seen, seen_version) = (now, now_version);
        }
        assert!(changes > 50, "{changes}");
    }

    #[test]
    fn nothing_committed_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        std::fs::write(&path, "").unwrap();
        let writer = open(&path);
        writer.execute_batch("CREATE TABLE t (n)").unwrap();
        let reader = crate::connection::reader(&path).unwrap();
        version(&reader);
        let index = WalIndex::of(&reader).unwrap();
        let before = index.look();
        writer.execute_batch("BEGIN; INSERT INTO t VALUES (2); ROLLBACK; SELECT * FROM t").unwrap();
        assert_eq!(index.look(), before);
        writer.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        assert_ne!(index.look(), before);
    }

    #[test]
    fn a_database_without_a_log_has_none() {
        let connection = Connection::open_in_memory().unwrap();
        version(&connection);
        assert!(WalIndex::of(&connection).is_none());
    }
}
