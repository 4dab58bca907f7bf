//! Requests that may be asked to wait with a credential in their envelope, found without running
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{StackName, Value};
use txcl::{Leads, Rule};

use crate::ruleset::{File, RuleSet};
use crate::walk::{Next, jump};
use crate::workspace::Misplaced;

/// A rule that waits where a credential may be.
struct Meeting {
    told: Misplaced,
    certain: bool,
}

/// A rule that makes a credential.
struct Maker {
    place: String,
    /// Whether every request that comes to the scope behind it has passed it.
    certain: bool,
}

/// A rule whose job joins at a later scope.
struct Later<'r> {
    file: &'r Arc<File>,
    rule: &'r Rule,
    at: u32,
    /// Whether every request that comes to that scope has passed it.
    certain: bool,
}

impl Meeting {
    fn of(file: &File, does: &str, maker: &Maker) -> Self {
        let has = if maker.certain { "has put" } else { "may have put" };
        let message = format!("{does}, and {} {has} a credential into the envelope", maker.place);
        let hint = "a credential cannot wait: use it and @delete it before, or let the rule name the \
                    secret itself";
        let told = Misplaced { path: file.path.clone(), message, hint: hint.to_owned() };
        Self { told, certain: maker.certain }
    }

    /// Kept under its rule, unless that has a worse one.
    fn keep(self, rule: &Rule, found: &mut BTreeMap<(String, String), Self>) {
        let key = (self.told.path.clone(), rule.name().to_owned());
        if self.certain || !found.contains_key(&key) {
            found.insert(key, self);
        }
    }
}

impl RuleSet {
    /// Rules that wait for a worker behind a rule that makes a credential, or beside it: a
    /// request in which both apply fails with `credential_cannot_wait`. Where something is
    /// deleted in between nobody knows, and nothing is said.
    #[must_use]
    pub fn cannot_wait(&self) -> Vec<Misplaced> {
        self.meetings().filter(|meeting| !meeting.certain).map(|meeting| meeting.told).collect()
    }

    /// Those of them where no WHEN keeps the two apart, so that every request fails.
    pub(crate) fn never_wait(&self) -> impl Iterator<Item = Misplaced> {
        self.meetings().filter(|meeting| meeting.certain).map(|meeting| meeting.told)
    }

    fn meetings(&self) -> impl Iterator<Item = Meeting> + use<> {
        let mut found = BTreeMap::new();
        for stack in self.stages().map(|(stack, ..)| stack).collect::<BTreeSet<_>>() {
            self.follow(stack, &mut found);
        }
        found.into_values()
    }

    /// Goes through the scopes of a lane, and of those that its rules name: where a rule jumps to what
    /// the envelope says, or a reply says where to, nobody knows before.
    fn follow(&self, lane: &StackName, found: &mut BTreeMap<(String, String), Meeting>) {
        let mut seen = BTreeSet::new();
        let mut ways = vec![(lane.clone(), 0, None)];
        while let Some((lane, from, before)) = ways.pop() {
            for (there, from, maker) in self.go(&lane, from, before, found) {
                if seen.insert((there.clone(), from, maker.place.clone())) {
                    ways.push((there, from, Some(maker)));
                }
            }
        }
    }

