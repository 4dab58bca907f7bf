//! The rooms below, as a running request reaches them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::TenantSlug;
use tokio::sync::Semaphore;
use vault::LateVault;

use crate::count::Counts;
use crate::life::Life;
use crate::registry::Registry;
use crate::settings::Settings;

/// Everything a rule may need, and nothing of the request itself.
pub(crate) struct Rooms {
    pub(crate) vault: LateVault,
    pub(crate) egress: egress::Client,
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    pub(crate) counts: Counts,
    pub(crate) life: Life,
    pub(crate) places: Mutex<BTreeMap<TenantSlug, Arc<Semaphore>>>,
    /// Each tenant's places for requests to upstreams.
    pub(crate) callers: Mutex<BTreeMap<TenantSlug, Arc<Semaphore>>>,
    /// All tenants' places for large ops. Whoever waits longest is next, and a tenant has no
    /// more waiting than places of its own.
    pub(crate) large_places: Arc<Semaphore>,
}

impl Rooms {
    /// A tenant's places for long-running ops.
    pub(crate) fn places(&self, tenant: &TenantSlug) -> Arc<Semaphore> {
        of_tenant(&self.places, tenant, self.settings.blocking_ops)
    }

    /// A tenant's places for requests to upstreams.
    pub(crate) fn calls(&self, tenant: &TenantSlug) -> Arc<Semaphore> {
        of_tenant(&self.callers, tenant, self.settings.calls)
    }
}

fn of_tenant(
    places: &Mutex<BTreeMap<TenantSlug, Arc<Semaphore>>>,
    tenant: &TenantSlug,
    count: usize,
) -> Arc<Semaphore> {
    let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(places) = places.get(tenant) {
        return Arc::clone(places);
    }
    Arc::clone(places.entry(tenant.clone()).or_insert_with(|| Arc::new(Semaphore::new(count))))
}
