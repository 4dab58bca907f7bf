//! The state of a tenant beside its rules: whether it is suspended, and its limits.

use model::TenantId;
use rusqlite::{OptionalExtension as _, Row};

use crate::chain::{By, Deed};
use crate::error::Error;
use crate::store::{Store, Writing};

/// A tenant's state. Who has no row is not suspended and has no limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantRuntime {
    /// Whether its requests are refused.
    pub suspended: bool,
    /// With which status; 0 leaves it to the chassis.
    pub deny_status: u16,
    /// Why, for whoever asked; may be empty.
    pub deny_reason: String,
    /// Requests a second; 0 is no limit.
    pub rate: u32,
    /// Requests that may come at once when there were few before; 0 is as many as `rate`.
    pub burst: u32,
    /// Requests at the same time; 0 is no limit.
    pub concurrency: u32,
    /// Requests to upstreams under way at once; 0 leaves it to the chassis.
    pub upstream_calls: u32,
    /// What it takes to activate its rules when they name a secret that they did not name before.
    pub secrets_use: SecretsUse,
}

/// What it takes to activate rules that name a secret which they did not name before (R18).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecretsUse {
    /// To be allowed to activate, as in the Go chassis.
    #[default]
    Implied,
    /// Also to be allowed to use that secret.
    Explicit,
}

impl SecretsUse {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Implied => "implied",
            Self::Explicit => "explicit",
        }
    }
}

/// Limits to be set; what is not said stays, 0 ends one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests a second.
    pub rate: Option<u32>,
    /// Requests at once.
    pub burst: Option<u32>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
    /// Requests to upstreams under way at once.
    pub upstream_calls: Option<u32>,
}

/// A change of a tenant's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Its requests are refused from now on.
    Suspend {
        /// With this status.
        status: u16,
        /// For this reason; may be empty.
        reason: String,
    },
    /// They are not any more.
    Resume,
    /// Other limits.
    Limit(Limits),
    /// What using a secret takes from now on.
    SecretsUse(SecretsUse),
}

// The Go chassis may have written a fraction of a request a second: one, then, and not none.
const COLUMNS: &str = "
    COALESCE(enabled, 1) = 0 OR COALESCE(suspended, 0) <> 0, CAST(COALESCE(deny_status, 0) AS INTEGER),
    CAST(COALESCE(deny_reason, '') AS TEXT),
    CASE WHEN rate_limit_rps > 0 THEN MAX(1, CAST(rate_limit_rps AS INTEGER)) ELSE 0 END,
    CAST(COALESCE(rate_burst, 0) AS INTEGER), CAST(COALESCE(concurrency_limit, 0) AS INTEGER),
    CAST(COALESCE(upstream_calls_limit, 0) AS INTEGER), COALESCE(explicit_secrets_use, 0) <> 0";

impl Store {
    /// The state of a tenant.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn tenant_runtime(&self, tenant: &TenantId) -> Result<TenantRuntime, Error> {
        self.read(|reader| {
            let sql = format!("SELECT tenant_id, {COLUMNS} FROM tenant_runtime_state WHERE tenant_id = ?1");
            let mut statement = reader.connection.prepare_cached(&sql).map_err(Error::of)?;
            let found = statement.query_row([tenant.as_str()], state).optional().map_err(Error::of)?;
            Ok(found.flatten().map(|(_, state)| state).unwrap_or_default())
        })
    }

    /// The states of all tenants that have one.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn tenant_runtimes(&self) -> Result<Vec<(TenantId, TenantRuntime)>, Error> {
        self.read(|reader| {
            let sql = format!("SELECT tenant_id, {COLUMNS} FROM tenant_runtime_state");
            let mut statement = reader.connection.prepare_cached(&sql).map_err(Error::of)?;
            let rows = statement.query_map([], state).map_err(Error::of)?;
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }

    /// Changes the state of a tenant.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn rule_tenant(&self, tenant: &TenantId, ruling: &Ruling, by: By<'_>) -> Result<(), Error> {
        self.write(|writing: &Writing<'_>| {
            let (transaction, id) = (writing.transaction, tenant.as_str());
            // Not by a conflict: the Go chassis's table need not have our key.
            let absent =
                "INSERT INTO tenant_runtime_state (tenant_id, enabled, suspended, deny_status, deny_reason,
                              rate_limit_rps, rate_burst, concurrency_limit)
                          SELECT ?1, 1, 0, 0, '', 0, 0, 0
                          WHERE NOT EXISTS (SELECT 1 FROM tenant_runtime_state WHERE tenant_id = ?1)";
            transaction.execute(absent, [id]).map_err(Error::of)?;
            let deed = |action| Deed::new(by, action, id, "-");
            let deed = match ruling {
                Ruling::Suspend { status, reason } => {
                    let sql =
                        "UPDATE tenant_runtime_state SET suspended = 1, deny_status = ?2, deny_reason = ?3
                               WHERE tenant_id = ?1";
                    transaction.execute(sql, (id, status, reason)).map_err(Error::of)?;
                    deed("tenant.suspend").fact("status", *status).fact("reason", reason.as_str())
                }
                Ruling::Resume => {
                    let sql = "UPDATE tenant_runtime_state SET enabled = 1, suspended = 0, deny_status = 0,
                                   deny_reason = '' WHERE tenant_id = ?1";
                    transaction.execute(sql, [id]).map_err(Error::of)?;
                    deed("tenant.resume")
                }
                Ruling::SecretsUse(takes) => {
                    let sql =
                        "UPDATE tenant_runtime_state SET explicit_secrets_use = ?2 WHERE tenant_id = ?1";
                    transaction.execute(sql, (id, *takes == SecretsUse::Explicit)).map_err(Error::of)?;
                    deed("tenant.settings").fact("secrets_use", takes.word())
                }
                Ruling::Limit(Limits { rate, burst, concurrency, upstream_calls }) => {
                    let sql = "UPDATE tenant_runtime_state SET rate_limit_rps = COALESCE(?2, rate_limit_rps),
                                   rate_burst = COALESCE(?3, rate_burst),
                                   concurrency_limit = COALESCE(?4, concurrency_limit),
                                   upstream_calls_limit = COALESCE(?5, upstream_calls_limit)
                               WHERE tenant_id = ?1";
                    let limits = (id, rate, burst, concurrency, upstream_calls);
                    transaction.execute(sql, limits).map_err(Error::of)?;
                    let said = [
                        ("rate", rate),
                        ("burst", burst),
                        ("concurrency", concurrency),
                        ("upstream_calls", upstream_calls),
                    ];
                    let said = said.into_iter().filter_map(|(name, limit)| Some((name, (*limit)?)));
                    said.fold(deed("tenant.limits"), |deed, (name, limit)| deed.fact(name, limit))
                }
            };
            writing.record(&deed)?;
            Ok(())
        })
    }
}

fn state(row: &Row<'_>) -> rusqlite::Result<Option<(TenantId, TenantRuntime)>> {
    let id: String = row.get(0)?;
    let number = |at| row.get::<_, i64>(at).map(|number| u32::try_from(number.max(0)).unwrap_or(u32::MAX));
    let state = TenantRuntime {
        suspended: row.get(1)?,
        deny_status: u16::try_from(number(2)?).unwrap_or(0),
        deny_reason: row.get(3)?,
        rate: number(4)?,
        burst: number(5)?,
        concurrency: number(6)?,
        upstream_calls: number(7)?,
        secrets_use: if row.get(8)? { SecretsUse::Explicit } else { SecretsUse::Implied },
    };
    Ok(TenantId::parse(&id).ok().map(|id| (id, state)))
}
