//! What time and the end of a chassis do to runs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use jiff::Timestamp;
use model::TenantId;
use rusqlite::OptionalExtension as _;

use super::{Ending, READY, array, counted, end};
use crate::error::Error;
use crate::folder;
use crate::store::Store;

/// What the last life of the chassis left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Runs that go on: what they had begun can be done again.
    pub again: u64,
    /// Runs that ended as interrupted.
    pub interrupted: u64,
}

/// A life that goes on.
#[derive(Debug)]
pub struct Living {
    path: PathBuf,
    _locked: File,
}

impl Drop for Living {
    fn drop(&mut self) {
        let _in_the_way = std::fs::remove_file(&self.path);
    }
}

impl Store {
    /// Says to other chassis on this database that the life of this name goes on, for as long as
    /// what is returned exists: the operating system gives the lock back also after a kill.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn live(&self, owner: &str) -> Result<Living, Error> {
        let path = self.life(owner);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(Error::file(&path))?;
        file.try_lock().map_err(|error| Error::file(&path)(error.into()))?;
        Ok(Living { path, _locked: file })
    }

    /// Lets go of runs that other lives of the chassis ran which are over: those that had
    /// done nothing yet that must not be done twice go on from where they waited, the others
    /// end with the fault of the code `interrupted`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn recover_runs(&self, owner: &str, interrupted: &str) -> Result<Recovered, Error> {
        self.write(|writing| {
            let connection = writing.transaction;
            let texts = |sql: &str, owner: &str| {
                let mut statement = connection.prepare(sql).map_err(Error::of)?;
                let rows = statement.query_map([owner], |row| row.get::<_, String>(0)).map_err(Error::of)?;
                rows.collect::<rusqlite::Result<Vec<_>>>().map_err(Error::of)
            };
            let others = "SELECT DISTINCT owner FROM txco_runs
                          WHERE ended_at IS NULL AND owner IS NOT NULL AND owner <> ?1";
            let mut recovered = Recovered::default();
            let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            for dead in texts(others, owner)?.iter().filter(|other| self.is_over(other)) {
                let sql = "UPDATE txco_runs SET owner = NULL
                           WHERE ended_at IS NULL AND owner = ?1 AND touched = 0 AND held IS NOT NULL";
                recovered.again += count(connection.execute(sql, [dead]).map_err(Error::of)?);
                let lost = texts("SELECT run_id FROM txco_runs WHERE ended_at IS NULL AND owner = ?1", dead)?;
                for run in &lost {
                    end(writing, run, None, Err(interrupted))?;
                }
                recovered.interrupted += count(lost.len());
            }
            Ok(recovered)
        })
    }

    /// Whether a life is over: nobody holds its lock.
    fn is_over(&self, owner: &str) -> bool {
        let path = self.life(owner);
        let Ok(file) = File::open(&path) else { return true };
        let over = file.try_lock().is_ok();
        if over {
            // A file of nobody's is only in the way.
            let _in_the_way = std::fs::remove_file(&path);
        }
        over
    }

    fn life(&self, owner: &str) -> PathBuf {
        folder::with_suffix(self.path(), &format!(".{owner}"))
    }

    /// Ends at most `most` waits whose time is over; how many.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn expire_waits(&self, now: Timestamp, most: u32) -> Result<usize, Error> {
        let due: bool = self.ask(
            "SELECT EXISTS (SELECT 1 FROM txco_waits WHERE ending IS NULL AND expires_at <= ?1)",
            [now.as_millisecond()],
        )?;
        if !due {
            return Ok(0);
        }
        self.write(|writing| {
            let connection = writing.transaction;
            let sql = "UPDATE txco_waits SET ending = ?3 WHERE wait_id IN
                         (SELECT wait_id FROM txco_waits WHERE ending IS NULL AND expires_at <= ?1 LIMIT ?2)
                       RETURNING run_id, awaited";
            let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
            let row = (now.as_millisecond(), most, Ending::Expired.word());
            let ended = statement.query_map(row, |row| Ok((row.get(0)?, row.get(1)?))).map_err(Error::of)?;
            let ended: Vec<(String, bool)> = ended.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
            for (run, _) in ended.iter().filter(|(_, awaited)| *awaited) {
                counted(connection, run)?;
            }
            Ok(ended.len())
        })
    }

    /// Whose the oldest run is that is ready to go on, of tenants that are not in `not_of`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn ready_tenant(&self, not_of: &[TenantId]) -> Result<Option<TenantId>, Error> {
        let sql = format!("SELECT tenant_id FROM txco_runs WHERE {READY} ORDER BY created_at LIMIT 1");
        let found: Option<String> = self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(&sql).map_err(Error::of)?;
            statement.query_row([array(not_of)], |row| row.get(0)).optional().map_err(Error::of)
        })?;
        let id = found.map(|id| TenantId::parse(&id).map_err(|_| Error::Row { table: "txco_runs" }));
        id.transpose()
    }

    /// Removes at most `most` runs that ended before `before`, and rules that no run has; how
    /// many runs.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn purge_runs(&self, before: Timestamp, most: u32) -> Result<usize, Error> {
        self.write(|writing| {
            let connection = writing.transaction;
            let sql = "DELETE FROM txco_runs WHERE run_id IN
                         (SELECT run_id FROM txco_runs WHERE ended_at IS NOT NULL AND ended_at < ?1 LIMIT ?2)";
            let removed = connection.execute(sql, (before.as_millisecond(), most)).map_err(Error::of)?;
            let sql = "DELETE FROM txco_run_rules WHERE NOT EXISTS
                         (SELECT 1 FROM txco_runs WHERE rules = txco_run_rules.digest)";
            connection.execute(sql, []).map_err(Error::of)?;
            Ok(removed)
        })
    }
}
