//! The waits of a run: those of a step, and those that it goes on beside until they join it.

use jiff::Timestamp;
use model::Id;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{EndedWait, Ending, NewStep, NewWait, RUN, RunRow, WAIT, ended_wait, one};
use crate::error::Error;
use crate::store::{Store, Writing};

/// How waits are that are to join now.
#[derive(Debug, Clone)]
pub enum Joined {
    /// The run is not its owner's any more.
    Lost,
    /// Some are not over.
    Open,
    /// All are over.
    Ended(RunRow, Vec<EndedWait>),
}

impl Store {
    /// Adds waits to a run that `owner` runs and that goes on; whether it is his.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn defer_waits(&self, run: &Id, owner: &str, waits: &[NewWait]) -> Result<bool, Error> {
        self.write(|writing| defer(writing, run, owner, waits))
    }

    /// How these waits of a run are that `owner` runs. One whose time is over has ended, also
    /// when nobody has looked at the clock yet.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn joined_waits(&self, run: &Id, owner: &str, waits: &[Id]) -> Result<Joined, Error> {
        self.read(|reader| {
            let look = reader.connection.transaction().map_err(Error::of)?;
            let sql =
                format!("SELECT {RUN} FROM txco_runs WHERE run_id = ?1 AND owner = ?2 AND ended_at IS NULL");
            let Some(row) = one(&look, &sql, (run.as_str(), owner))? else { return Ok(Joined::Lost) };
            let sql = format!(
                "SELECT {WAIT}, expires_at FROM txco_waits
                 WHERE run_id = ?1 AND wait_id IN (SELECT value FROM json_each(?2))"
            );
            let now = Timestamp::now().as_millisecond();
            let mut statement = look.prepare_cached(&sql).map_err(Error::of)?;
            let found = statement.query_map((run.as_str(), names(waits.iter())), |row| {
                let has_ended = row.get::<_, Option<String>>(2)?.is_some();
                let ended = ended_wait(row)?;
                Ok(match (has_ended, row.get::<_, i64>(5)? <= now) {
                    (true, _) => Some(ended),
                    (false, true) => Some(EndedWait { ending: Ending::Expired, ..ended }),
                    (false, false) => None,
                })
            });
            let found: Vec<_> =
                found.map_err(Error::of)?.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
            let all: Option<Vec<_>> = found.into_iter().collect();
            Ok(all.map_or(Joined::Open, |ends| Joined::Ended(row, ends)))
        })
    }

    /// Removes a run of `owner`'s of which nobody was told; whether it was there.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn forget_run(&self, run: &Id, owner: &str) -> Result<bool, Error> {
        self.write(|writing| {
            let sql = "DELETE FROM txco_runs WHERE run_id = ?1 AND owner = ?2 AND ended_at IS NULL";
            Ok(writing.transaction.execute(sql, (run.as_str(), owner)).map_err(Error::of)? == 1)
        })
    }
}

/// From now on the run has done what must not be done twice: a job is about to be handed out.
pub(super) fn defer(writing: &Writing<'_>, run: &Id, owner: &str, waits: &[NewWait]) -> Result<bool, Error> {
    let connection = writing.transaction;
    let sql = "UPDATE txco_runs SET touched = 1
               WHERE run_id = ?1 AND owner = ?2 AND ended_at IS NULL RETURNING step";
    let step = connection.query_row(sql, (run.as_str(), owner), |row| row.get(0));
    let Some(step) = step.optional().map_err(Error::of)? else { return Ok(false) };
    add_waits(connection, run, step, Awaited::Later, waits)?;
    Ok(true)
}

/// Lets a run wait for new waits and for those that are due; what is for later stays, and nothing else.
pub(super) fn suspend(
    writing: &Writing<'_>,
    run: &Id,
    owner: &str,
    new: &NewStep<'_>,
) -> Result<bool, Error> {
    let connection = writing.transaction;
    let sql = "INSERT INTO txco_run_rules (digest, content) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(sql, (new.rules, new.content)).map_err(Error::of)?;
    let due = names(new.due.iter());
    let sql = "UPDATE txco_runs SET step = step + 1, rules = ?3, held_nonce = ?4, held = ?5, touched = 0, waits_since = ?7,
                   open_waits = ?6 + (SELECT COUNT(*) FROM txco_waits w WHERE w.run_id = ?1 AND ending IS NULL
                                      AND wait_id IN (SELECT value FROM json_each(?8)))
               WHERE run_id = ?1 AND owner = ?2 AND ended_at IS NULL RETURNING step";
    let open = i64::try_from(new.waits.len()).unwrap_or(i64::MAX);
    let now = writing.now.as_millisecond();
    let row = params![run.as_str(), owner, new.rules, new.held.nonce, new.held.bytes, open, now, due];
    let step: Option<u32> = connection.query_row(sql, row, |row| row.get(0)).optional().map_err(Error::of)?;
    let Some(step) = step else { return Ok(false) };
    let kept = names(new.due.iter().chain(new.later));
    let sql = "DELETE FROM txco_waits WHERE run_id = ?1 AND wait_id NOT IN (SELECT value FROM json_each(?2))";
    connection.execute(sql, (run.as_str(), kept)).map_err(Error::of)?;
    let sql = "UPDATE txco_waits SET awaited = 1
               WHERE run_id = ?1 AND wait_id IN (SELECT value FROM json_each(?2))";
    connection.execute(sql, (run.as_str(), due)).map_err(Error::of)?;
    add_waits(connection, run, step, Awaited::Now, new.waits)?;
    Ok(true)
}

/// When a run waits for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// At this step.
    Now,
    /// Not before a later one.
    Later,
}

fn add_waits(
    connection: &Connection,
    run: &Id,
    step: u32,
    awaited: Awaited,
    waits: &[NewWait],
) -> Result<(), Error> {
    // Behind those that are there already.
    let sql = "INSERT INTO txco_waits (wait_id, run_id, step, ordinal, token_hash, expires_at, awaited)
               VALUES (?1, ?2, ?3, (SELECT COALESCE(MAX(ordinal) + 1, 0) FROM txco_waits WHERE run_id = ?2), ?4, ?5, ?6)";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    for NewWait { wait, token, expires } in waits {
        let now = awaited == Awaited::Now;
        let row = params![wait.as_str(), run.as_str(), step, token, expires.as_millisecond(), now];
        statement.execute(row).map_err(Error::of)?;
    }
    Ok(())
}

/// Names as a JSON array.
fn names<'n>(all: impl Iterator<Item = &'n Id>) -> String {
    serde_json::Value::from(all.map(Id::as_str).collect::<Vec<_>>()).to_string()
}
