//! The hosts of a tenant: bound to a stack, and let go.

use model::{Hostname, StackName};
use store::{HostnameRecord, Store, Tenant};

use super::actor::{Actor, Need};
use super::applied::Applied;
use super::error::AdminError;

/// The hosts of one tenant, handled by one actor.
pub(crate) struct Hostnames<'a> {
    pub(super) store: &'a Store,
    pub(super) applied: &'a Applied,
    pub(super) tenant: &'a Tenant,
    pub(super) actor: &'a Actor,
}

impl Hostnames<'_> {
    /// Whether `actor` may, before what they say is looked at.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn may(&self, need: Need<'_>) -> Result<(), AdminError> {
        self.actor.may(&self.tenant.id, need)
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn list(&self) -> Result<Vec<HostnameRecord>, AdminError> {
        self.may(Need::HOSTNAMES_READ)?;
        Ok(self.store.hostnames(Some(&self.tenant.id))?)
    }

    /// Sends the requests of a host to a stack from now on; without one, to the only stack.
    ///
    /// # Errors
    /// [`AdminError`]: the host, the stack, `hostname_taken`.
    pub(crate) fn bind(&self, hostname: &str, stack: Option<&str>) -> Result<HostnameRecord, AdminError> {
        self.may(Need::HOSTNAMES_WRITE)?;
        let hostname = parsed(hostname)?;
        let stack = stack.filter(|stack| !stack.is_empty()).map(StackName::parse).transpose();
        let stack = stack.map_err(|e| AdminError::InvalidStack(e.rule.to_owned()))?;
        let (tenant, by) = (&self.tenant.id, self.actor.by());
        self.store.bind_hostname(tenant, &hostname, stack.as_ref(), by)?;
        self.applied.renew_changed()?;
        let all = self.store.hostnames(Some(tenant))?;
        all.into_iter().find(|one| one.hostname == hostname).ok_or(AdminError::Internal)
    }

    /// Lets a host go.
    ///
    /// # Errors
    /// [`AdminError`]: the host, `hostname_not_found`.
    pub(crate) fn release(&self, hostname: &str) -> Result<(), AdminError> {
        self.may(Need::HOSTNAMES_WRITE)?;
        self.store.release_hostname(&self.tenant.id, &parsed(hostname)?, self.actor.by())?;
        Ok(self.applied.renew_changed()?)
    }
}

fn parsed(hostname: &str) -> Result<Hostname, AdminError> {
    Hostname::parse(hostname).map_err(|e| AdminError::InvalidHostname(e.rule.to_owned()))
}
