//! Numbered migrations: the Go chassis's layout first, then what we add to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::error::Error;
use crate::row::time_text;
use crate::{copy, folder};

/// One step of a layout. Forward only; a released step never changes. Numbers may have
/// gaps, and a file takes every step that it lacks, also one below its highest.
pub(crate) struct Migration {
    number: u32,
    /// Statements that must succeed.
    sql: &'static str,
    /// Unique indices that old files may already violate: the Go chassis had secrets
    /// before it had these. Lookups take the newest row, so such a file works without.
    if_clean: &'static [&'static str],
}

/// The layout of `runtime-<env>.db`. Ours stand in our own table; the Go chassis's
/// bookkeeping is left alone (R15).
pub(crate) const RUNTIME: &[Migration] = &[
    Migration {
        number: 1,
        sql: include_str!("schema/0001_go_layout.sql"),
        if_clean: &[
            "CREATE UNIQUE INDEX IF NOT EXISTS tenant_secrets_active_name_idx
             ON tenant_secrets (tenant_id, COALESCE(stack, ''), name) WHERE revoked_at IS NULL",
            "CREATE UNIQUE INDEX IF NOT EXISTS tenant_secret_versions_secret_ver_uidx
             ON tenant_secret_versions (secret_id, version_no)",
        ],
    },
    Migration { number: 2, sql: include_str!("schema/0002_sealed_by_us.sql"), if_clean: &[] },
    Migration { number: 3, sql: include_str!("schema/0003_ops.sql"), if_clean: &[] },
    Migration { number: 10, sql: include_str!("schema/0010_scheme_one.sql"), if_clean: &[] },
    Migration { number: 20, sql: include_str!("schema/0020_versions_and_policy.sql"), if_clean: &[] },
    Migration { number: 40, sql: include_str!("schema/0040_audit.sql"), if_clean: &[] },
    Migration { number: 50, sql: include_str!("schema/0050_usage.sql"), if_clean: &[] },
    Migration {
        number: 60,
        sql: include_str!("schema/0060_stacks.sql"),
        if_clean: &[
            "CREATE UNIQUE INDEX IF NOT EXISTS ops_name_idx
             ON ops (stack, scope, name, tenant_id) WHERE name <> ''",
            "CREATE UNIQUE INDEX IF NOT EXISTS txco_hostnames_active_idx
             ON tenant_hostnames (hostname) WHERE revoked_at IS NULL",
        ],
    },
    Migration { number: 61, sql: include_str!("schema/0061_continuations.sql"), if_clean: &[] },
    Migration { number: 64, sql: include_str!("schema/0064_tenant_runtime.sql"), if_clean: &[] },
    Migration { number: 70, sql: include_str!("schema/0070_changes.sql"), if_clean: &[] },
    Migration { number: 71, sql: include_str!("schema/0071_upstream_calls.sql"), if_clean: &[] },
    Migration { number: 72, sql: include_str!("schema/0072_secrets_use.sql"), if_clean: &[] },
    Migration { number: 73, sql: include_str!("schema/0073_changes_of_ops.sql"), if_clean: &[] },
    Migration { number: 75, sql: include_str!("schema/0075_hostname_proofs.sql"), if_clean: &[] },
    Migration { number: 83, sql: include_str!("schema/0083_hostname_claims.sql"), if_clean: &[] },
    Migration { number: 84, sql: include_str!("schema/0084_waits_since.sql"), if_clean: &[] },
    Migration { number: 86, sql: include_str!("schema/0086_deferred_joins.sql"), if_clean: &[] },
];

/// The layout of `auth-<env>.db`.
pub(crate) const AUTH: &[Migration] = &[
    Migration {
        number: 1,
        sql: include_str!("schema/auth_0001_go_layout.sql"),
        if_clean: &["CREATE UNIQUE INDEX IF NOT EXISTS actor_keys_public_key_idx
             ON actor_keys (public_key) WHERE revoked_at IS NULL"],
    },
    Migration { number: 30, sql: include_str!("schema/auth_0030_nonces.sql"), if_clean: &[] },
    Migration { number: 40, sql: include_str!("schema/auth_0040_audit.sql"), if_clean: &[] },
];

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody's yet.
    Empty,
    /// Written by something else: the Go chassis.
    Foreign,
    /// Ours.
    Ours,
}

