//! How many requests to upstreams each tenant has under way, and may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::TenantId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::admission::Terms;

/// The places of all tenants for requests to upstreams.
pub(crate) struct Callers {
    /// How many a tenant has whose terms say nothing.
    usual: usize,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    /// Of the tenants whose terms say something.
    limits: HashMap<TenantId, usize>,
    /// Of the tenants that called somebody.
    places: HashMap<TenantId, Arc<Calls>>,
}

/// A tenant's.
pub(crate) struct Calls {
    free: Arc<Semaphore>,
    now: Mutex<Now>,
}

struct Now {
    limit: usize,
    /// How many are in use that will not be free again: the limit was lowered meanwhile.
    owed: usize,
}

/// A place, taken.
pub(crate) struct Call {
    permit: Option<OwnedSemaphorePermit>,
    of: Arc<Calls>,
}

impl Callers {
    pub(crate) fn new(usual: usize) -> Self {
        Self { usual, all: Mutex::default() }
    }

    /// From now on these terms hold. Who waits for a place goes on waiting, what is under way
    /// goes on and is counted on.
    pub(crate) fn rule(&self, terms: &HashMap<TenantId, Terms>) {
        let said = |terms: &Terms| usize::try_from(terms.upstream_calls).ok().filter(|limit| *limit > 0);
        let mut all = self.all();
        all.limits = terms.iter().filter_map(|(id, terms)| Some((id.clone(), said(terms)?))).collect();
        for (tenant, places) in &all.places {
            places.hold_to(all.limits.get(tenant).copied().unwrap_or(self.usual));
        }
    }

    /// Those of a tenant.
    pub(crate) fn of(&self, tenant: &TenantId) -> Arc<Calls> {
        let mut all = self.all();
        if let Some(places) = all.places.get(tenant) {
            return Arc::clone(places);
        }
        let places = Arc::new(Calls::new(all.limits.get(tenant).copied().unwrap_or(self.usual)));
        all.places.insert(tenant.clone(), Arc::clone(&places));
        places
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    fn new(limit: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(limit)), now: Mutex::new(Now { limit, owed: 0 }) }
    }

    /// Takes one, when one is free; who asked first is next.
    pub(crate) async fn take(self: Arc<Self>) -> Result<Call, AcquireError> {
        let permit = Arc::clone(&self.free).acquire_owned().await?;
        Ok(Call { permit: Some(permit), of: self })
    }

    /// How many there are.
    pub(crate) fn limit(&self) -> usize {
        self.now().limit
    }

    fn hold_to(&self, limit: usize) {
        let mut now = self.now();
        if let Some(more) = limit.checked_sub(now.limit) {
            let forgiven = more.min(now.owed);
            now.owed -= forgiven;
            self.free.add_permits(more - forgiven);
        } else {
            let fewer = now.limit - limit;
            now.owed += fewer - self.free.forget_permits(fewer);
        }
        now.limit = limit;
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Given back while nobody can change the limit: what is owed is counted once.
        let mut now = self.of.now();
        let Some(permit) = self.permit.take() else { return };
        if now.owed > 0 {
            now.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn tenant() -> TenantId {
        TenantId::parse("tnt_a").unwrap()
    }

    fn terms(upstream_calls: u32) -> HashMap<TenantId, Terms> {
        HashMap::from([(tenant(), Terms { upstream_calls, ..Terms::default() })])
    }

    fn take(callers: &Callers) -> Option<Call> {
        match pin!(callers.of(&tenant()).take()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken.unwrap()),
            Poll::Pending => None,
        }
    }

    /// As many as are free.
    fn all(callers: &Callers) -> Vec<Call> {
        std::iter::from_fn(|| take(callers)).take(100).collect()
    }

    #[test]
    fn a_tenant_has_what_its_terms_say_or_what_is_usual() {
        let callers = Callers::new(3);
        assert_eq!(all(&callers).len(), 3);
        callers.rule(&terms(2));
        assert_eq!((all(&callers).len(), callers.of(&tenant()).limit()), (2, 2));
        callers.rule(&terms(7));
        assert_eq!(all(&callers).len(), 7, "more than usual, when somebody says so");
        callers.rule(&terms(0));
        assert_eq!(all(&callers).len(), 3);
        let later = Callers::new(3);
        later.rule(&terms(1));
        assert_eq!(all(&later).len(), 1, "also of who calls for the first time");
    }

    #[test]
    fn what_is_under_way_is_counted_on_under_a_lower_limit() {
        let callers = Callers::new(5);
        let mut under_way = all(&callers);
        callers.rule(&terms(2));
        for still in (2..5).rev() {
            under_way.pop();
            assert_eq!(under_way.len(), still);
            assert!(take(&callers).is_none(), "{still} of 2");
        }
        under_way.pop();
        assert!(take(&callers).is_some());
        // Raised again while places are owed.
        let callers = Callers::new(5);
        let under_way = all(&callers);
        callers.rule(&terms(1));
        callers.rule(&terms(4));
        assert!(take(&callers).is_none());
        drop(under_way);
        assert_eq!(all(&callers).len(), 4);
    }
}
