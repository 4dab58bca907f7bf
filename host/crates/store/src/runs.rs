//! Requests that wait for workers: what they hold is sealed, and each step is one transaction.

mod cancel;
mod count;
mod keys;
mod sweep;
mod told;
mod waits;

use jiff::Timestamp;
use model::{Id, RequestId, StackName, TenantId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::error::Error;
use crate::row::{KeyId, NONCE_BYTES, WRAPPED_DEK_BYTES};
use crate::store::{Store, Writing};
pub use cancel::Cancelled;
pub use sweep::{Living, Recovered};
pub use told::{RunRecord, Standing, WaitRecord, Which, WholeRun};
pub use waits::Joined;
use waits::{defer, suspend};

/// The code of a run that an administrator ended.
const CANCELLED: &str = "run_cancelled";
/// How the open waits of such a run ended.
const WITH_RUN: &str = "cancelled";

/// The SHA-256 of a token; the token itself is never stored.
pub type TokenHash = [u8; 32];

/// Bytes that were sealed under a run's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBytes {
    /// The nonce.
    pub nonce: [u8; NONCE_BYTES],
    /// Ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// The key of a run, wrapped by a master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunKey {
    /// The master key.
    pub key_id: KeyId,
    /// The nonce.
    pub nonce: [u8; NONCE_BYTES],
    /// The wrapped key.
    pub wrapped: [u8; WRAPPED_DEK_BYTES],
}

/// A run that begins.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// Its name, for logs and workers.
    pub run: &'a Id,
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// The stack that the request entered.
    pub stack: &'a StackName,
    /// The request that it was.
    pub request: &'a RequestId,
    /// What its client asks with.
    pub poll: TokenHash,
    /// Its key.
    pub key: &'a RunKey,
}

/// What a run holds while it waits.
#[derive(Debug)]
pub struct NewStep<'a> {
    /// The digest of its rules.
    pub rules: &'a [u8; 32],
    /// The rules, for those who have only the digest later.
    pub content: &'a str,
    /// What it needs to go on.
    pub held: &'a SealedBytes,
    /// Whom it waits for.
    pub waits: &'a [NewWait],
    /// Earlier waits that it waits for now.
    pub due: &'a [Id],
    /// Earlier waits that it will wait for later.
    pub later: &'a [Id],
}

/// How a run begins.
#[derive(Debug, Clone, Copy)]
pub enum Beginning<'a> {
    /// It runs, and its client was told to come back.
    Promised,
    /// It waits, once its owner has let go of it.
    Waits(&'a NewStep<'a>),
    /// It runs, and will wait for these later.
    Defers(&'a [NewWait]),
}

/// A worker's part.
#[derive(Debug)]
pub struct NewWait {
    /// Its name.
    pub wait: Id,
    /// What the worker proves itself with.
    pub token: TokenHash,
    /// When it is over.
    pub expires: Timestamp,
}

/// A run, as far as it is needed to seal or open something of it.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Its name.
    pub run: Id,
    /// Whose it is.
    pub tenant: TenantId,
    /// The stack that the request entered.
    pub stack: String,
    /// The request that it was.
    pub request: String,
    /// How often it has waited.
    pub step: u32,
    /// The digest of its rules, when it has waited.
    pub rules: Option<Vec<u8>>,
    /// Its key.
    pub key: RunKey,
}

/// How a worker's part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With an output.
    Completed,
    /// With an error.
    Failed,
    /// Not at all, and its time is over.
    Expired,
}

impl Ending {
    const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Completed, Self::Failed, Self::Expired].into_iter().find(|ending| ending.word() == word)
    }
}

/// A worker's part that is over.
#[derive(Debug, Clone)]
pub struct EndedWait {
    /// Its name.
    pub wait: Id,
    /// The step of the run at which it began, to which what it said is bound.
    pub step: u32,
    /// How.
    pub ending: Ending,
    /// What it said.
    pub output: Option<SealedBytes>,
}

/// A run that somebody goes on with.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// The run.
    pub row: RunRow,
    /// What it held.
    pub held: SealedBytes,
    /// Its waits, in the order of their rules.
    pub waits: Vec<EndedWait>,
}

/// How a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Waits for a worker.
    Waiting,
    /// Runs, or will in a moment.
    Running,
    /// Ended well, with this.
    Completed(SealedBytes),
    /// Ended by the fault of this code.
    Failed(String),
}

/// How many runs of a tenant are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRuns {
    /// Its slug.
    pub tenant: String,
    /// Those that wait for workers.
    pub waiting: u32,
    /// Those that run, or will in a moment.
    pub running: u32,
}

