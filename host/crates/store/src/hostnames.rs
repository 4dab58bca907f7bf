//! Which host belongs to which tenant and stack.

mod proofs;

use model::{Hostname, IdKind, StackName, TenantId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::chain::{By, Deed};
use crate::error::Error;
use crate::refusal::StackRefusal;
use crate::row::said;
use crate::store::{Store, Writing};

pub use proofs::{HostnameProof, ProofMethod};

/// How many hostnames a tenant may have.
pub const MOST_HOSTNAMES: usize = 1000;

/// A hostname and where its requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostnameRecord {
    /// The host.
    pub hostname: Hostname,
    /// Whose it is.
    pub tenant: TenantId,
    /// The stack; without one, the tenant's only one.
    pub stack: Option<StackName>,
    /// When it was bound.
    pub created_at: String,
    /// The actor who bound it.
    pub created_by: Option<String>,
    /// When a chassis saw that it is the tenant's.
    pub verified_at: Option<String>,
}

impl Store {
    /// The hostnames of `tenant`, or of all, by name.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn hostnames(&self, tenant: Option<&TenantId>) -> Result<Vec<HostnameRecord>, Error> {
        self.read(|reader| {
            let sql = "SELECT hostname, tenant_id, stack, created_at, created_by, verified_at
                       FROM tenant_hostnames WHERE revoked_at IS NULL AND (?1 IS NULL OR tenant_id = ?1)
                       ORDER BY hostname, created_at DESC, id DESC";
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let rows = statement.query_map([tenant.map(TenantId::as_str)], record).map_err(Error::of)?;
            // A row that names no host is nobody's; it hides no other.
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }

    /// Sends the requests of a host to a stack of `tenant`: a new hostname, or one that it has.
    ///
    /// # Errors
    /// [`StackRefusal::HostnameTaken`], [`StackRefusal::TooManyHostnames`], or of the database.
    pub fn bind_hostname(
        &self,
        tenant: &TenantId,
        hostname: &Hostname,
        stack: Option<&StackName>,
        by: By<'_>,
    ) -> Result<(), Error> {
        self.write(|writing: &Writing<'_>| {
            let transaction = writing.transaction;
            match owner(transaction, hostname)? {
                Some(owner) if owner != tenant.as_str() => {
                    return Err(Error::Stack(StackRefusal::HostnameTaken));
                }
                Some(_) => {
                    let sql =
                        "UPDATE tenant_hostnames SET stack = ?2 WHERE hostname = ?1 AND revoked_at IS NULL";
                    let row = (hostname.as_str(), stack.map(StackName::as_str));
                    transaction.execute(sql, row).map_err(Error::of)?;
                }
                None => {
                    return claim(writing, tenant, hostname, stack, by);
                }
            }
            bound(writing, tenant, hostname, stack, by)
        })
    }

    /// Takes a hostname from `tenant`.
    ///
    /// # Errors
    /// [`StackRefusal::NoHostname`], or of the database.
    pub fn release_hostname(&self, tenant: &TenantId, hostname: &Hostname, by: By<'_>) -> Result<(), Error> {
        self.write(|writing: &Writing<'_>| {
            if let_go(writing, tenant.as_str(), hostname)? == 0 {
                return Err(Error::Stack(StackRefusal::NoHostname));
            }
            writing.record(&Deed::new(by, "hostname.release", tenant.as_str(), hostname.as_str()))?;
            Ok(())
        })
    }
}

/// Binds a host that nobody has.
fn claim(
    writing: &Writing<'_>,
    tenant: &TenantId,
    hostname: &Hostname,
    stack: Option<&StackName>,
    by: By<'_>,
) -> Result<(), Error> {
    let transaction = writing.transaction;
    if count(transaction, tenant)? >= MOST_HOSTNAMES {
        return Err(Error::Stack(StackRefusal::TooManyHostnames { most: MOST_HOSTNAMES }));
    }
    let id = writing.mint(IdKind::Hostname)?;
    let sql = "INSERT INTO tenant_hostnames (id, hostname, tenant_id, stack, created_at, created_by)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (stack_name, author) = (stack.map(StackName::as_str), by.author());
    let row = (id.as_str(), hostname.as_str(), tenant.as_str(), stack_name, writing.time(), author);
    transaction.execute(sql, row).map_err(Error::of)?;
    bound(writing, tenant, hostname, stack, by)
}

/// Writes into the audit where a host leads.
fn bound(
    writing: &Writing<'_>,
    tenant: &TenantId,
    hostname: &Hostname,
    stack: Option<&StackName>,
    by: By<'_>,
) -> Result<(), Error> {
    let deed = Deed::new(by, "hostname.bind", tenant.as_str(), hostname.as_str());
    writing.record(&deed.fact("stack", stack.map_or("-", StackName::as_str)))?;
    Ok(())
}

/// Ends the binding of a host, and what is asked about it; how many there were.
fn let_go(writing: &Writing<'_>, tenant: &str, hostname: &Hostname) -> Result<usize, Error> {
    let sql = "DELETE FROM txco_hostname_claims WHERE tenant_id = ?1 AND hostname = ?2";
    writing.transaction.execute(sql, [tenant, hostname.as_str()]).map_err(Error::of)?;
    let sql = "UPDATE tenant_hostnames SET revoked_at = ?3
               WHERE tenant_id = ?1 AND lower(hostname) = ?2 AND revoked_at IS NULL";
    let row = (tenant, hostname.as_str(), writing.time());
    writing.transaction.execute(sql, row).map_err(Error::of)
}

fn owner(connection: &Connection, hostname: &Hostname) -> Result<Option<String>, Error> {
    let sql = "SELECT tenant_id FROM tenant_hostnames WHERE lower(hostname) = ?1 AND revoked_at IS NULL";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    statement.query_row([hostname.as_str()], |row| row.get(0)).optional().map_err(Error::of)
}

fn count(connection: &Connection, tenant: &TenantId) -> Result<usize, Error> {
    let sql = "SELECT COUNT(*) FROM tenant_hostnames WHERE tenant_id = ?1 AND revoked_at IS NULL";
    let count: i64 = connection.query_row(sql, [tenant.as_str()], |row| row.get(0)).map_err(Error::of)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Option<HostnameRecord>> {
    let (hostname, tenant): (String, String) = (row.get(0)?, row.get(1)?);
    let stack = said(row.get(2)?).map(|stack| StackName::parse(&stack));
    let names = (Hostname::of(&hostname).ok(), TenantId::parse(&tenant).ok(), stack.transpose().ok());
    let (created_at, created_by, verified_at) = (row.get(3)?, said(row.get(4)?), said(row.get(5)?));
    let (Some(hostname), Some(tenant), Some(stack)) = names else { return Ok(None) };
    Ok(Some(HostnameRecord { hostname, tenant, stack, created_at, created_by, verified_at }))
}
