//! Tenants: found, listed, created.

use model::TenantSlug;
use store::Tenant;

use super::Actor;
use super::Admin;
use super::error::AdminError;
use super::secrets::Secrets;

impl Admin {
    /// All tenants, by slug.
    ///
    /// # Errors
    /// [`AdminError::Store`].
    pub(crate) fn tenants(&self) -> Result<Vec<Tenant>, AdminError> {
        Ok(self.store.tenants()?)
    }

    /// Creates a tenant.
    ///
    /// # Errors
    /// [`AdminError`]: `invalid_slug`, `reserved_slug`, `tenant_slug_taken`.
    pub(crate) fn create_tenant(
        &self,
        actor: &Actor,
        slug: &str,
        name: Option<&str>,
    ) -> Result<Tenant, AdminError> {
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

    /// The secrets of `tenant`, as `actor` may handle them.
    ///
    /// # Errors
    /// [`AdminError::StoreOff`].
    pub(crate) fn secrets<'a>(
        &'a self,
        tenant: &'a Tenant,
        actor: &'a Actor,
    ) -> Result<Secrets<'a>, AdminError> {
        let vault = self.vault.as_deref().ok_or(AdminError::StoreOff)?;
        let (store, bounds, demand) = (&self.store, self.bounds, self.demand);
        Ok(Secrets { vault, store, tenant: &tenant.id, actor, bounds, demand })
    }
}
