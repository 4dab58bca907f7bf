//! The open database: one connection that writes, a few that read.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use crate::arrival::{self, Differs, FallsThrough};
use crate::cache::Cache;
use crate::chain::{self, AuditSeal, Deed, Head};
use crate::error::Error;
use crate::folder::{self, Origin};
use crate::quota::Quotas;
use crate::row::{Resolution, time_text};
use crate::schema::Owner;
use crate::wal_index::{Header, WalIndex};
use crate::{connection, schema};

/// What all readers together keep of sealed rows, unless an operator says otherwise.
const CACHE_BYTES: usize = 32 << 20;
const MOST_READERS: usize = 4;

/// Where a name that a stack does not have itself is looked for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StackFallback {
    /// In its parents, nearest first, then tenant-wide.
    #[default]
    Parents,
    /// Tenant-wide, as the Go chassis did.
    Exact,
}

/// What an operator may choose about the store.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where a name that a stack does not have itself is looked for next.
    pub fallback: StackFallback,
    /// How many bytes of sealed rows are kept in memory; with 0 each use reads the file.
    pub cache_bytes: usize,
    /// What each tenant may keep.
    pub quotas: Quotas,
}

impl Default for Options {
    fn default() -> Self {
        Self { fallback: StackFallback::default(), cache_bytes: CACHE_BYTES, quotas: Quotas::default() }
    }
}

/// What opening found and did, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The database file.
    pub path: PathBuf,
    /// Whether it is new.
    pub created: bool,
    /// The copy that was made of a foreign database before its first migration.
    pub copied: Option<PathBuf>,
    /// The migrations that were applied now.
    pub migrated: Vec<u32>,
    /// First boot on a foreign database: what resolves differently here.
    pub differs: Vec<Differs>,
    /// First boot on a foreign database: revoked in a stack, still answered by a wider one.
    pub falls_through: Vec<FallsThrough>,
}

/// The secret store's database.
pub struct Store {
    // Readers close before the writer, which tidies the write-ahead log up.
    readers: Vec<Mutex<Reader>>,
    turn: AtomicUsize,
    writer: Mutex<Connection>,
    fallback: StackFallback,
    quotas: Quotas,
    /// What authenticates the audit, once the vault is open.
    seal: OnceLock<Arc<dyn AuditSeal>>,
    path: PathBuf,
}

/// A reading connection with the sealed rows it knows.
pub(crate) struct Reader {
    // Goes before the connection does, whose memory it is.
    pub(crate) index: Option<WalIndex>,
    pub(crate) connection: Connection,
    /// SQLite's `data_version` as of which `known` is true.
    pub(crate) as_of: Option<i64>,
    /// How the index looked before that; while it does, `known` is true still.
    pub(crate) seen: Option<Header>,
    pub(crate) known: Cache<Resolution>,
}

/// A running write transaction, at one moment in time.
pub struct Writing<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) now: Timestamp,
    pub(crate) quotas: Quotas,
    /// What changed and is not recorded yet, as lines of [`chain::STATE`].
    changes: RefCell<Vec<String>>,
    seal: Option<&'a dyn AuditSeal>,
}

impl Store {
    /// Where the database of `env` lies, be it there or not.
    ///
    /// # Errors
    /// [`Error::EnvName`].
    pub fn file(folder: &Path, env: &str) -> Result<PathBuf, Error> {
        folder::file_of(folder, "runtime", env)
    }