    /// Goes through the scopes of one lane, behind `before`; gives where its rules jump to with a credential.
    fn go(
        &self,
        lane: &StackName,
        from: u32,
        mut before: Option<Maker>,
        found: &mut BTreeMap<(String, String), Meeting>,
    ) -> Vec<(StackName, u32, Maker)> {
        let (mut from, mut jumps, mut open) = (Some(from), Vec::new(), Vec::<Later<'_>>::new());
        while let Some((owner, scope, files)) = from.and_then(|from| self.scope(lane, from)) {
            for later in open.extract_if(.., |later| later.at <= scope) {
                later.meets(before.as_ref(), found);
            }
            let rules = || files.iter().flat_map(|file| file.rules.iter().map(move |rule| (file, rule)));
            let chosen = rules().any(|(_, rule)| rule.priority() > 0);
            let deletes = rules().any(|(_, rule)| rule.deletes());
            let makers = || rules().filter(|(_, rule)| rule.makes_credential());
            let place = |rule: &Rule| format!("{owner}/{scope}/{}", rule.name());
            let waiting = |(_, rule): &(&Arc<File>, &Rule)| rule.waits().for_worker();
            let here = |(_, rule): &(&Arc<File>, &Rule)| rule.waits().joins_at().is_none();
            for (file, rule) in rules().filter(waiting).filter(here) {
                // Rules of one file run one after the other: what the first left decides the second.
                let beside = |(other, maker): &(&Arc<File>, &Rule)| {
                    let like = maker.applies_like(rule) && !Arc::ptr_eq(other, file);
                    like || maker.applies_always() && rule.applies_always()
                };
                let certain = makers().find(beside).filter(|_| !chosen && !deletes);
                let behind =
                    before.as_ref().filter(|before| before.certain && rule.applies_always() && !chosen);
                let sure = certain.map(|(_, maker)| place(maker)).or_else(|| Some(behind?.place.clone()));
                let maybe = || {
                    let before = before.as_ref().map(|before| before.place.clone());
                    before.or_else(|| makers().next().map(|(_, maker)| place(maker)))
                };
                let certain = sure.is_some();
                let Some(place) = sure.or_else(maybe) else { continue };
                let does = format!("rule {} waits for a worker", rule.name());
                Meeting::of(file, &does, &Maker { place, certain }).keep(rule, found);
            }
            let turns = chosen || rules().any(|(_, rule)| rule.may_lead_elsewhere());
            let here = makers()
                .map(|(_, rule)| Maker { place: place(rule), certain: rule.applies_always() })
                .max_by_key(|maker| maker.certain);
            before = if deletes {
                None
            } else {
                let known =
                    before.filter(|before| before.certain || here.as_ref().is_none_or(|here| !here.certain));
                known.or(here).map(|maker| Maker { certain: maker.certain && !turns, ..maker })
            };
            let later = rules().filter_map(|(file, rule)| {
                let certain = rule.applies_always();
                Some(Later { file, rule, at: rule.waits().joins_at()?, certain })
            });
            open.extend(later);
            open.iter_mut().for_each(|later| later.certain &= !turns);
            for (_, rule) in rules() {
                if let (Leads::To(to), Some(maker)) = (rule.leads(), &before)
                    && let Ok(Next::Scope { stack, from }) = jump(&Value::from(to.as_str()), self, lane)
                {
                    jumps.push((stack, from, Maker { place: maker.place.clone(), certain: false }));
                }
            }
            from = scope.checked_add(1);
        }
        // They join at the end, at the latest.
        for later in open {
            later.meets(before.as_ref(), found);
        }
        jumps
    }
}

impl Later<'_> {
    /// Its output joins where a credential may be, when there may be one.
    fn meets(&self, before: Option<&Maker>, found: &mut BTreeMap<(String, String), Meeting>) {
        let Some(before) = before else { return };
        let maker = Maker { place: before.place.clone(), certain: before.certain && self.certain };
        let does = format!("the job of rule {} joins at scope {}", self.rule.name(), self.at);
        Meeting::of(self.file, &does, &maker).keep(self.rule, found);
    }
}

#[cfg(test)]
mod tests {
    use txcl::Mode;

    use super::*;
    use crate::workspace::Source;

    const BASIC: &str =
        "EXEC \"txco://basic-auth-encode\" WITH secrets.password.secret = \"P\", user = \"u\"";
    const LOGIN: &str = "EXEC \"https://id.example/\" WITH credential = \"access_token\"";
    const JOB: &str = "EXEC \"https://w.example/\" WITH mode = \"async\"";
    const ON: &str = "EMIT .a = 1";

    fn set(files: &[(&str, &str)]) -> Result<RuleSet, String> {
        let source = |(path, text): &(&str, &str)| {
            let (stack, path) = path.split_once(':').unwrap();
            Source {
                stack: StackName::parse(stack).unwrap(),
                path: path.to_owned(),
                text: (*text).to_owned(),
            }
        };
        let rules = RuleSet::of_sources(files.iter().map(source).collect(), Mode::Strict);
        rules.map_err(|errors| errors.render(txcl::Color::Plain))
    }