/// The columns of a [`RunRow`].
const RUN: &str = "run_id, tenant_id, stack, request_id, step, rules, key_id, dek_nonce, wrapped_dek";

/// The columns of an [`EndedWait`].
const WAIT: &str = "wait_id, step, ending, output_nonce, output";

/// Which runs are ready to go on: those that wait for nobody, of tenants that may. `?1` is a
/// JSON array of tenants that may not now.
const READY: &str = "ended_at IS NULL AND owner IS NULL AND open_waits = 0
    AND tenant_id NOT IN (SELECT value FROM json_each(?1)) AND NOT EXISTS
    (SELECT 1 FROM tenant_runtime_state s WHERE s.tenant_id = txco_runs.tenant_id
     AND (s.suspended <> 0 OR s.enabled = 0))";

/// Tenants as a parameter of [`READY`].
fn array(tenants: &[TenantId]) -> String {
    serde_json::Value::from(tenants.iter().map(TenantId::as_str).collect::<Vec<_>>()).to_string()
}

impl Store {
    /// Notes a run of `owner`, unless the tenant has `most` open ones; whether it did.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn begin_run(
        &self,
        new: &NewRun<'_>,
        owner: &str,
        beginning: Beginning<'_>,
        most: Option<u64>,
    ) -> Result<bool, Error> {
        self.write(|writing| {
            if let Some(most) = most {
                let open: i64 = writing
                    .transaction
                    .prepare_cached(
                        "SELECT COUNT(*) FROM txco_runs WHERE tenant_id = ?1 AND ended_at IS NULL",
                    )
                    .and_then(|mut count| count.query_row([new.tenant.as_str()], |row| row.get(0)))
                    .map_err(Error::of)?;
                if open.unsigned_abs() >= most {
                    return Ok(false);
                }
            }
            let sql =
                "INSERT INTO txco_runs (run_id, tenant_id, stack, request_id, poll_hash, key_id, dek_nonce,
                                              wrapped_dek, created_at, owner)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            let row = params![
                new.run.as_str(),
                new.tenant.as_str(),
                new.stack.as_str(),
                new.request.as_str(),
                new.poll,
                new.key.key_id.to_string(),
                new.key.nonce,
                new.key.wrapped,
                writing.now.as_millisecond(),
                owner,
            ];
            writing.transaction.execute(sql, row).map_err(Error::of)?;
            match beginning {
                Beginning::Promised => Ok(true),
                Beginning::Waits(step) => suspend(writing, new.run, owner, step),
                Beginning::Defers(waits) => defer(writing, new.run, owner, waits),
            }
        })
    }

    /// Lets a run that `owner` runs wait (again), once he has let go of it; whether it was his.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn suspend_run(&self, run: &Id, owner: &str, step: &NewStep<'_>) -> Result<bool, Error> {
        self.write(|writing| suspend(writing, run, owner, step))
    }

    /// `owner` lets go of a run that waits; whether it is ready to go on already.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn release_run(&self, run: &Id, owner: &str) -> Result<bool, Error> {
        self.write(|writing| {
            let sql = "UPDATE txco_runs SET owner = NULL
                       WHERE run_id = ?1 AND owner = ?2 AND ended_at IS NULL AND held IS NOT NULL
                       RETURNING open_waits";
            let row = (run.as_str(), owner);
            let left: Option<i64> =
                writing.transaction.query_row(sql, row, |row| row.get(0)).optional().map_err(Error::of)?;
            Ok(left == Some(0))
        })
    }

    /// A run that `owner` runs; nothing when it is not his (any more).
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn owned_run(&self, run: &Id, owner: &str) -> Result<Option<RunRow>, Error> {
        let sql =
            format!("SELECT {RUN} FROM txco_runs WHERE run_id = ?1 AND owner = ?2 AND ended_at IS NULL");
        self.read(|reader| one(&reader.connection, &sql, (run.as_str(), owner)))
    }

    /// The run that waits for a worker with this token, and the step at which that began, when the token
    /// is good: it was not used, its time is not over and nothing ended the run.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn waiting_run(&self, wait: &str, token: &TokenHash) -> Result<Option<(RunRow, u32)>, Error> {
        let sql = format!(
            "SELECT {RUN}, at FROM txco_runs JOIN
                (SELECT run_id AS waits, step AS at FROM txco_waits
                 WHERE wait_id = ?1 AND token_hash = ?2 AND ending IS NULL AND expires_at > ?3)
                ON waits = run_id WHERE ended_at IS NULL"
        );
        let row = (wait, token, Timestamp::now().as_millisecond());
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(&sql).map_err(Error::of)?;
            let found = statement.query_row(row, |row| Ok((run(row)?, row.get(9)?)));
            let found = found.optional().map_err(Error::of)?;
            found.map(|(row, at)| Ok((row.ok_or(Error::Row { table: "txco_runs" })?, at))).transpose()
        })
    }

    /// Ends a wait, if it is still open and the token is its: the first ending stays. Tells
    /// whether it did, and whether that was the last the run waited for.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn end_wait(
        &self,
        wait: &str,
        token: &TokenHash,
        ending: Ending,
        output: &SealedBytes,
    ) -> Result<Option<bool>, Error> {
        self.write(|writing| {
            let sql = "UPDATE txco_waits SET ending = ?3, output_nonce = ?4, output = ?5
                       WHERE wait_id = ?1 AND token_hash = ?2 AND ending IS NULL AND expires_at > ?6
                       RETURNING run_id, awaited";
            let now = writing.now.as_millisecond();
            let row = params![wait, token, ending.word(), output.nonce, output.bytes, now];
            let ended: Option<(String, bool)> = writing
                .transaction
                .query_row(sql, row, |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(Error::of)?;
            match ended {
                Some((run, true)) => counted(writing.transaction, &run).map(Some),
                Some((_, false)) => Ok(Some(false)),
                None => Ok(None),
            }
        })
    }

    /// Takes the oldest run of `tenant` that is ready to go on for `owner`, once.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn claim_run(&self, owner: &str, tenant: &TenantId) -> Result<Option<ClaimedRun>, Error> {
        self.write(|writing| {
            let connection = writing.transaction;
            let sql = format!(
                "UPDATE txco_runs SET owner = ?2, touched = 0 WHERE run_id =
                    (SELECT run_id FROM txco_runs WHERE {READY} AND tenant_id = ?3
                     ORDER BY created_at LIMIT 1)
                 RETURNING {RUN}"
            );
            let nobody = array(&[]);
            let Some(row) = one(connection, &sql, [nobody.as_str(), owner, tenant.as_str()])? else {
                return Ok(None);
            };
            let held = connection
                .query_row(
                    "SELECT held_nonce, held FROM txco_runs WHERE run_id = ?1",
                    [row.run.as_str()],
                    |row| sealed(row, 0),
                )
                .map_err(Error::of)?;
            let sql =
                format!("SELECT {WAIT} FROM txco_waits WHERE run_id = ?1 AND awaited = 1 ORDER BY ordinal");
            let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
            let waits = statement.query_map([row.run.as_str()], ended_wait);
            let waits = waits.map_err(Error::of)?.collect::<rusqlite::Result<Vec<_>>>().map_err(Error::of)?;
            let held = held.ok_or(Error::Row { table: "txco_runs" })?;
            Ok(Some(ClaimedRun { row, held, waits }))
        })
    }

    /// Notes that a run is about to do what must not be done twice; whether it is `owner`'s.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn touch_run(&self, run: &Id, owner: &str) -> Result<bool, Error> {
        self.write(|writing| {
            let sql =
                "UPDATE txco_runs SET touched = 1 WHERE run_id = ?1 AND owner = ?2 AND ended_at IS NULL";
            Ok(writing.transaction.execute(sql, (run.as_str(), owner)).map_err(Error::of)? == 1)
        })
    }

    /// Ends a run of `owner`, with its result or the code of a fault: the first end stays. What
    /// it held is removed. Whether it ended now.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn end_run(&self, run: &Id, owner: &str, result: Result<&SealedBytes, &str>) -> Result<bool, Error> {
        self.write(|writing| end(writing, run.as_str(), Some(owner), result))
    }

    /// The run that a client asks for with this token where it began, and how it is.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn polled_run(
        &self,
        poll: &TokenHash,
        tenant: &TenantId,
        stack: &StackName,
    ) -> Result<Option<(RunRow, RunState)>, Error> {
        self.read(|reader| {
            let sql = format!(
                "SELECT {RUN}, open_waits, ended_at, failed, result_nonce, result FROM txco_runs
                 WHERE poll_hash = ?1 AND tenant_id = ?2 AND stack = ?3"
            );
            let mut statement = reader.connection.prepare_cached(&sql).map_err(Error::of)?;
            let found = statement.query_row((poll, tenant.as_str(), stack.as_str()), |row| {
                let state = match (row.get::<_, Option<i64>>(10)?, sealed(row, 12)?) {
                    (None, _) if row.get::<_, i64>(9)? > 0 => RunState::Waiting,
                    (None, _) => RunState::Running,
                    (Some(_), Some(result)) => RunState::Completed(result),
                    (Some(_), None) => {
                        RunState::Failed(row.get::<_, Option<String>>(11)?.unwrap_or_default())
                    }
                };
                Ok((run(row)?, state))
            });
            let found = found.optional().map_err(Error::of)?;
            found.map(|(row, state)| Ok((row.ok_or(Error::Row { table: "txco_runs" })?, state))).transpose()
        })
    }

    /// The rules of a digest.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn run_rules(&self, digest: &[u8]) -> Result<Option<String>, Error> {
        self.read(|reader| {
            let sql = "SELECT content FROM txco_run_rules WHERE digest = ?1";
            let found = reader.connection.query_row(sql, [digest], |row| row.get(0)).optional();
            found.map_err(Error::of)
        })
    }
}

