//! Tenants: found, listed, created.

use model::TenantSlug;
use store::Tenant;

use super::Admin;
use super::actor::{Actor, Need};
use super::error::AdminError;
use super::secrets::Secrets;

impl Admin {
    /// The tenants that `actor` belongs to, by slug.
    ///
    /// # Errors
    /// [`AdminError::Store`].
    pub(crate) fn tenants(&self, actor: &Actor) -> Result<Vec<Tenant>, AdminError> {
        let mut all = self.store.tenants()?;
        all.retain(|tenant| actor.belongs_to(&tenant.id));
        Ok(all)
    }

    /// Creates a tenant.
    ///
    /// # Errors
    /// [`AdminError`]: `capability_denied`, `invalid_slug`, `reserved_slug`, `tenant_slug_taken`.
    pub(crate) fn create_tenant(
        &self,
        actor: &Actor,
        slug: &str,
        name: Option<&str>,
    ) -> Result<Tenant, AdminError> {
        actor.must_rule_all()?;
        let slug = TenantSlug::parse(slug).map_err(|e| AdminError::InvalidSlug(e.rule.to_owned()))?;
        if slug.is_reserved() {
            return Err(AdminError::ReservedSlug);
        }
        self.store.create_tenant(&slug, name, actor.by()).map_err(|error| {
            if matches!(error, store::Error::Taken) {
                AdminError::SlugTaken
            } else {
                AdminError::Store(error)
            }
        })
    }

    /// The tenant called `slug`.
    ///
    /// # Errors
    /// [`AdminError::TenantNotFound`], also for a text that is no slug.
    pub(crate) fn tenant(&self, slug: &str) -> Result<Tenant, AdminError> {
        let missing = || AdminError::TenantNotFound(slug.chars().take(63).collect());
        let parsed = TenantSlug::parse(slug).map_err(|_| missing())?;
        self.store.tenant_by_slug(&parsed)?.ok_or_else(missing)
    }

    /// The secrets of `tenant`, as `actor` may handle them; `need` is what they come for,
    /// asked before anything else is told. Each use-case asks again, for its name.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::StoreOff`].
    pub(crate) fn secrets<'a>(
        &'a self,
        tenant: &'a Tenant,
        actor: &'a Actor,
        need: Need<'_>,
    ) -> Result<Secrets<'a>, AdminError> {
        actor.may(&tenant.id, need)?;
        let vault = self.vault.get().ok_or(AdminError::StoreOff)?;
        let (store, bounds, demand) = (&self.store, self.bounds, self.demand);
        let chassis = self.ops.chassis();
        Ok(Secrets { vault, store, chassis, tenant: &tenant.id, actor, bounds, demand })
    }
}
