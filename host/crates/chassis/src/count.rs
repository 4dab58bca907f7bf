//! What rules did, counted: uses of secrets for the audit, and totals for those who watch.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use foldhash::quality::RandomState;
use jiff::Timestamp;
use model::{SecretName, TenantId, TenantSlug};

use crate::trace::{SecretUse, Step};

/// How many different uses of one minute are kept apart. A destination can be of a client's
/// choosing, so what comes after them is counted together.
const MOST_APART: usize = 10_000;
/// How the uses beyond are told.
const TOGETHER: &str = "(others)";

/// Uses of a secret in one minute that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Use {
    /// The minute: Unix seconds of its beginning.
    pub minute: i64,
    /// Whose secret.
    pub tenant: TenantId,
    /// Its name.
    pub secret: SecretName,
    /// The version that was used; 0 when none was.
    pub version: u32,
    /// Who used it: an op, or `http`.
    pub op: String,
    /// Where it went; `-` when it went into an op.
    pub destination: String,
    /// `ok`, or the code of why not.
    pub outcome: &'static str,
}

/// A number that only grows, by what it is about.
pub type Totals<K> = BTreeMap<K, u64>;

/// What is counted for as long as the chassis runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Declared secrets of rules that ran, by tenant, name and outcome.
    pub secrets: Totals<(TenantSlug, SecretName, &'static str)>,
    /// Requests, by tenant and how they ended.
    pub requests: Totals<(TenantSlug, &'static str)>,
    /// Rules that failed, by tenant and code.
    pub failed_rules: Totals<(TenantSlug, &'static str)>,
}

/// The counts of a running chassis.
#[derive(Default)]
pub(crate) struct Counts {
    uses: Mutex<HashMap<Use, u64, RandomState>>,
    totals: Mutex<Counted>,
}

impl Counts {
    /// The secrets of a step were opened: counts them now, for the client may leave before
    /// the rule ends. They are `ok`, also when what they were opened for fails later.
    pub(crate) fn opened(&self, tenant: &TenantId, slug: &TenantSlug, step: &Step) {
        self.secrets(tenant, slug, step, |used| used.version.map(|_| "ok"));
    }

    /// A rule has run: counts the secrets that it declared and did not get, and its failure.
    pub(crate) fn ended(&self, tenant: &TenantId, slug: &TenantSlug, step: &Step) {
        self.secrets(tenant, slug, step, |used| used.version.is_none().then(|| why_not(used, step)));
        if let Some(failure) = &step.failure {
            let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
            *totals.failed_rules.entry((slug.clone(), failure.fault.code())).or_default() += 1;
        }
    }

    fn secrets(
        &self,
        tenant: &TenantId,
        slug: &TenantSlug,
        step: &Step,
        outcome: impl Fn(&SecretUse) -> Option<&'static str>,
    ) {
        for used in &step.secrets {
            let Some(outcome) = outcome(used) else { continue };
            let (op, destination) = parties(used, step);
            tracing::debug!(
                tenant_id = %tenant,
                secret_name = %used.name,
                version = used.version,
                mode = used.mode,
                op,
                destination,
                rule = %step.rule,
                outcome,
                "secret_materialize"
            );
            let total = (slug.clone(), used.name.clone(), outcome);
            *self.totals.lock().unwrap_or_else(PoisonError::into_inner).secrets.entry(total).or_default() +=
                1;
            let one = Use {
                minute: minute_of(step.started),
                tenant: tenant.clone(),
                secret: used.name.clone(),
                version: used.version.unwrap_or(0),
                op: op.to_owned(),
                destination: destination.to_owned(),
                outcome,
            };
            self.add(one, 1);
        }
    }

    /// A request has ended.
    pub(crate) fn request(&self, slug: &TenantSlug, ended: &'static str) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        *totals.requests.entry((slug.clone(), ended)).or_default() += 1;
    }

    pub(crate) fn give_back(&self, uses: Vec<(Use, u64)>) {
        uses.into_iter().for_each(|(one, count)| self.add(one, count));
    }

    fn add(&self, mut one: Use, count: u64) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() >= MOST_APART && !uses.contains_key(&one) {
            TOGETHER.clone_into(&mut one.op);
            TOGETHER.clone_into(&mut one.destination);
        }
        *uses.entry(one).or_default() += count;
    }

    /// Takes the uses of all minutes before `now`'s, or with no moment all there are, in order.
    pub(crate) fn take_uses(&self, now: Option<Timestamp>) -> Vec<(Use, u64)> {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, running) = std::mem::take(&mut *uses)
            .into_iter()
            .partition(|(one, _)| now.is_none_or(|now| one.minute < minute_of(now)));
        *uses = running;
        drop(uses);
        let mut over: Vec<_> = HashMap::into_iter(over).collect();
        over.sort();
        over
    }

    pub(crate) fn totals(&self) -> Counted {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_second() - time.as_second().rem_euclid(60)
}

fn why_not(used: &SecretUse, step: &Step) -> &'static str {
    match &step.failure {
        // Another one of the rule's was not to be had; this one was not tried.
        Some(failure) if failure.secret.as_ref().is_some_and(|name| *name != used.name) => "not_opened",
        Some(failure) => failure.fault.code(),
        None => "not_opened",
    }
}