/// One wait less; whether none is left.
fn counted(connection: &Connection, run: &str) -> Result<bool, Error> {
    let sql = "UPDATE txco_runs SET open_waits = open_waits - 1
               WHERE run_id = ?1 AND ended_at IS NULL RETURNING open_waits";
    let left: Option<i64> =
        connection.query_row(sql, [run], |row| row.get(0)).optional().map_err(Error::of)?;
    Ok(left == Some(0))
}

/// Ends a run; with an `owner`, only when it is his. One that failed has nothing left that its key opens, so the key
/// is wiped. Workers of one that was cancelled are told so, as long as the run is kept; of any other nothing is left.
fn end(
    writing: &Writing<'_>,
    run: &str,
    owner: Option<&str>,
    result: Result<&SealedBytes, &str>,
) -> Result<bool, Error> {
    let connection = writing.transaction;
    let sql = "UPDATE txco_runs SET ended_at = ?2, failed = ?3, result_nonce = ?4, result = ?5,
                                    held_nonce = NULL, held = NULL, rules = NULL, owner = NULL, open_waits = 0
               WHERE run_id = ?1 AND ended_at IS NULL AND (?6 IS NULL OR owner = ?6)";
    let wipe = "UPDATE txco_runs SET dek_nonce = zeroblob(length(dek_nonce)), wrapped_dek = zeroblob(length(wrapped_dek))
                WHERE run_id = ?1";
    let now = writing.now.as_millisecond();
    let sealed = result.ok();
    let (nonce, bytes) = (sealed.map(|s| s.nonce), sealed.map(|s| s.bytes.as_slice()));
    let row = params![run, now, result.err(), nonce, bytes, owner];
    let ended = connection.execute(sql, row).map_err(Error::of)? == 1;
    if !ended {
        return Ok(false);
    }
    let cancelled = result.err() == Some(CANCELLED);
    let sql = "DELETE FROM txco_waits WHERE run_id = ?1 AND NOT (?2 AND ending IS NULL)";
    connection.execute(sql, (run, cancelled)).map_err(Error::of)?;
    connection
        .execute("UPDATE txco_waits SET ending = ?2 WHERE run_id = ?1", (run, WITH_RUN))
        .map_err(Error::of)?;
    if result.is_err() {
        connection.execute(wipe, [run]).map_err(Error::of)?;
    }
    Ok(true)
}

