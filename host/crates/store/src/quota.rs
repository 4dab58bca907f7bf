//! What one tenant may keep: how many secrets, how many versions of each, how many bytes.

use model::{Id, TenantId};
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::{Error, Quota};

/// What a tenant may keep at most; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quotas {
    /// Active secrets.
    pub secrets: Option<u64>,
    /// Versions of one secret, revoked ones included.
    pub versions: Option<u64>,
    /// Bytes of the sealed values of all versions, those of revoked secrets included.
    pub bytes: Option<u64>,
}

/// What a tenant keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Active secrets.
    pub secrets: u64,
    /// Bytes of the sealed values of all versions.
    pub bytes: u64,
}

/// The versions of a secret, by the index alone.
const ROWS: &str = "SELECT COUNT(*) FROM tenant_secret_versions WHERE secret_id = ?1";
/// Those of them that still have a value.
const VALUES: &str =
    "SELECT COUNT(*) FROM tenant_secret_versions WHERE secret_id = ?1 AND length(ciphertext) > 0";
/// What the triggers counted.
const COUNTED: &str = "SELECT secrets, bytes FROM txco_usage WHERE tenant_id = ?1";
/// What there is.
const RECOUNTED: &str = "
    SELECT (SELECT COUNT(*) FROM tenant_secrets WHERE tenant_id = ?1 AND revoked_at IS NULL),
           (SELECT COALESCE(SUM(length(v.ciphertext)), 0) FROM tenant_secrets s
            JOIN tenant_secret_versions v ON v.secret_id = s.secret_id WHERE s.tenant_id = ?1)";

impl Quotas {
    /// Refuses the transaction when `tenant` has more in it than it may.
    pub(crate) fn hold_tenant(&self, connection: &Connection, tenant: &str) -> Result<(), Error> {
        if self.secrets.is_none() && self.bytes.is_none() {
            return Ok(());
        }
        if self.hold(usage(connection, tenant, COUNTED)?).is_ok() {
            return Ok(());
        }
        let exact = usage(connection, tenant, RECOUNTED)?;
        connection
            .execute(
                "UPDATE txco_usage SET secrets = ?2, bytes = ?3 WHERE tenant_id = ?1",
                (tenant, signed(exact.secrets), signed(exact.bytes)),
            )
            .map_err(Error::of)?;
        self.hold(exact)
    }

    fn hold(&self, usage: Usage) -> Result<(), Error> {
        within(Quota::Secrets, usage.secrets, self.secrets)?;
        within(Quota::Bytes, usage.bytes, self.bytes)
    }

    /// Refuses the transaction when a secret has more versions in it than it may, or its
    /// tenant more bytes. Versions whose value was destroyed count no more.
    pub(crate) fn hold_versions(&self, connection: &Connection, secret: &Id) -> Result<(), Error> {
        let count = |sql: &str| {
            let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
            statement.query_row([secret.as_str()], |row| row.get(0)).map(unsigned).map_err(Error::of)
        };
        if self.versions.is_some() && within(Quota::Versions, count(ROWS)?, self.versions).is_err() {
            within(Quota::Versions, count(VALUES)?, self.versions)?;
        }
        if self.bytes.is_none() {
            return Ok(());
        }
        let owner: String = connection
            .prepare_cached("SELECT tenant_id FROM tenant_secrets WHERE secret_id = ?1")
            .and_then(|mut statement| statement.query_row([secret.as_str()], |row| row.get(0)))
            .map_err(Error::of)?;
        self.hold_tenant(connection, &owner)
    }
}

/// What `tenant` keeps, as the triggers counted it.
pub(crate) fn counted(connection: &Connection, tenant: &TenantId) -> Result<Usage, Error> {
    usage(connection, tenant.as_str(), COUNTED)
}

fn usage(connection: &Connection, tenant: &str, sql: &str) -> Result<Usage, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    let found = statement.query_row([tenant], |row| {
        Ok(Usage { secrets: unsigned(row.get(0)?), bytes: unsigned(row.get(1)?) })
    });
    Ok(found.optional().map_err(Error::of)?.unwrap_or_default())
}

fn within(quota: Quota, found: u64, most: Option<u64>) -> Result<(), Error> {
    match most {
        Some(most) if found > most => Err(Error::QuotaReached { quota, most }),
        _ => Ok(()),
    }
}

fn unsigned(count: i64) -> u64 {
    count.try_into().unwrap_or(0)
}

fn signed(count: u64) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