/// Who used it, and where it went. Never the URL: its path and query are the rule's own.
fn parties<'a>(used: &'a SecretUse, step: &'a Step) -> (&'a str, &'a str) {
    if step.transport == "http" { ("http", &*used.destination) } else { (&*step.operation, "-") }
}

#[cfg(test)]
mod tests {
    use model::{Failure, Fault, Path, Slot};

    use super::*;

    fn step(secrets: &[(&str, Option<u32>)], failure: Option<Failure>) -> Step {
        let used = |(name, version): &(&str, Option<u32>)| SecretUse {
            slot: Slot::new(Path::parse("headers.x").unwrap()).unwrap(),
            name: SecretName::parse(name).unwrap(),
            version: *version,
            mode: "splice",
            destination: "https://api.vendor.com".into(),
        };
        Step {
            stack: model::StackName::parse("web").unwrap(),
            scope: 100,
            rule: "call".into(),
            operation: "https://api.vendor.com/?token=of-the-rule".into(),
            transport: "http",
            started: Timestamp::from_second(125).unwrap(),
            elapsed: std::time::Duration::ZERO,
            secrets: secrets.iter().map(used).collect(),
            notes: Vec::new(),
            log: Vec::new(),
            failure,
            gone_on_after: None,
            broken_off: false,
        }
    }

    fn count(counts: &Counts, step: &Step) {
        let (tenant, slug) = (TenantId::parse("tnt_a").unwrap(), TenantSlug::parse("acme").unwrap());
        counts.opened(&tenant, &slug, step);
        counts.ended(&tenant, &slug, step);
    }

    #[test]
    fn a_minutes_uses_are_one_until_the_minute_is_over() {
        let counts = Counts::default();
        for _ in 0..3 {
            count(&counts, &step(&[("A", Some(2))], None));
        }
        assert_eq!(counts.take_uses(Timestamp::from_second(179).ok()), []);
        let taken = counts.take_uses(Timestamp::from_second(180).ok());
        let [(used, times)] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!((used.minute, used.version, used.outcome, *times), (120, 2, "ok", 3));
        assert_eq!((used.op.as_str(), &*used.destination), ("http", "https://api.vendor.com"));
        assert_eq!(counts.take_uses(None), []);
    }

    #[test]
    fn a_secret_that_failed_is_told_from_those_not_tried() {
        let counts = Counts::default();
        let name = SecretName::parse("B").unwrap();
        let failure = Failure::new(Fault::SecretNotFound, "no").about(name);
        count(&counts, &step(&[("A", Some(1)), ("B", None), ("C", None)], Some(failure)));
        let off = Failure::new(Fault::SecretStoreUnavailable, "off");
        count(&counts, &step(&[("A", None)], Some(off)));
        let outcomes: Vec<_> =
            counts.totals().secrets.into_keys().map(|(_, n, o)| (n.to_string(), o)).collect();
        let expected =
            [("A", "ok"), ("A", "secret_store_unavailable"), ("B", "secret_not_found"), ("C", "not_opened")];
        assert_eq!(outcomes, expected.map(|(n, o)| (n.to_owned(), o)));
    }

    #[test]
    fn a_client_that_chooses_destinations_fills_no_memory() {
        let counts = Counts::default();
        let mut step = step(&[("A", Some(1))], None);
        for n in 0..=MOST_APART {
            step.secrets[0].destination = format!("https://{n}.example").into();
            count(&counts, &step);
        }
        count(&counts, &step);
        let taken = counts.take_uses(None);
        assert_eq!(taken.len(), MOST_APART + 1);
        let together: Vec<_> = taken.iter().filter(|(one, _)| one.destination == TOGETHER).collect();
        assert_eq!((together.len(), together[0].1), (1, 2));
    }
}