/// Whose `connection`'s file is; refuses one that a later txco migrated.
pub(crate) fn owner(connection: &Connection, path: &Path, layout: &[Migration]) -> Result<Owner, Error> {
    let opening = Error::opening(path);
    let tables: u32 = connection
        .query_row("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .map_err(&opening)?;
    let ours = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'txco_migrations'",
            [],
            |_| Ok(()),
        )
        .optional()
        .map_err(&opening)?;
    match (tables, ours) {
        (0, _) => Ok(Owner::Empty),
        (_, None) => Ok(Owner::Foreign),
        (_, Some(())) => {
            let known = |number: &u32| layout.iter().any(|step| step.number == *number);
            match applied(connection)?.into_iter().rfind(|number| !known(number)) {
                Some(found) => {
                    let known = layout.iter().map(|step| step.number).max().unwrap_or(0);
                    Err(Error::Newer { path: path.to_owned(), found, known })
                }
                None => Ok(Owner::Ours),
            }
        }
    }
}

/// Brings the file to this build's layout in one transaction; tells which steps it took.
pub(crate) fn migrate(connection: &mut Connection, layout: &[Migration]) -> Result<Vec<u32>, Error> {
    let transaction = connection.transaction().map_err(Error::of)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS txco_migrations (number INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)",
        )
        .map_err(Error::of)?;
    // Read under the write lock: another process may have migrated while we waited.
    let done = applied(&transaction)?;
    let mut taken = Vec::new();
    for step in layout.iter().filter(|step| !done.contains(&step.number)) {
        apply(&transaction, step)?;
        taken.push(step.number);
    }
    transaction.commit().map_err(Error::of)?;
    Ok(taken)
}

fn apply(transaction: &Transaction<'_>, step: &Migration) -> Result<(), Error> {
    let now = time_text(Timestamp::now());
    transaction.execute_batch(step.sql).map_err(Error::of)?;
    for index in step.if_clean {
        match transaction.execute_batch(index).map_err(Error::of) {
            Err(Error::Taken) => tracing::warn!("imported rows share a name; the newest of each is used"),
            other => other?,
        }
    }
    transaction
        .execute("INSERT INTO txco_migrations (number, applied_at) VALUES (?1, ?2)", (step.number, &now))
        .map_err(Error::of)?;
    Ok(())
}

/// The numbers of the steps that the file has taken.
fn applied(connection: &Connection) -> Result<BTreeSet<u32>, Error> {
    let mut statement = connection.prepare("SELECT number FROM txco_migrations").map_err(Error::of)?;
    let numbers = statement.query_map([], |row| row.get(0)).map_err(Error::of)?;
    numbers.collect::<rusqlite::Result<_>>().map_err(Error::of)
}

/// Copies a foreign database beside itself before we change it, by SQLite's backup API so
/// that the write-ahead log is in the copy. Never writes over an earlier copy, and a copy
/// is whole when it has its name.
pub(crate) fn copy_aside(connection: &Connection, path: &Path) -> Result<PathBuf, Error> {
    let name = |n: u32| match n {
        1 => folder::with_suffix(path, ".before-txco"),
        _ => folder::with_suffix(path, &format!(".before-txco.{n}")),
    };
    let aside = (1..).map(name).find(|aside| !aside.exists()).unwrap_or_else(|| name(1));
    let unfinished = folder::with_suffix(&aside, ".unfinished");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::file(&unfinished)(error));
        }
        _ => {}
    }
    copy::into_file(connection, &unfinished)?;
    std::fs::rename(&unfinished, &aside).map_err(Error::file(&aside))?;
    folder::settle(&aside).map_err(Error::file(&aside))?;
    Ok(aside)
}
