//! A version is begun: empty, or with the files of another.

use model::{IdKind, StackName, TenantId};
use rusqlite::{Connection, OptionalExtension as _};

use super::{KEPT_VERSIONS, MOST_STACKS, manifest_of, rows};
use crate::chain::{By, Deed};
use crate::error::Error;
use crate::refusal::StackRefusal;
use crate::store::{Store, Writing};

/// Whose files a draft begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// None.
    Nothing,
    /// Those of the active version.
    Active,
    /// Those of this version.
    Version(u32),
}

impl Store {
    /// Begins a version of the stack called `name`, which is made when it is not there, and
    /// lets go of the oldest versions beyond [`KEPT_VERSIONS`]. Says its number.
    ///
    /// # Errors
    /// [`StackRefusal::TooManyStacks`], [`StackRefusal::NothingActive`],
    /// [`StackRefusal::NoVersion`], or of the database.
    pub fn begin_draft(
        &self,
        tenant: &TenantId,
        name: &StackName,
        from: Base,
        by: By<'_>,
    ) -> Result<u32, Error> {
        self.write(|writing: &Writing<'_>| {
            let transaction = writing.transaction;
            let stack = match rows::found(transaction, tenant, name)? {
                Some(stack) => stack,
                None => make(writing, tenant, name)?,
            };
            let source = match from {
                Base::Nothing => None,
                Base::Active => Some(
                    rows::active(transaction, &stack)?.ok_or(Error::Stack(StackRefusal::NothingActive))?,
                ),
                Base::Version(number) => Some(rows::version(transaction, &stack, number)?),
            };
            let source = source.map(|version| version.id);
            let number = next(transaction, &stack.id)?;
            let sql = "INSERT INTO stack_versions
                       (stack_id, version_number, parent_version_id, status, created_by, created_at, manifest_hash)
                       VALUES (?1, ?2, ?3, 'draft', ?4, ?5, ?6)";
            let files = source.map(|id| rows::files(transaction, id)).transpose()?.unwrap_or_default();
            let manifest = manifest_of(&files).to_string();
            let row = (&stack.id, number, source, by.author(), writing.time(), manifest);
            transaction.execute(sql, row).map_err(Error::of)?;
            if let Some(source) = source {
                let sql = "INSERT INTO stack_files (version_id, path, content, content_hash)
                           SELECT ?1, path, content, content_hash FROM stack_files WHERE version_id = ?2";
                transaction.execute(sql, (transaction.last_insert_rowid(), source)).map_err(Error::of)?;
            }
            let active = rows::active(transaction, &stack)?.map(|version| version.id);
            let_go(transaction, &stack.id, active)?;
            let deed = Deed::new(by, "stack.draft", tenant.as_str(), name.as_str()).fact("version", number);
            writing.record(&deed)?;
            Ok(number)
        })
    }
}

fn make(writing: &Writing<'_>, tenant: &TenantId, name: &StackName) -> Result<rows::StackRow, Error> {
    let sql = "SELECT COUNT(*) FROM stacks WHERE tenant_id = ?1";
    let count: i64 =
        writing.transaction.query_row(sql, [tenant.as_str()], |row| row.get(0)).map_err(Error::of)?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= MOST_STACKS {
        return Err(Error::Stack(StackRefusal::TooManyStacks { most: MOST_STACKS }));
    }
    let id = writing.mint(IdKind::Stack)?;
    let sql = "INSERT INTO stacks (stack_id, tenant_id, name, created_at) VALUES (?1, ?2, ?3, ?4)";
    let row = (id.as_str(), tenant.as_str(), name.as_str(), writing.time());
    writing.transaction.execute(sql, row).map_err(Error::of)?;
    Ok(rows::StackRow { id: id.as_str().to_owned(), active: None })
}

fn next(connection: &Connection, stack: &str) -> Result<u32, Error> {
    let sql = "SELECT MAX(version_number) FROM stack_versions WHERE stack_id = ?1";
    let last: Option<u32> =
        connection.query_row(sql, [stack], |row| row.get(0)).optional().map_err(Error::of)?.flatten();
    last.unwrap_or(0).checked_add(1).ok_or(Error::Row { table: "stack_versions" })
}

/// Lets go of the oldest versions, never of the active one, with their files and pins.
fn let_go(connection: &Connection, stack: &str, active: Option<i64>) -> Result<(), Error> {
    let old = "SELECT version_id FROM stack_versions WHERE stack_id = ?1 AND version_id IS NOT ?2
               ORDER BY version_number DESC LIMIT -1 OFFSET ?3";
    let kept = i64::try_from(KEPT_VERSIONS - 1).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(old).map_err(Error::of)?;
    let rows = statement.query_map((stack, active, kept), |row| row.get::<_, i64>(0)).map_err(Error::of)?;
    for id in rows.collect::<rusqlite::Result<Vec<_>>>().map_err(Error::of)? {
        for table in ["stack_files", "txco_version_ops", "txco_activated", "stack_versions"] {
            let sql = format!("DELETE FROM {table} WHERE version_id = ?1");
            connection.execute(&sql, [id]).map_err(Error::of)?;
        }
    }
    crate::ops::drop_unused(connection)
}