    /// What is warned of; none of it is an error.
    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let rules = set(files).unwrap_or_else(|errors| panic!("{errors}"));
        rules.cannot_wait().into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
    }

    /// The same rule where something must hold.
    fn when(condition: &str, rule: &str) -> String {
        format!("WHEN {condition}\n{rule}")
    }

    #[test]
    fn what_no_when_keeps_apart_is_an_error() {
        for maker in [BASIC, LOGIN] {
            let error = set(&[("shop:10/m.txcl", maker), ("shop:20/j.txcl", JOB)]).unwrap_err();
            let want = "OPS/shop/20/j.txcl: rule j waits for a worker, and shop/10/m has put a credential into the envelope";
            assert!(error.starts_with(want), "{error}");
            assert!(set(&[("shop:20/m.txcl", maker), ("shop:20/j.txcl", JOB)]).is_err());
            assert!(set(&[("shop:30/j.txcl", JOB), ("shop/eu:10/m.txcl", maker)]).is_err(), "inherited");
            let (maker, job) = (when(".a == 1", maker), when(".a == 1", JOB));
            assert!(
                set(&[("shop:20/m.txcl", &maker), ("shop:20/j.txcl", &job)]).is_err(),
                "the same condition"
            );
        }
        let maybe = when(".a == 1", BASIC);
        let error = set(&[("shop:10/a.txcl", &maybe), ("shop:10/m.txcl", BASIC), ("shop:20/j.txcl", JOB)]);
        assert!(error.unwrap_err().contains("shop/10/m has put"), "another may not have");
    }

    #[test]
    fn what_is_made_before_or_beside_is_told() {
        for maker in [BASIC, LOGIN] {
            let maker = when(".a == 1", maker);
            let said = told(&[("shop:10/m.txcl", &maker), ("shop:20/j.txcl", JOB)]);
            assert_eq!(said.len(), 1, "{maker}: {said:?}");
            assert!(
                said[0].starts_with("OPS/shop/20/j.txcl: rule j waits") && said[0].contains("shop/10/m may")
            );
            assert_eq!(told(&[("shop:20/m.txcl", &maker), ("shop:20/j.txcl", JOB)]).len(), 1);
            assert_eq!(told(&[("shop:30/j.txcl", JOB), ("shop/eu:10/m.txcl", &maker)]).len(), 1, "inherited");
        }
        let job = when(".a == 2", JOB);
        assert_eq!(told(&[("shop:10/m.txcl", BASIC), ("shop:20/j.txcl", &job)]).len(), 1);
        // What the same condition sees in a later scope is another envelope.
        let maker = when(".a == 2", BASIC);
        assert_eq!(told(&[("shop:10/m.txcl", &maker), ("shop:20/j.txcl", &job)]).len(), 1);
    }

    #[test]
    fn what_goes_elsewhere_in_between_is_only_warned_of() {
        let (maker, job) = (("shop:10/m.txcl", BASIC), ("shop:20/j.txcl", JOB));
        for way in ["WHEN .a == 1 EMIT @goto = 30", "WHEN .a == 1 EMIT @halt = true", "EMIT @halt = .done"] {
            assert_eq!(told(&[maker, ("shop:15/w.txcl", way), job]).len(), 1, "{way}");
        }
        assert_eq!(told(&[maker, ("shop:20/p.txcl", "WHEN .a == 1 PRIORITY 1 EMIT .b = 1"), job]).len(), 1);
    }

    #[test]
    fn what_a_jump_brings_together_is_told() {
        let (maker, job) = (("shop:10/m.txcl", BASIC), ("mail:20/j.txcl", JOB));
        for way in ["EXEC \"mail/20\"", "WHEN .a == 1 EMIT @goto = \"mail/5\""] {
            let said = told(&[maker, ("shop:15/w.txcl", way), job]);
            assert_eq!(said.len(), 1, "{way}: {said:?}");
            assert!(
                said[0].starts_with("OPS/mail/20/j.txcl: rule j waits") && said[0].contains("shop/10/m may")
            );
        }
        let further = ("post:1/w.txcl", "WHEN .a == 1 EXEC \"mail/20\"");
        assert_eq!(told(&[maker, ("shop:15/w.txcl", "EXEC \"post/1\""), further, job]).len(), 1);
        // Round and round, to a scope that comes before.
        let back = [("shop:5/j.txcl", JOB), maker, ("shop:15/w.txcl", "WHEN .a == 1 EMIT @goto = 5")];
        assert_eq!(told(&back).len(), 1);
        // Behind the job, past it, or without it.
        assert!(
            told(&[maker, ("shop:15/w.txcl", "EXEC \"mail/30\""), job, ("mail:30/e.txcl", ON)]).is_empty()
        );
        assert!(told(&[("shop:5/w.txcl", "EXEC \"mail/20\""), maker, job]).is_empty());
        let deletes = ("shop:12/d.txcl", "EMIT @delete = \"@computed.basic\"");
        assert!(told(&[maker, deletes, ("shop:15/w.txcl", "EXEC \"mail/20\""), job]).is_empty());
        // Nobody knows before where a reply leads.
        let anywhere = ("shop:15/w.txcl", "EXEC \"https://steers.example/\"");
        assert!(told(&[maker, anywhere, job]).is_empty());
    }

    #[test]
    fn a_job_that_joins_meets_what_is_made_before_its_scope() {
        const LATER: &str = "EXEC \"https://w.example/\" WITH mode = \"async\", join_at_scope = 30";
        let (job, end) = (("shop:10/j.txcl", LATER), ("shop:30/e.txcl", ON));
        let want = "OPS/shop/10/j.txcl: the job of rule j joins at scope 30, and shop/20/m has put";
        for at in ["shop:5/m.txcl", "shop:10/m.txcl", "shop:20/m.txcl"] {
            let error = set(&[job, (at, BASIC), end]).unwrap_err();
            assert!(error.starts_with(&want.replace("20", &at[5..7].replace('/', ""))), "{error}");
        }
        assert!(set(&[job, ("shop:20/m.txcl", BASIC)]).is_err(), "it joins at the end");
        assert!(told(&[job, end, ("shop:40/m.txcl", BASIC)]).is_empty(), "it has joined before");
        assert!(told(&[job, ("shop:30/m.txcl", BASIC)]).is_empty(), "beside what sees it");
        let deletes = ("shop:25/d.txcl", "EMIT @delete = \"@computed.basic\"");
        assert!(told(&[job, ("shop:20/m.txcl", BASIC), deletes, end]).is_empty());
        for maybe in [
            [("shop:10/j.txcl", when(".a == 1", LATER)), ("shop:20/m.txcl", BASIC.to_owned())],
            [("shop:10/j.txcl", LATER.to_owned()), ("shop:20/m.txcl", when(".a == 1", BASIC))],
            [("shop:10/j.txcl", LATER.to_owned()), ("shop:10/p.txcl", format!("PRIORITY 1 {BASIC}"))],
        ] {
            let files = [(maybe[0].0, maybe[0].1.as_str()), (maybe[1].0, maybe[1].1.as_str()), end];
            assert_eq!(told(&files).len(), 1, "{files:?}");
        }
        let way = ("shop:15/w.txcl", "WHEN .a == 1 EMIT @goto = 30");
        assert_eq!(told(&[job, way, ("shop:20/m.txcl", BASIC), end]).len(), 1);
    }

    #[test]
    fn what_cannot_meet_is_not() {
        assert!(
            told(&[("shop:10/a.txcl", ON), ("shop:20/j.txcl", JOB), ("shop:30/m.txcl", BASIC)]).is_empty()
        );
        assert!(told(&[("mail:10/m.txcl", BASIC), ("shop:20/j.txcl", JOB)]).is_empty());
        let deletes = ("shop:15/d.txcl", "EMIT @delete = \"@computed.basic\"");
        assert!(told(&[("shop:10/m.txcl", BASIC), deletes, ("shop:20/j.txcl", JOB)]).is_empty());
    }
}
