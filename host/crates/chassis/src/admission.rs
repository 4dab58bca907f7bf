//! Who is let in now: tenants may be suspended, and may have limits of their own.
//!
//! Asked when it is known whose a request is and before its body is read, so that a refused
//! one costs neither memory nor a rule nor a secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::TenantId;

/// What a tenant may have. The default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Why it gets nothing at all, when that is so.
    pub suspended: Option<Suspension>,
    /// Requests a second; 0 is no limit.
    pub rate: u32,
    /// Requests that may come at once when there were few before; 0 is as many as `rate`.
    pub burst: u32,
    /// Requests at the same time; 0 is no limit.
    pub concurrency: u32,
    /// Requests to upstreams under way at once; 0 is as many as the chassis's settings say.
    pub upstream_calls: u32,
}

/// What the requests of a suspended tenant are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// The status.
    pub status: u16,
    /// Why; may be empty.
    pub reason: String,
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The tenant is suspended.
    Suspended(Suspension),
    /// It sends more requests a second than it may; one will be let in after so long.
    TooFast(Duration),
    /// As many of its requests run as it may have.
    TooMany,
}

impl NotAdmitted {
    /// The code, for answers and counts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Suspended(_) => "tenant_suspended",
            Self::TooFast(_) => "tenant_rate_limited",
            Self::TooMany => "tenant_concurrency_limited",
        }
    }
}

/// A request that was let in: it counts as running for as long as this exists.
#[derive(Debug)]
pub struct Pass(#[expect(dead_code, reason = "its count is what counts")] Arc<()>);

/// The gates of all tenants.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    gates: Mutex<HashMap<TenantId, Gate>>,
}

#[derive(Debug)]
struct Gate {
    terms: Terms,
    /// One for the gate, and one for each request that runs.
    running: Arc<()>,
    /// How many requests may come now, as of `at`.
    ready: f64,
    at: Instant,
}

impl Gate {
    fn new(terms: Terms, now: Instant) -> Self {
        let ready = burst(&terms);
        Self { terms, running: Arc::default(), ready, at: now }
    }

    fn running(&self) -> usize {
        Arc::strong_count(&self.running).saturating_sub(1)
    }

    /// Whether as many run as may.
    fn is_full(&self) -> bool {
        let most = usize::try_from(self.terms.concurrency).unwrap_or(usize::MAX);
        most > 0 && self.running() >= most
    }

    fn listen(&self) -> Result<(), NotAdmitted> {
        match &self.terms.suspended {
            Some(suspension) => Err(NotAdmitted::Suspended(suspension.clone())),
            None => Ok(()),
        }
    }

    fn admit(&mut self, now: Instant) -> Result<Pass, NotAdmitted> {
        self.listen()?;
        if self.is_full() {
            return Err(NotAdmitted::TooMany);
        }
        if self.terms.rate > 0 {
            let rate = f64::from(self.terms.rate);
            let since = now.saturating_duration_since(self.at).as_secs_f64();
            self.ready = since.mul_add(rate, self.ready).min(burst(&self.terms));
            self.at = now;
            if self.ready < 1.0 {
                return Err(NotAdmitted::TooFast(Duration::from_secs_f64((1.0 - self.ready) / rate)));
            }
            self.ready -= 1.0;
        }
        Ok(Pass(Arc::clone(&self.running)))
    }
}

fn burst(terms: &Terms) -> f64 {
    f64::from(if terms.burst == 0 { terms.rate } else { terms.burst })
}

