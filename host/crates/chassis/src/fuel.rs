//! What a request has used of its budget.
//!
//! Checked before each thing that costs, not only at the next scope, so that one scope cannot
//! overspend (weakness E8).

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use foldhash::fast::RandomState;
use model::{Failure, Fault, Path, StackName, Value};

use crate::settings::Settings;

/// Entering a scope.
const STAGE: u64 = 10;
/// Going from one stage to another once more.
const AGAIN: u64 = 50;
/// Running what EXEC names.
pub(crate) const EXEC: u64 = 25;
/// Opening one secret for one rule.
pub(crate) const SECRET: u64 = 100;
/// A millisecond of an op.
const OP_MILLI: u64 = 10;
/// How many of the last steps from stage to stage a failure tells.
const TOLD: usize = 3;

/// The fuel of one request; the rules of a scope, which run at once, share it.
pub(crate) struct Fuel {
    most: u64,
    used: AtomicU64,
}

impl Fuel {
    /// A full tank of `most`; 0 is no limit.
    pub(crate) const fn new(most: u64) -> Self {
        Self { most, used: AtomicU64::new(0) }
    }

    /// The same, of which `used` was used before.
    pub(crate) fn having(self, used: u64) -> Self {
        Self { used: AtomicU64::new(used), ..self }
    }

    /// Pays `amount` for something that is about to be done.
    pub(crate) fn pay(&self, amount: u64) -> Result<(), Failure> {
        let used = self.used.fetch_add(amount, Relaxed).saturating_add(amount);
        if self.most > 0 && used > self.most {
            let detail = format!("fuel: {used} used of {} (--max-fuel-per-request)", self.most);
            return Err(Failure::new(Fault::BudgetExhausted, detail));
        }
        Ok(())
    }

    /// Pays for an op that has run; when that was too much, the next thing is not done.
    pub(crate) fn ran(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.used.fetch_add(millis.saturating_mul(OP_MILLI), Relaxed);
    }

    /// What was used so far.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }
}

/// The way of one request from stage to stage, and how far it may still go.
pub(crate) struct Way<'a> {
    fuel: &'a Fuel,
    penalty: Duration,
    /// Stage entries that are left, when they are counted.
    left: Option<u32>,
    at: Option<Stage>,
    gone: HashSet<Step, RandomState>,
    last: VecDeque<Step>,
}

/// A scope and the stack that owns it.
pub(crate) type Stage = (StackName, u32);
/// From where, unless it is the first one, and to where.
type Step = (Option<Stage>, Stage);

impl<'a> Way<'a> {
    pub(crate) fn new(fuel: &'a Fuel, settings: &Settings) -> Self {
        Self {
            fuel,
            penalty: settings.repeat_penalty,
            left: (settings.stage_entries > 0).then_some(settings.stage_entries),
            at: None,
            gone: HashSet::default(),
            last: VecDeque::new(),
        }
    }

    /// The way of a request that goes on at `stage`, with so many entries left.
    pub(crate) fn again(self, stage: Stage, left: Option<u32>) -> Self {
        Self { at: Some(stage), left: left.or(self.left), ..self }
    }

    /// Enters `stage`. The answer is how long to wait first: who goes in circles goes slowly.
    pub(crate) fn enter(&mut self, stage: Stage) -> Result<Duration, Failure> {
        if let Some(left) = self.left {
            self.left = Some(left.checked_sub(1).ok_or_else(|| {
                let detail = format!("no stage entries are left (--op-scope-ttl-max, @ttl), {}", self.told());
                Failure::new(Fault::BudgetExhausted, detail)
            })?);
        }
        let paid = self.fuel.pay(STAGE);
        let step = (self.at.replace(stage.clone()), stage);
        if self.last.len() == TOLD {
            self.last.pop_front();
        }
        self.last.push_back(step.clone());
        let again = !self.gone.insert(step);
        let paid = if again { paid.and_then(|()| self.fuel.pay(AGAIN)) } else { paid };
        paid.map_err(|failure| Failure {
            detail: format!("{}, {}", failure.detail, self.told()),
            ..failure
        })?;
        Ok(if again { self.penalty } else { Duration::ZERO })
    }

