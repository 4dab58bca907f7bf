//! Tenants kept within bounds: suspended, resumed, limited, for the next request.

use std::collections::HashMap;

use chassis::{Suspension, Terms};
use store::{Limits, Ruling, SecretsUse, Store, Tenant, TenantRuntime};

use super::Admin;
use super::actor::Actor;
use super::error::AdminError;

/// What a suspended tenant's requests answer, unless somebody chose another of these.
const SUSPENDED: u16 = 403;
/// The statuses to choose from: not paid, not allowed, not now.
const STATUSES: [u16; 3] = [402, SUSPENDED, 503];
/// The longest reason, in bytes: it travels in a header.
const MOST_REASON: usize = 200;
/// The highest limit.
const MOST: u32 = 1_000_000;

/// The terms of all tenants, as the database has them.
pub(super) fn terms(store: &Store) -> Result<HashMap<model::TenantId, Terms>, store::Error> {
    Ok(store.tenant_runtimes()?.into_iter().map(|(tenant, state)| (tenant, of(state))).collect())
}

fn of(state: TenantRuntime) -> Terms {
    let TenantRuntime {
        suspended, deny_status, deny_reason, rate, burst, concurrency, upstream_calls, ..
    } = state;
    let suspended = suspended.then(|| Suspension { status: status(deny_status), reason: deny_reason });
    Terms { suspended, rate, burst, concurrency, upstream_calls }
}

/// A status that refuses, whatever stands in a file.
fn status(said: u16) -> u16 {
    if STATUSES.contains(&said) { said } else { SUSPENDED }
}

/// A tenant, in the hands of somebody who rules all of them: there is no other way to one.
pub(crate) struct Governing<'a> {
    admin: &'a Admin,
    tenant: &'a Tenant,
    actor: &'a Actor,
}

impl Admin {
    /// What `actor` may do to `tenant`: everything, or not even look.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn governing<'a>(
        &'a self,
        tenant: &'a Tenant,
        actor: &'a Actor,
    ) -> Result<Governing<'a>, AdminError> {
        actor.must_rule_all()?;
        Ok(Governing { admin: self, tenant, actor })
    }
}

impl Governing<'_> {
    /// Its state, and how many of its requests run.
    ///
    /// # Errors
    /// [`AdminError::Store`].
    pub(crate) fn state(&self) -> Result<(TenantRuntime, usize), AdminError> {
        let mut state = self.admin.store.tenant_runtime(&self.tenant.id)?;
        if state.suspended {
            state.deny_status = status(state.deny_status);
        }
        Ok((state, self.admin.ops.chassis().running(&self.tenant.id)))
    }

    /// Suspends it; without a status, with 403.
    ///
    /// # Errors
    /// [`AdminError`]: `invalid_runtime`.
    pub(crate) fn suspend(&self, status: Option<u16>, reason: &str) -> Result<(), AdminError> {
        let status = status.unwrap_or(SUSPENDED);
        if !STATUSES.contains(&status) {
            return Err(AdminError::InvalidRuntime(format!("status must be one of {STATUSES:?}")));
        }
        if reason.len() > MOST_REASON || reason.chars().any(char::is_control) {
            let why = format!("reason may have {MOST_REASON} bytes, in one line");
            return Err(AdminError::InvalidRuntime(why));
        }
        self.govern(&Ruling::Suspend { status, reason: reason.to_owned() })
    }

    /// Lets its requests in again.
    ///
    /// # Errors
    /// [`AdminError::Store`].
    pub(crate) fn resume(&self) -> Result<(), AdminError> {
        self.govern(&Ruling::Resume)
    }

    /// Sets limits.
    ///
    /// # Errors
    /// [`AdminError`]: `invalid_runtime`.
    pub(crate) fn limit(&self, limits: Limits) -> Result<(), AdminError> {
        let Limits { rate, burst, concurrency, upstream_calls } = limits;
        let said = [rate, burst, concurrency, upstream_calls];
        if limits == Limits::default() {
            let why = "say a limit: rate_limit_rps, rate_burst, concurrency_limit or upstream_calls_limit; 0 ends it";
            return Err(AdminError::InvalidRuntime(why.to_owned()));
        }
        if said.iter().flatten().any(|limit| *limit > MOST) {
            return Err(AdminError::InvalidRuntime(format!("a limit is 0 to {MOST}")));
        }
        self.govern(&Ruling::Limit(limits))
    }

    /// Says what it takes to activate its rules when they name a new secret.
    ///
    /// # Errors
    /// [`AdminError`]: `invalid_runtime`.
    pub(crate) fn say_secrets_use(&self, word: &str) -> Result<(), AdminError> {
        let all = [SecretsUse::Implied, SecretsUse::Explicit];
        let wrong = || AdminError::InvalidRuntime("secrets_use must be implied or explicit".to_owned());
        let takes = all.into_iter().find(|one| one.word() == word).ok_or_else(wrong)?;
        self.govern(&Ruling::SecretsUse(takes))
    }

    fn govern(&self, ruling: &Ruling) -> Result<(), AdminError> {
        self.admin.store.rule_tenant(&self.tenant.id, ruling, self.actor.by())?;
        Ok(self.admin.applied.govern()?)
    }
}
