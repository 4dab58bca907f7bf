//! What changes for an operator on our first boot over a database of the Go chassis (R17).

use model::{SecretName, StackName, TenantId};
use rusqlite::{Connection, Row};

use crate::error::Error;

/// A name that a stack resolves differently here than under the Go chassis, which knew
/// no parents of a nested stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    /// Whose stack.
    pub tenant: TenantId,
    /// The stack that asks.
    pub stack: StackName,
    /// The name it asks for.
    pub name: SecretName,
    /// What the Go chassis gave it.
    pub before: Before,
    /// The parent stack whose secret it gets here.
    pub now: StackName,
}

/// What the Go chassis resolved a name to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The tenant-wide secret of that name.
    TenantWide,
    /// Nothing.
    Nothing,
}

/// A secret that the Go chassis revoked in a stack, and that still resolves there, to a
/// wider one of the same name: as it did under the Go chassis (weakness S5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallsThrough {
    /// Whose stack.
    pub tenant: TenantId,
    /// The stack it was revoked in.
    pub stack: StackName,
    /// Its name.
    pub name: SecretName,
}

/// For every known stack, the nearest parent's secret where the stack has none itself.
pub(crate) fn differing(connection: &Connection) -> Result<Vec<Differs>, Error> {
    let mut known = "SELECT tenant_id, stack FROM tenant_secrets WHERE COALESCE(stack, '') <> ''".to_owned();
    for (table, column) in [("stacks", "name"), ("ops", "stack")] {
        if has_columns(connection, table, &["tenant_id", column]).map_err(Error::of)? {
            known.push_str(&format!(" UNION SELECT tenant_id, {column} FROM {table}"));
        }
    }
    let sql = format!(
        "WITH known (tenant_id, stack) AS ({known}),
              active AS (SELECT tenant_id, name, COALESCE(stack, '') AS stack
                         FROM tenant_secrets WHERE revoked_at IS NULL)
         SELECT DISTINCT k.tenant_id, k.stack, p.name, p.stack,
                EXISTS (SELECT 1 FROM active w WHERE w.tenant_id = k.tenant_id AND w.name = p.name AND w.stack = '')
         FROM known k
         JOIN active p ON p.tenant_id = k.tenant_id AND p.stack <> ''
                      AND substr(k.stack, 1, length(p.stack) + 1) = p.stack || '/'
         WHERE NOT EXISTS (SELECT 1 FROM active n
                           WHERE n.tenant_id = k.tenant_id AND n.name = p.name
                             AND length(n.stack) > length(p.stack)
                             AND (n.stack = k.stack OR substr(k.stack, 1, length(n.stack) + 1) = n.stack || '/'))
         ORDER BY 1, 2, 3"
    );
    collect(connection, &sql, |row| {
        let before = if row.get(4)? { Before::TenantWide } else { Before::Nothing };
        let now = StackName::parse(&row.get::<_, String>(3)?).ok();
        let place = place(row)?;
        Ok(place.zip(now).map(|((tenant, stack, name), now)| Differs { tenant, stack, name, before, now }))
    })
}

/// Revoked stack-scoped secrets with no active one in their place and a tenant-wide one behind.
pub(crate) fn falling_through(connection: &Connection) -> Result<Vec<FallsThrough>, Error> {
    let sql = "SELECT DISTINCT r.tenant_id, r.stack, r.name FROM tenant_secrets r
         WHERE r.revoked_at IS NOT NULL AND r.blocks_fallback = 0 AND COALESCE(r.stack, '') <> ''
           AND NOT EXISTS (SELECT 1 FROM tenant_secrets a WHERE a.tenant_id = r.tenant_id AND a.name = r.name
                             AND a.stack = r.stack AND a.revoked_at IS NULL)
           AND EXISTS (SELECT 1 FROM tenant_secrets w WHERE w.tenant_id = r.tenant_id AND w.name = r.name
                         AND COALESCE(w.stack, '') = '' AND w.revoked_at IS NULL)
         ORDER BY 1, 2, 3";
    collect(connection, sql, |row| {
        Ok(place(row)?.map(|(tenant, stack, name)| FallsThrough { tenant, stack, name }))
    })
}

/// Rows with names that are none cannot be asked for by a rule, and are left out.
fn place(row: &Row<'_>) -> rusqlite::Result<Option<(TenantId, StackName, SecretName)>> {
    let text = |column| row.get::<_, String>(column);
    let (tenant, stack, name) = (text(0)?, text(1)?, text(2)?);
    Ok((|| {
        Some((TenantId::parse(&tenant).ok()?, StackName::parse(&stack).ok()?, SecretName::parse(&name).ok()?))
    })())
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare(sql).map_err(Error::of)?;
    let rows = statement.query_map([], read).map_err(Error::of)?;
    rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>().map_err(Error::of)
}

/// Whether the file has `table` with these columns; not every Go release did.
pub(crate) fn has_columns(connection: &Connection, table: &str, columns: &[&str]) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2")?;
    for column in columns {
        if !statement.exists((table, column))? {
            return Ok(false);
        }
    }
    Ok(true)
}