impl Admissions {
    /// From now on these terms hold, and none for who is not among them. Requests that run
    /// go on, and are counted on.
    pub(crate) fn rule(&self, mut all: HashMap<TenantId, Terms>, now: Instant) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenant, gate) in gates.iter_mut() {
            let terms = all.remove(tenant).unwrap_or_default();
            // Whoever had no rate before, or another, begins with what the new one gives.
            if (terms.rate, terms.burst) != (gate.terms.rate, gate.terms.burst) {
                (gate.ready, gate.at) = (burst(&terms), now);
            }
            gate.terms = terms;
        }
        gates.extend(all.into_iter().map(|(tenant, terms)| (tenant, Gate::new(terms, now))));
    }

    /// Lets a request of `tenant` in.
    pub(crate) fn admit(&self, tenant: &TenantId, now: Instant) -> Result<Pass, NotAdmitted> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get_mut(tenant) {
            return gate.admit(now);
        }
        gates.entry(tenant.clone()).or_insert_with(|| Gate::new(Terms::default(), now)).admit(now)
    }

    /// Whether somebody of `tenant` may ask for an answer to an earlier request.
    pub(crate) fn listen(&self, tenant: &TenantId) -> Result<(), NotAdmitted> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.get(tenant).map_or(Ok(()), Gate::listen)
    }

    /// The tenants of whom as many run as may.
    pub(crate) fn full(&self) -> Vec<TenantId> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().filter(|(_, gate)| gate.is_full()).map(|(tenant, _)| tenant.clone()).collect()
    }

    /// Counts a request of `tenant` that was let in once and goes on, unless as many run as may.
    pub(crate) fn go_on(&self, tenant: &TenantId, now: Instant) -> Option<Pass> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(tenant.clone()).or_insert_with(|| Gate::new(Terms::default(), now));
        (!gate.is_full()).then(|| Pass(Arc::clone(&gate.running)))
    }

    /// How many requests run, by tenant.
    pub(crate) fn all_running(&self) -> Vec<(TenantId, usize)> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().map(|(tenant, gate)| (tenant.clone(), gate.running())).collect()
    }

    /// How many requests of `tenant` run.
    pub(crate) fn running(&self, tenant: &TenantId) -> usize {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.get(tenant).map_or(0, Gate::running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(&format!("tnt_{name}")).unwrap()
    }

    fn of_a(terms: Terms, now: Instant) -> Admissions {
        let admissions = Admissions::default();
        admissions.rule(HashMap::from([(tenant("a"), terms)]), now);
        admissions
    }

    #[test]
    fn who_has_no_terms_comes_in_and_is_counted() {
        let (admissions, now) = (Admissions::default(), Instant::now());
        let passes: Vec<_> = (0..1000).map(|_| admissions.admit(&tenant("a"), now).unwrap()).collect();
        assert_eq!((admissions.running(&tenant("a")), admissions.running(&tenant("b"))), (1000, 0));
        drop(passes);
        assert_eq!(admissions.running(&tenant("a")), 0);
    }

    #[test]
    fn a_suspended_tenant_is_out_and_no_other_is() {
        let (now, suspension) = (Instant::now(), Suspension { status: 402, reason: "unpaid".to_owned() });
        let admissions = of_a(Terms { suspended: Some(suspension.clone()), ..Terms::default() }, now);
        let refused = admissions.admit(&tenant("a"), now).unwrap_err();
        assert_eq!((&refused, refused.code()), (&NotAdmitted::Suspended(suspension), "tenant_suspended"));
        assert!(admissions.admit(&tenant("b"), now).is_ok());
        admissions.rule(HashMap::new(), now);
        assert!(admissions.admit(&tenant("a"), now).is_ok(), "resumed");
    }

    #[test]
    fn at_its_limit_a_tenant_comes_in_and_one_above_it_waits_for_an_end() {
        let now = Instant::now();
        let admissions = of_a(Terms { concurrency: 2, ..Terms::default() }, now);
        let one = admissions.admit(&tenant("a"), now).unwrap();
        let _two = admissions.admit(&tenant("a"), now).unwrap();
        assert_eq!(admissions.admit(&tenant("a"), now).unwrap_err(), NotAdmitted::TooMany);
        drop(one);
        let _three = admissions.admit(&tenant("a"), now).unwrap();
        // Those that run are counted on under other terms.
        admissions.rule(HashMap::from([(tenant("a"), Terms { concurrency: 1, ..Terms::default() })]), now);
        assert_eq!(admissions.admit(&tenant("a"), now).unwrap_err(), NotAdmitted::TooMany);
    }

    #[test]
    fn what_goes_on_takes_a_place_and_who_asks_for_an_answer_takes_none() {
        let now = Instant::now();
        let admissions = of_a(Terms { concurrency: 2, rate: 1, ..Terms::default() }, now);
        let one = admissions.go_on(&tenant("a"), now).unwrap();
        assert!(admissions.full().is_empty());
        let _two = admissions.go_on(&tenant("a"), now).unwrap();
        assert!(admissions.go_on(&tenant("a"), now).is_none(), "never one too many");
        assert_eq!(admissions.full(), [tenant("a")]);
        assert_eq!(admissions.admit(&tenant("a"), now).unwrap_err(), NotAdmitted::TooMany);
        assert!(
            (0..10)
                .all(|_| admissions.listen(&tenant("a")).is_ok() && admissions.listen(&tenant("b")).is_ok())
        );
        drop(one);
        assert!(admissions.full().is_empty());
        assert!(admissions.admit(&tenant("a"), now).is_ok(), "the one of this second is still there");
        let suspended = Some(Suspension { status: 403, reason: String::new() });
        admissions.rule(HashMap::from([(tenant("a"), Terms { suspended, ..Terms::default() })]), now);
        assert_eq!(admissions.listen(&tenant("a")).unwrap_err().code(), "tenant_suspended");
    }

    #[test]
    fn a_rate_gives_its_burst_and_then_one_after_the_other() {
        let now = Instant::now();
        let admissions = of_a(Terms { rate: 10, burst: 3, ..Terms::default() }, now);
        for _ in 0..3 {
            assert!(admissions.admit(&tenant("a"), now).is_ok());
        }
        let refused = admissions.admit(&tenant("a"), now).unwrap_err();
        assert_eq!(refused, NotAdmitted::TooFast(Duration::from_millis(100)));
        let later = now + Duration::from_millis(101);
        assert!(admissions.admit(&tenant("a"), later).is_ok());
        assert!(admissions.admit(&tenant("a"), later).is_err());
        let much_later = now + Duration::from_secs(60);
        let let_in = (0..10).filter(|_| admissions.admit(&tenant("a"), much_later).is_ok()).count();
        assert_eq!(let_in, 3, "never more than the burst");
    }
}