    /// Takes what rules said about `_txc.ttl`: it can only be lowered.
    pub(crate) fn lower(&mut self, said: &Value) -> Result<(), Failure> {
        let wrong = || Failure::new(Fault::RuleFailed, "_txc.ttl: expected a whole number, 0 or more");
        let number = said.as_i64().and_then(|n| u32::try_from(n.max(-1)).ok()).ok_or_else(wrong)?;
        self.left = Some(self.left.map_or(number, |left| left.min(number)));
        Ok(())
    }

    /// The stage that was entered last.
    pub(crate) const fn at(&self) -> Option<&Stage> {
        self.at.as_ref()
    }

    /// Stage entries that are left, when they are counted.
    pub(crate) const fn left(&self) -> Option<u32> {
        self.left
    }

    fn told(&self) -> String {
        let step = |(from, (to, scope)): &Step| match from {
            Some((from, left)) => format!("{from}/{left} to {to}/{scope}"),
            None => format!("{to}/{scope}"),
        };
        let steps: Vec<_> = self.last.iter().map(step).collect();
        format!("last steps: {}", steps.join(", "))
    }
}

/// Removes and gives what rules said about `_txc.ttl`.
pub(crate) fn said_ttl(envelope: &mut model::Envelope) -> Option<Value> {
    envelope.member(["_txc", "ttl"])?;
    envelope.remove(&Path::from_segments(["_txc", "ttl"]).ok()?).filter(|said| *said != Value::Null)
}

/// How many different secrets a rule asks for.
pub(crate) fn secrets(refs: &[model::SecretRef]) -> u64 {
    let mut names: Vec<&str> = refs.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    u64::try_from(names.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(scope: u32) -> Stage {
        (StackName::parse("a").unwrap(), scope)
    }

    fn settings(entries: u32) -> Settings {
        Settings { stage_entries: entries, repeat_penalty: Duration::from_millis(7), ..Settings::default() }
    }

    #[test]
    fn what_costs_more_than_is_left_is_not_done() {
        let fuel = Fuel::new(100);
        assert!(fuel.pay(60).is_ok() && fuel.pay(40).is_ok());
        let failure = fuel.pay(1).unwrap_err();
        assert_eq!(failure.fault, Fault::BudgetExhausted);
        assert!(failure.detail.contains("101 used of 100"), "{failure}");
        let endless = Fuel::new(0);
        endless.ran(Duration::from_secs(1));
        assert!(endless.pay(u64::from(u32::MAX)).is_ok());
        let fuel = Fuel::new(100);
        fuel.ran(Duration::from_millis(11));
        assert!(fuel.pay(EXEC).is_err());
    }

    #[test]
    fn who_goes_in_circles_pays_and_waits() {
        let fuel = Fuel::new(0);
        let mut way = Way::new(&fuel, &settings(0));
        for (scope, wait, used) in [(1, 0, 10), (2, 0, 20), (1, 0, 30), (2, 7, 90)] {
            assert_eq!(way.enter(stage(scope)).unwrap(), Duration::from_millis(wait), "{scope}");
            assert_eq!(fuel.used(), used);
        }
    }

    #[test]
    fn entries_end_and_can_only_be_lowered() {
        let fuel = Fuel::new(0);
        let mut way = Way::new(&fuel, &settings(3));
        way.lower(&Value::from(100_i64)).unwrap();
        assert_eq!(way.left(), Some(3));
        way.enter(stage(1)).unwrap();
        way.lower(&Value::from(1_i64)).unwrap();
        way.enter(stage(2)).unwrap();
        let failure = way.enter(stage(3)).unwrap_err();
        assert!(failure.detail.contains("a/1, a/1 to a/2"), "{failure}");
        for bad in [Value::from("x"), Value::from(-1_i64)] {
            assert_eq!(way.lower(&bad).unwrap_err().fault, Fault::RuleFailed);
        }
        let mut counted = Way::new(&fuel, &settings(0));
        counted.lower(&Value::from(0_i64)).unwrap();
        assert!(counted.enter(stage(1)).is_err());
    }
}