    /// Opens `<folder>/runtime-<env>.db`, making or migrating it as needed.
    ///
    /// # Errors
    /// [`Error`] with what is wrong with the folder or file.
    pub fn open(folder: &Path, env: &str, options: Options) -> Result<(Self, Opened), Error> {
        let path = folder::file_of(folder, "runtime", env)?;
        folder::ensure(folder)?;
        let created = folder::claim(&path, folder)? == Origin::Created;
        let mut writer = connection::writer(&path)?;
        let owner = schema::owner(&writer, &path, schema::RUNTIME)?;
        let copied = match owner {
            Owner::Foreign => Some(schema::copy_aside(&writer, &path)?),
            Owner::Empty | Owner::Ours => None,
        };
        let migrated = schema::migrate(&mut writer, schema::RUNTIME)?;
        let (mut differs, mut falls_through) = (Vec::new(), Vec::new());
        if owner == Owner::Foreign {
            falls_through = arrival::falling_through(&writer)?;
            if options.fallback == StackFallback::Parents {
                differs = arrival::differing(&writer)?;
            }
        }
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_READERS);
        let share = options.cache_bytes / count.max(1);
        let readers = (0..count).map(|_| Reader::open(&path, share).map(Mutex::new));
        let readers = readers.collect::<Result<_, _>>()?;
        let store = Self {
            readers,
            turn: AtomicUsize::new(0),
            writer: Mutex::new(writer),
            fallback: options.fallback,
            quotas: options.quotas,
            seal: OnceLock::new(),
            path: path.clone(),
        };
        Ok((store, Opened { path, created, copied, migrated, differs, falls_through }))
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The one connection that writes, once nobody else has it.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every reader forgets the rows it knows.
    pub(crate) fn forget(&self) {
        for reader in &self.readers {
            reader.lock().unwrap_or_else(PoisonError::into_inner).known.clear();
        }
    }

    pub(crate) const fn fallback(&self) -> StackFallback {
        self.fallback
    }

    /// Runs `work` in one write transaction. It takes the database's write lock before
    /// `work` reads anything; an error or a panic in `work` undoes everything. What changes
    /// tenants, secrets or ops must also [`record`](Writing::record) who did what.
    ///
    /// # Errors
    /// Whatever `work` returns, [`Error::Unrecorded`], or [`Error`] of the transaction itself.
    pub fn write<T, E: From<Error>>(&self, work: impl FnOnce(&Writing<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut connection = self.writer();
        let transaction = connection.transaction().map_err(Error::of)?;
        let writing = Writing {
            transaction: &transaction,
            now: Timestamp::now(),
            quotas: self.quotas,
            changes: RefCell::default(),
            seal: self.seal.get().map(AsRef::as_ref),
        };
        let done = work(&writing)?;
        if let Some(what) = writing.changes.take().into_iter().next() {
            return Err(Error::Unrecorded { what }.into());
        }
        transaction.commit().map_err(Error::of)?;
        Ok(done)
    }

    /// From now on `seal` authenticates the rows of the audit; said once.
    pub fn seal_audit_with(&self, seal: Arc<dyn AuditSeal>) {
        self.seal.get_or_init(|| seal);
    }

    /// Lends a reader: a free one, the first before the others so that its cache is the
    /// warm one; when all are in use, they are waited for in turn.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut Reader) -> Result<T, Error>) -> Result<T, Error> {
        // A panic elsewhere left the reader whole: it cannot write, and its cache is
        // checked before every use.
        let mut free = self.readers.iter().find_map(|reader| match reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        if free.is_none() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len().max(1);
            free = self.readers.get(turn).map(|reader| reader.lock().unwrap_or_else(PoisonError::into_inner));
        }
        work(&mut *free.ok_or(Error::Sqlite { code: 0 })?)
    }
}

impl Writing<'_> {
    /// Notes a change of what the audit explains; the next [`record`](Self::record) tells it.
    pub(crate) fn changed(&self, sign: char, line: &str) {
        self.changes.borrow_mut().push(format!("{sign}{line}"));
    }

    pub(crate) const fn seal(&self) -> Option<&dyn AuditSeal> {
        self.seal
    }

    /// Appends a row to the audit chain: what `deed` says, and all that this transaction
    /// changed since the last row. Row and effect are committed together or not at all
    /// (R36). Every write on somebody's behalf passes through here.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn record(&self, deed: &Deed<'_>) -> Result<Head, Error> {
        let changes = self.changes.take();
        chain::append(self.transaction, self.seal, &time_text(self.now), deed, &changes, chain::STATE)
    }
}

impl Reader {
    fn open(path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let connection = connection::reader(path)?;
        // The first read opens the log.
        connection::data_version(&connection)?;
        let index = WalIndex::of(&connection);
        Ok(Self { index, connection, as_of: None, seen: None, known: Cache::new(cache_bytes) })
    }
}
