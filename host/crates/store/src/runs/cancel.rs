//! Runs that administrators end.

use jiff::Timestamp;
use model::{Id, TenantId};
use rusqlite::OptionalExtension as _;

use super::{CANCELLED, TokenHash, WITH_RUN, end};
use crate::chain::{By, Deed};
use crate::error::Error;
use crate::store::Store;

/// What became of the wish that a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended now.
    Now,
    /// It had ended before.
    TooLate,
    /// There is none.
    Unknown,
}

impl Store {
    /// Ends a run that has not ended: what it holds and its key are gone, its workers' tokens good for nothing but to
    /// be told so.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn cancel_run(&self, tenant: &TenantId, run: &str, by: By<'_>) -> Result<Cancelled, Error> {
        self.write(|writing| {
            let sql = "SELECT ended_at IS NOT NULL FROM txco_runs WHERE run_id = ?1 AND tenant_id = ?2";
            let row = (run, tenant.as_str());
            let ended = writing.transaction.query_row(sql, row, |row| row.get::<_, bool>(0));
            match ended.optional().map_err(Error::of)? {
                None => return Ok(Cancelled::Unknown),
                Some(true) => return Ok(Cancelled::TooLate),
                Some(false) => {}
            }
            end(writing, run, None, Err(CANCELLED))?;
            writing.record(&Deed::new(by, "run.cancel", tenant.as_str(), run))?;
            Ok(Cancelled::Now)
        })
    }

    /// Whether a worker's token was good until its run was cancelled.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn is_cancelled_wait(&self, wait: &str, token: &TokenHash) -> Result<bool, Error> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM txco_waits WHERE wait_id = ?1 AND token_hash = ?2 AND ending = ?3)";
        self.ask(sql, (wait, token, WITH_RUN))
    }

    /// Runs that were cancelled since a moment.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn cancelled_runs(&self, since: Timestamp) -> Result<Vec<Id>, Error> {
        let sql =
            "SELECT run_id FROM txco_runs WHERE ended_at IS NOT NULL AND ended_at >= ?1 AND failed = ?2";
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let rows =
                statement.query_map((since.as_millisecond(), CANCELLED), |row| row.get(0).map(Id::from_row));
            rows.map_err(Error::of)?.collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }
}
