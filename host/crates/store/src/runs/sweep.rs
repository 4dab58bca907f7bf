//! What time and the end of a chassis do to runs.

use jiff::Timestamp;

use super::{Ending, counted, end};
use crate::error::Error;
use crate::store::Store;

/// What the last life of the chassis left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Runs that go on: what they had begun can be done again.
    pub again: u64,
    /// Runs that ended as interrupted.
    pub interrupted: u64,
}

impl Store {
    /// Lets go of runs that another life of the chassis ran, which is over: those that had
    /// done nothing yet that must not be done twice go on from where they waited, the others
    /// end with the fault of the code `interrupted`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn recover_runs(&self, owner: &str, interrupted: &str) -> Result<Recovered, Error> {
        self.write(|writing| {
            let connection = writing.transaction;
            let sql = "UPDATE txco_runs SET owner = NULL
                       WHERE ended_at IS NULL AND owner IS NOT NULL AND owner <> ?1 AND touched = 0 AND held IS NOT NULL";
            let again = connection.execute(sql, [owner]).map_err(Error::of)?;
            let sql = "SELECT run_id FROM txco_runs WHERE ended_at IS NULL AND owner IS NOT NULL AND owner <> ?1";
            let mut statement = connection.prepare(sql).map_err(Error::of)?;
            let lost = statement.query_map([owner], |row| row.get::<_, String>(0)).map_err(Error::of)?;
            let lost = lost.collect::<rusqlite::Result<Vec<_>>>().map_err(Error::of)?;
            for run in &lost {
                end(writing, run, None, Err(interrupted))?;
            }
            let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            Ok(Recovered { again: count(again), interrupted: count(lost.len()) })
        })
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
                       RETURNING run_id, step";
            let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
            let row = (now.as_millisecond(), most, Ending::Expired.word());
            let ended = statement.query_map(row, |row| Ok((row.get(0)?, row.get(1)?))).map_err(Error::of)?;
            let ended: Vec<(String, u32)> = ended.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
            for (run, step) in &ended {
                counted(connection, run, *step)?;
            }
            Ok(ended.len())
        })
    }

    /// Whether a run is ready to go on.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn has_ready_run(&self) -> Result<bool, Error> {
        self.ask(
            "SELECT EXISTS (SELECT 1 FROM txco_runs
                            WHERE ended_at IS NULL AND owner IS NULL AND open_waits = 0)",
            [],
        )
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
