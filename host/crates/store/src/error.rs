//! What the database refused, classified: kinds, names and paths, never SQL text or values.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::refusal::StackRefusal;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `--env` names files; this text cannot.
    #[error("invalid environment name {env:?}: expected 1 to 64 of letters, digits, _, - and .")]
    EnvName {
        /// The text given.
        env: String,
    },
    /// The folder cannot be made or read.
    #[error("database folder {path}: {reason}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        reason: std::io::ErrorKind,
    },
    /// A file cannot be made, read or protected.
    #[error("database file {path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: std::io::ErrorKind,
    },
    /// The chosen database is absent while others lie in the folder: more likely a
    /// mistyped `--env` than a wish for an empty store (R15).
    #[error(
        "{wanted} is not in {folder}, but {found} is: choose it by --env, or create an empty {wanted} there to start a new one",
        folder = folder.display(), found = found.join(", ")
    )]
    OtherDatabases {
        /// The file that was asked for.
        wanted: String,
        /// Where.
        folder: PathBuf,
        /// The databases that lie there.
        found: Vec<String>,
    },
    /// A later txco has migrated the file.
    #[error("{path} was written by a newer txco (its layout is {found}, this one knows {known})", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The last migration in the file.
        found: u32,
        /// The last migration of this build.
        known: u32,
    },
    /// The file is something else.
    #[error("{path} is not a SQLite database; move it away and bring it back from a backup (`txco backup`)", path = path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file system cannot do write-ahead logging (a network share, usually).
    #[error("{path}: the file system does not support SQLite's write-ahead log", path = path.display())]
    NoWriteAheadLog {
        /// The file.
        path: PathBuf,
    },
    /// The file, its folder or its disk is read-only.
    #[error(
        "{path} cannot be written: look at its permissions, those of its folder, and whether the disk is mounted read-only",
        path = path.display()
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
    },
    /// Another process kept the database locked for longer than the busy timeout.
    #[error("the database is busy")]
    Busy,
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// The file or its folder may not be written.
    #[error("the database cannot be written")]
    ReadOnly,
    /// The file's structure is broken.
    #[error("the database is damaged")]
    Damaged,
    /// Reading or writing failed in the operating system.
    #[error("reading or writing the database failed")]
    Io,
    /// A row holds what its column never should.
    #[error("a row of {table} is not what it should be")]
    Row {
        /// The table.
        table: &'static str,
    },
    /// Somebody else still reads the write-ahead log, so it cannot be emptied.
    #[error(
        "the bytes are destroyed in the database, but its write-ahead log is in use and still has them: run this again, or restart the chassis"
    )]
    LogInUse,
    /// Destroyed bytes are still in a file.
    #[error(
        "the bytes are destroyed in the database, but its file still has a copy of them: stop the chassis and run VACUUM on it"
    )]
    NotErased,
    /// A unique index refused the row.
    #[error("the name is taken")]
    Taken,
    /// A tenant has as many ops as it may have.
    #[error("the tenant has {most} ops, and may have no more")]
    TooManyOps {
        /// How many it may have.
        most: usize,
    },
    /// A tenant keeps as much as it may.
    #[error("there may be {most} {quota}, and this would be more")]
    QuotaReached {
        /// Of what.
        quota: Quota,
        /// How much there may be.
        most: u64,
    },
    /// Something about stacks, their versions or hostnames.
    #[error(transparent)]
    Stack(StackRefusal),
    /// A write changed what the audit explains, and recorded nothing: a bug here.
    #[error("a write changed {what} and no Writing::record tells of it (a bug in txco)")]
    Unrecorded {
        /// The first change.
        what: String,
    },
    /// Only the chassis itself makes tenants whose slug begins with `_`.
    #[error("tenant slugs that begin with _ are the chassis's own")]
    ReservedSlug,
    /// Somebody is enrolled: only the first could come this way.
    #[error("an actor is enrolled already")]
    SomebodyEnrolled,
    /// The public key is somebody's.
    #[error("the key is enrolled already, as {key_id} of {actor_id}")]
    KeyEnrolled {
        /// Whose it is.
        actor_id: String,
        /// What it is called.
        key_id: String,
    },
    /// No such actor.
    #[error("no such actor")]
    NoActor,
    /// An actor who was revoked gets nothing.
    #[error("the actor is revoked")]
    ActorRevoked,
    /// Nobody would be left who rules everything, and nobody could undo it.
    #[error("this is the last super-admin with a key")]
    LastSuperAdmin,
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// SQLite refused for a reason that means a bug here.
    #[error("SQLite error {code}")]
    Sqlite {
        /// SQLite's extended result code; 0 when the refusal came from the binding.
        code: i32,
    },
}

/// What there may be no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Active secrets of a tenant.
    Secrets,
    /// Versions of one secret.
    Versions,
    /// Bytes of a tenant's sealed values.
    Bytes,
}

impl Quota {
    /// The word for machines.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Versions => "versions",
            Self::Bytes => "bytes",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secrets => "secrets in a tenant",
            Self::Versions => "versions of a secret",
            Self::Bytes => "bytes of sealed values in a tenant",
        })
    }
}

impl Error {
    /// The only way a SQLite error becomes ours. Its text is dropped: rusqlite prints the
    /// whole SQL of an input error.
    #[expect(clippy::needless_pass_by_value, reason = "used as map_err(Error::of)")]
    #[expect(clippy::wildcard_enum_match_arm, reason = "foreign codes: whatever is not named is unexpected")]
    pub(crate) fn of(error: rusqlite::Error) -> Self {
        let Some(sqlite) = error.sqlite_error() else {
            return Self::Sqlite { code: 0 };
        };
        match sqlite.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Self::Io,
            ErrorCode::ConstraintViolation => Self::Taken,
            _ => Self::Sqlite { code: sqlite.extended_code },
        }
    }

    /// While opening, an error is about a file: says which.
    pub(crate) fn opening(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |error| match (error.sqlite_error_code(), Self::of(error)) {
            (Some(ErrorCode::NotADatabase), _) => Self::NotADatabase { path: path.clone() },
            (Some(ErrorCode::CannotOpen), _) => {
                Self::File { path: path.clone(), reason: std::io::ErrorKind::PermissionDenied }
            }
            (_, other) => other,
        }
    }

    pub(crate) fn file(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path: path.clone(), reason: error.kind() }
    }
}