fn one(connection: &Connection, sql: &str, row: impl rusqlite::Params) -> Result<Option<RunRow>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let found = statement.query_row(row, run).optional().map_err(Error::of)?;
    found.map(|row| row.ok_or(Error::Row { table: "txco_runs" })).transpose()
}

fn run(row: &Row<'_>) -> rusqlite::Result<Option<RunRow>> {
    let tenant = TenantId::parse(&row.get::<_, String>(1)?).ok();
    let key_id = KeyId::parse(&row.get::<_, String>(6)?);
    let (Some(tenant), Some(key_id)) = (tenant, key_id) else { return Ok(None) };
    Ok(Some(RunRow {
        run: Id::from_row(row.get(0)?),
        tenant,
        stack: row.get(2)?,
        request: row.get(3)?,
        step: row.get(4)?,
        rules: row.get(5)?,
        key: RunKey { key_id, nonce: row.get(7)?, wrapped: row.get(8)? },
    }))
}

fn sealed(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<SealedBytes>> {
    let (nonce, bytes) = (row.get(at)?, row.get(at + 1)?);
    Ok(match (nonce, bytes) {
        (Some(nonce), Some(bytes)) => Some(SealedBytes { nonce, bytes }),
        _ => None,
    })
}

/// A wait that is over, whether or not it ended as was said.
fn ended_wait(row: &Row<'_>) -> rusqlite::Result<EndedWait> {
    let ending = row.get::<_, Option<String>>(2)?.as_deref().and_then(Ending::of);
    Ok(EndedWait {
        wait: Id::from_row(row.get(0)?),
        step: row.get(1)?,
        ending: ending.unwrap_or(Ending::Failed),
        output: sealed(row, 3)?,
    })
}
