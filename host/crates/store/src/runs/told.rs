//! What administrators see of runs: where each stands, never what it holds.

use jiff::Timestamp;
use model::{Id, StackName, TenantId};
use rusqlite::{OptionalExtension as _, Row};

use super::{CANCELLED, RunRow, SealedBytes, run, sealed};
use crate::error::Error;
use crate::store::Store;

/// Where a run stands, as people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Waits for workers.
    Waiting,
    /// Waits for nobody, and for a place to run.
    Ready,
    /// Runs.
    Running,
    /// Ended well.
    Completed,
    /// Ended by a fault.
    Failed,
    /// Ended by an administrator.
    Cancelled,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Ready, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is told of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its name.
    pub run: Id,
    /// The stack that the request entered.
    pub stack: String,
    /// The request that it was.
    pub request: String,
    /// Where it stands.
    pub standing: Standing,
    /// When it was first kept.
    pub since: Timestamp,
    /// Since when it waits, while it does.
    pub waiting_since: Option<Timestamp>,
    /// How often it has waited.
    pub step: u32,
    /// How many workers it waits for.
    pub waits_for: u32,
    /// When the time of the last of them is over.
    pub expires: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The code of the fault that ended it.
    pub fault: Option<String>,
}

/// A worker's part, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitRecord {
    /// Its name.
    pub wait: Id,
    /// When its time is over.
    pub expires: Timestamp,
    /// How it ended: `completed`, `failed`, `expired`, `cancelled`; nothing while it is waited for.
    pub ending: Option<String>,
    /// Whether the run waits for it now, and not only later.
    pub awaited: bool,
}

/// A run with its parts.
#[derive(Debug, Clone)]
pub struct WholeRun {
    /// The run.
    pub record: RunRecord,
    /// Its parts, in the order of their rules.
    pub waits: Vec<WaitRecord>,
    /// What opens what it holds, and that; while it waits or can go on.
    pub held: Option<(RunRow, SealedBytes)>,
}

/// Which runs are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Which<'a> {
    /// In these states.
    pub standing: &'a [Standing],
    /// Of requests that entered this stack.
    pub stack: Option<&'a StackName>,
    /// Begun before this moment.
    pub before: Option<Timestamp>,
    /// Behind the run of this name, in the order of the list.
    pub after: Option<&'a str>,
    /// At most so many.
    pub most: u32,
}

/// The columns of a [`RunRecord`], and where a run stands as one of them. It is `?1` that it was cancelled.
const TOLD: &str = "SELECT run_id, stack, request_id, created_at, step, open_waits, ended_at, failed,
    CASE WHEN ended_at IS NULL THEN CASE WHEN open_waits > 0 THEN 0 WHEN owner IS NULL THEN 1 ELSE 2 END
         WHEN failed IS NULL THEN 3 WHEN failed = ?1 THEN 5 ELSE 4 END AS standing,
    (SELECT MAX(w.expires_at) FROM txco_waits w WHERE w.run_id = r.run_id AND w.ending IS NULL) AS expires,
    CASE WHEN ended_at IS NULL AND open_waits > 0 THEN waits_since END AS waiting_since
    FROM txco_runs r";

impl Store {
    /// Runs of a tenant, oldest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn runs(&self, tenant: &TenantId, which: &Which<'_>) -> Result<Vec<RunRecord>, Error> {
        let sql = format!(
            "SELECT * FROM ({TOLD} WHERE tenant_id = ?2 AND (?3 IS NULL OR stack = ?3) AND (?4 IS NULL OR created_at <= ?4)
                AND (?5 IS NULL OR (created_at, run_id) > (SELECT created_at, run_id FROM txco_runs WHERE run_id = ?5)))
             WHERE standing IN (SELECT value FROM json_each(?6)) ORDER BY created_at, run_id LIMIT ?7"
        );
        let standing =
            serde_json::Value::from(which.standing.iter().map(|one| *one as u8).collect::<Vec<_>>());
        let row = (
            CANCELLED,
            tenant.as_str(),
            which.stack.map(StackName::as_str),
            which.before.map(Timestamp::as_millisecond),
            which.after,
            standing.to_string(),
            which.most,
        );
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(&sql).map_err(Error::of)?;
            let rows = statement.query_map(row, record).map_err(Error::of)?;
            rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }

    /// A run of a tenant.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn whole_run(&self, tenant: &TenantId, name: &str) -> Result<Option<WholeRun>, Error> {
        self.read(|reader| {
            // One look at all of it: it may go on at any moment.
            let look = reader.connection.transaction().map_err(Error::of)?;
            let sql = format!("{TOLD} WHERE tenant_id = ?2 AND run_id = ?3");
            let row = (CANCELLED, tenant.as_str(), name);
            let found = look.query_row(&sql, row, record).optional().map_err(Error::of)?;
            let Some(record) = found else { return Ok(None) };
            let sql =
                "SELECT wait_id, expires_at, ending, awaited FROM txco_waits WHERE run_id = ?1 ORDER BY ordinal";
            let mut statement = look.prepare_cached(sql).map_err(Error::of)?;
            let waits = statement.query_map([name], |row| {
                Ok(WaitRecord {
                    wait: Id::from_row(row.get(0)?),
                    expires: moment(row, 1)?,
                    ending: row.get(2)?,
                    awaited: row.get(3)?,
                })
            });
            let waits = waits.map_err(Error::of)?.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
            let sql = format!("SELECT {}, held_nonce, held FROM txco_runs WHERE run_id = ?1", super::RUN);
            let held = look.query_row(&sql, [name], |row| Ok(run(row)?.zip(sealed(row, 9)?)));
            Ok(Some(WholeRun { record, waits, held: held.map_err(Error::of)? }))
        })
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let standing: u32 = row.get(8)?;
    Ok(RunRecord {
        run: Id::from_row(row.get(0)?),
        stack: row.get(1)?,
        request: row.get(2)?,
        standing: Standing::ALL.get(standing as usize).copied().unwrap_or(Standing::Failed),
        since: moment(row, 3)?,
        step: row.get(4)?,
        waits_for: row.get(5)?,
        waiting_since: perhaps(row, 10)?,
        expires: perhaps(row, 9)?,
        ended: perhaps(row, 6)?,
        fault: row.get(7)?,
    })
}

fn perhaps(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.and_then(|at| Timestamp::from_millisecond(at).ok()))
}

fn moment(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_millisecond(row.get(at)?).unwrap_or_default())
}
