//! Places: how many ops of one tenant, and how many large ops of all, go on at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::TenantSlug;
use tokio::sync::{OwnedSemaphorePermit as Permit, Semaphore};

/// A place, until it is dropped.
pub(crate) struct Taken {
    _tenants: Permit,
    _shared: Option<Permit>,
}

/// So many places for each tenant.
pub(crate) struct Places {
    each: usize,
    tenants: Mutex<BTreeMap<TenantSlug, Arc<Semaphore>>>,
}

impl Places {
    pub(crate) fn new(each: usize) -> Self {
        Self { each, tenants: Mutex::default() }
    }

    /// Waits for one of the tenant's; nothing when there are no more.
    pub(crate) async fn take(&self, tenant: &TenantSlug) -> Option<Taken> {
        Some(Taken { _tenants: self.of(tenant).acquire_owned().await.ok()?, _shared: None })
    }

    fn of(&self, tenant: &TenantSlug) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = tenants.get(tenant) {
            return Arc::clone(places); // The slug is copied once.
        }
        Arc::clone(tenants.entry(tenant.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

/// Places for large ops, which all tenants share.
///
/// A tenant first waits among its own calls for one of its places, of which there is one less
/// than there are in all; then among tenants. So one that asks without end leaves a place to
/// the others, and what it has waiting holds nothing that its small ops need.
pub(crate) struct LargePlaces {
    each: Places,
    all: Arc<Semaphore>,
}

impl LargePlaces {
    pub(crate) fn new(all: usize) -> Self {
        Self { each: Places::new(all.saturating_sub(1).max(1)), all: Arc::new(Semaphore::new(all)) }
    }

    /// Waits for a place; whoever waits longest is next.
    pub(crate) async fn take(&self, tenant: &TenantSlug) -> Option<Taken> {
        let tenants = self.each.take(tenant).await?;
        let shared = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Taken { _shared: Some(shared), ..tenants })
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn tenant(slug: &str) -> TenantSlug {
        TenantSlug::parse(slug).unwrap()
    }

    fn now<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_tenant_has_so_many() {
        let (places, acme, other) = (Places::new(2), tenant("acme"), tenant("other"));
        let take = |tenant| now(&mut Box::pin(places.take(tenant))).flatten();
        let (first, second) = (take(&acme), take(&acme));
        assert!(first.is_some() && second.is_some() && take(&acme).is_none() && take(&other).is_some());
        drop(first);
        assert!(take(&acme).is_some());
    }

    #[test]
    fn one_tenant_leaves_a_place_for_large_ops_to_the_others() {
        let (places, acme, other) = (LargePlaces::new(4), tenant("acme"), tenant("other"));
        let mut calls: Vec<_> = (0..100).map(|_| Box::pin(places.take(&acme))).collect();
        let running: Vec<_> = calls.iter_mut().filter_map(now).flatten().collect();
        assert_eq!(running.len(), 3);
        assert!(now(&mut Box::pin(places.take(&other))).flatten().is_some());
    }

    #[test]
    fn where_only_one_may_run_tenants_take_turns() {
        let (places, acme, other) = (LargePlaces::new(1), tenant("acme"), tenant("other"));
        let mut calls: Vec<_> = (0..100).map(|_| Box::pin(places.take(&acme))).collect();
        let mut running: Vec<_> = calls.iter_mut().map(now).collect();
        let mut others = Box::pin(places.take(&other));
        assert!(
            running[0].is_some() && running[1..].iter().all(Option::is_none) && now(&mut others).is_none()
        );
        running[0] = None;
        // All that waited hear of it, and those of the other tenant's are first.
        assert!(calls[1..].iter_mut().all(|call| now(call).is_none()));
        assert!(now(&mut others).flatten().is_some());
    }
}
