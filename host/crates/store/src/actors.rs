//! The actor database: who administers, with which keys, what they may do and whom they invited.

mod rows;
mod people;
mod members;
mod invitations;
mod nonces;
mod audit;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use model::{Id, IdKind};
use rusqlite::{Connection, Transaction};

use crate::chain::{self, AuditSeal, Deed, PEOPLE};
use crate::error::Error;
use crate::folder::{self, Origin};
use crate::row::time_text;
use crate::schema::Owner;
use crate::{connection, schema};

pub use invitations::NewInvitation;
pub use nonces::Nonce;
pub use people::{Known, NewActor, When};
pub use rows::{ActorKey, ActorRecord, Enrolled, Invitation, Member, Membership};

/// The actors of a chassis: `auth-<env>.db`, of the layout that the Go chassis has.
pub struct Actors {
    // The reader closes first; the writer tidies the write-ahead log up.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
    /// What authenticates the audit, once the vault is open.
    seal: OnceLock<Arc<dyn AuditSeal>>,
}

/// What opening found and did, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorsOpened {
    /// The database file.
    pub path: PathBuf,
    /// The copy that was made of a foreign database before its first migration.
    pub copied: Option<PathBuf>,
}

/// A running write transaction, at one moment in time.
struct Step<'a> {
    transaction: &'a Transaction<'a>,
    now: Timestamp,
    /// The state that the audit knows of; none where nothing is changed that it explains.
    known: RefCell<BTreeSet<String>>,
    seal: Option<&'a dyn AuditSeal>,
}

impl Step<'_> {
    /// The moment, as it is stored.
    fn time(&self) -> String {
        time_text(self.now)
    }

    /// Appends a row that tells `deed` and all that this transaction changed since the last
    /// row, in the transaction that changes it (R36).
    fn record(&self, deed: &Deed<'_>) -> Result<(), Error> {
        let now = chain::lines(self.transaction, PEOPLE)?;
        let before = self.known.replace(now.clone());
        let gone = before.difference(&now).map(|line| format!("-{line}"));
        let changes: Vec<_> = gone.chain(now.difference(&before).map(|line| format!("+{line}"))).collect();
        chain::append(self.transaction, self.seal, &self.time(), deed, &changes, PEOPLE).map(drop)
    }

    fn mint(&self, kind: IdKind) -> Result<Id, Error> {
        let millis = u64::try_from(self.now.as_millisecond()).unwrap_or(0);
        Id::mint(kind, millis).map_err(|_| Error::NoRandomness)
    }
}

impl Actors {
    /// Opens `<folder>/auth-<env>.db`, making or migrating it as needed.
    ///
    /// # Errors
    /// [`Error`] with what is wrong with the folder or file.
    pub fn open(folder: &Path, env: &str) -> Result<(Self, ActorsOpened), Error> {
        let path = folder::file_of(folder, "auth", env)?;
        folder::ensure(folder)?;
        if folder::claim_quietly(&path)? == Origin::Found {
            folder::protect(&path);
        }
        let mut writer = connection::writer(&path)?;
        // Rows name tenants of another file, and actors that the Go chassis never wrote (an
        // invitation of somebody anonymous): SQLite cannot check all of it, so none of it.
        writer.pragma_update(None, "foreign_keys", "OFF").map_err(Error::opening(&path))?;
        let copied = match schema::owner(&writer, &path, schema::AUTH)? {
            Owner::Foreign => Some(schema::copy_aside(&writer, &path)?),
            Owner::Empty | Owner::Ours => None,
        };
        schema::migrate(&mut writer, schema::AUTH)?;
        let reader = connection::reader(&path)?;
        let actors = Self { reader: Mutex::new(reader), writer: Mutex::new(writer), seal: OnceLock::new() };
        Ok((actors, ActorsOpened { path, copied }))
    }

    /// Runs `work` in one write transaction; an error in it undoes everything. What changes
    /// actors, keys, members or invitations must also [`record`](Step::record) who did what.
    fn change<T>(&self, work: impl FnOnce(&Step<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.write(|step| {
            step.known.replace(chain::lines(step.transaction, PEOPLE)?);
            let done = work(step)?;
            let now = chain::lines(step.transaction, PEOPLE)?;
            match step.known.borrow().symmetric_difference(&now).next() {
                Some(what) => Err(Error::Unrecorded { what: what.clone() }),
                None => Ok(done),
            }
        })
    }

    /// The same for what the audit does not explain: nonces.
    fn write<T>(&self, work: impl FnOnce(&Step<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction: Transaction<'_> = connection.transaction().map_err(Error::of)?;
        let done = work(&Step {
            transaction: &transaction,
            now: Timestamp::now(),
            known: RefCell::default(),
            seal: self.seal.get().map(AsRef::as_ref),
        })?;
        transaction.commit().map_err(Error::of)?;
        Ok(done)
    }

    /// Reads one state of the file: what several statements see belongs together.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.unchecked_transaction().map_err(Error::of)?;
        work(&transaction)
    }
}
