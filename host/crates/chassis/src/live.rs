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
#[derive(Clone)]
struct Maker {
    place: String,
    /// Whether every request that comes to the scope behind it has passed it.
    certain: bool,
}

impl Maker {
    /// The same where only some requests come that have passed it.
    fn perhaps(&self) -> Self {
        Self { certain: false, ..self.clone() }
    }
}

/// A rule whose job joins at a later scope.
struct Later<'r> {
    file: &'r Arc<File>,
    rule: &'r Rule,
    at: u32,
    /// Whether every request that comes to that scope has passed it.
    certain: bool,
}

/// Where requests come through, and what comes along: a credential, a job that is to join.
struct Way<'r> {
    lane: StackName,
    from: u32,
    maker: Option<Maker>,
    later: Option<Later<'r>>,
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
        let mut ways = vec![Way { lane: lane.clone(), from: 0, maker: None, later: None }];
        while let Some(way) = ways.pop() {
            // Which of several makers it was is not told twice.
            let later = way.later.as_ref().map(Later::key);
            if seen.insert((way.lane.clone(), way.from, way.maker.is_some(), later)) {
                ways.extend(self.go(way, found));
            }
        }
    }

    /// Goes one way through the scopes of its lane; gives where its rules jump to with a credential,
    /// or with a job that is to join.
    fn go<'r>(&'r self, way: Way<'r>, found: &mut BTreeMap<(String, String), Meeting>) -> Vec<Way<'r>> {
        let Way { lane, from, maker: mut before, later } = way;
        let (mut from, mut jumps, mut open) = (Some(from), Vec::new(), Vec::from_iter(later));
        while let Some((owner, scope, files)) = from.and_then(|from| self.scope(&lane, from)) {
            for later in open.extract_if(.., |later| later.at <= scope) {
                later.meets(before.as_ref(), None, found);
            }
            let here = Here::of(owner, scope, files);
            here.waits_beside(before.as_ref(), found);
            before = here.leaves_behind(before);
            open.extend(here.defers());
            for (_, rule) in here.rules().filter(|(_, rule)| rule.may_lead_elsewhere()) {
                let to = match rule.leads() {
                    Leads::To(to) => self.there(&to, &lane),
                    Leads::On | Leads::Ends | Leads::Anywhere => None,
                };
                let joins = |later: &&Later<'_>| match &to {
                    Some((stack, from)) => *stack != lane || *from >= later.at,
                    None => true,
                };
                let stage = here.place(rule);
                let sure = here.turns_at_once(rule);
                for later in open.iter().filter(joins) {
                    later.meets(before.as_ref(), Some((&stage, sure)), found);
                }
                let Some((stack, from)) = to.clone() else { continue };
                let maker = before.as_ref().map(Maker::perhaps);
                let stays = open.iter().filter(|later| !joins(later)).map(|later| Some(later.perhaps()));
                let alone = maker.is_some().then_some(None);
                jumps.extend(stays.chain(alone).map(|later| Way {
                    lane: stack.clone(),
                    from,
                    maker: maker.clone(),
                    later,
                }));
            }
            if here.turns {
                before = before.as_ref().map(Maker::perhaps);
                open.iter_mut().for_each(|later| later.certain = false);
            }
            from = scope.checked_add(1);
        }
        // They join at the end, at the latest.
        for later in open {
            later.meets(before.as_ref(), None, found);
        }
        jumps
    }

    /// The very stage that a rule of `lane` jumps to, if there is one.
    fn there(&self, to: &str, lane: &StackName) -> Option<(StackName, u32)> {
        let Ok(Next::Scope { stack, from }) = jump(&Value::from(to), self, lane) else { return None };
        let (_, scope, _) = self.scope(&stack, from)?;
        Some((stack, scope))
    }
}

/// One scope that a way comes through.
struct Here<'r> {
    owner: &'r StackName,
    scope: u32,
    files: &'r [Arc<File>],
    /// Whether a PRIORITY may keep rules from running.
    chosen: bool,
    /// Whether something may be deleted.
    deletes: bool,
    /// Whether a request may go elsewhere behind it than to the next scope.
    turns: bool,
}

impl<'r> Here<'r> {
    fn of(owner: &'r StackName, scope: u32, files: &'r [Arc<File>]) -> Self {
        let rules = || files.iter().flat_map(|file| &file.rules);
        let chosen = rules().any(|rule| rule.priority() > 0);
        let deletes = rules().any(Rule::deletes);
        let turns = chosen || rules().any(Rule::may_lead_elsewhere);
        Self { owner, scope, files, chosen, deletes, turns }
    }

    fn rules(&self) -> impl Iterator<Item = (&'r Arc<File>, &'r Rule)> + use<'r> {
        self.files.iter().flat_map(|file| file.rules.iter().map(move |rule| (file, rule)))
    }

    fn makers(&self) -> impl Iterator<Item = (&'r Arc<File>, &'r Rule)> + use<'r> {
        self.rules().filter(|(_, rule)| rule.makes_credential())
    }

    fn place(&self, rule: &Rule) -> String {
        format!("{}/{}/{}", self.owner, self.scope, rule.name())
    }

    /// Whether every request that comes here goes where this rule leads, and nowhere else.
    fn turns_at_once(&self, rule: &Rule) -> bool {
        let elsewhere = self.rules().filter(|(_, rule)| rule.may_lead_elsewhere()).count();
        let known = matches!(rule.leads(), Leads::Ends | Leads::To(_));
        known && elsewhere == 1 && rule.applies_always() && !self.chosen
    }

    /// Rules that wait here for a worker, behind a maker or beside one.
    fn waits_beside(&self, before: Option<&Maker>, found: &mut BTreeMap<(String, String), Meeting>) {
        let waits =
            |(_, rule): &(&Arc<File>, &Rule)| rule.waits().for_worker() && rule.waits().joins_at().is_none();
        for (file, rule) in self.rules().filter(waits) {
            // Rules of one file run one after the other: what the first left decides the second.
            let beside = |(other, maker): &(&Arc<File>, &Rule)| {
                let like = maker.applies_like(rule) && !Arc::ptr_eq(other, file);
                like || maker.applies_always() && rule.applies_always()
            };
            let certain = self.makers().find(beside).filter(|_| !self.chosen && !self.deletes);
            let behind = before.filter(|before| before.certain && rule.applies_always() && !self.chosen);
            let sure = certain.map(|(_, maker)| self.place(maker)).or_else(|| Some(behind?.place.clone()));
            let maybe = || {
                let before = before.map(|before| before.place.clone());
                before.or_else(|| self.makers().next().map(|(_, maker)| self.place(maker)))
            };
            let certain = sure.is_some();
            let Some(place) = sure.or_else(maybe) else { continue };
            let does = format!("rule {} waits for a worker", rule.name());
            Meeting::of(file, &does, &Maker { place, certain }).keep(rule, found);
        }
    }

    /// Who has made a credential when the scope is done, and it is still there.
    fn leaves_behind(&self, before: Option<Maker>) -> Option<Maker> {
        let makers = self.makers().map(|(_, rule)| Maker {
            place: self.place(rule),
            certain: rule.applies_always() && !self.chosen,
        });
        let here = makers.max_by_key(|maker| maker.certain).filter(|_| !self.deletes);
        let certain = here.as_ref().is_some_and(|here| here.certain);
        before.filter(|before| !self.deletes && (before.certain || !certain)).or(here)
    }

    /// Jobs that are handed out here and join later.
    fn defers(&self) -> impl Iterator<Item = Later<'r>> + use<'r> {
        let chosen = self.chosen;
        self.rules().filter_map(move |(file, rule)| {
            let certain = rule.applies_always() && !chosen;
            Some(Later { file, rule, at: rule.waits().joins_at()?, certain })
        })
    }
}

impl<'r> Later<'r> {
    /// Its output joins where a credential may be, when there may be one: at its scope, or at a rule
    /// that leads elsewhere, to which every request comes with both that comes there, or not.
    fn meets(
        &self,
        before: Option<&Maker>,
        leaves: Option<(&str, bool)>,
        found: &mut BTreeMap<(String, String), Meeting>,
    ) {
        let Some(before) = before else { return };
        let sure = leaves.is_none_or(|(_, sure)| sure);
        let maker = Maker { place: before.place.clone(), certain: before.certain && self.certain && sure };
        let place = match leaves {
            Some((stage, _)) => format!("where {stage} leads elsewhere"),
            None => format!("at scope {}", self.at),
        };
        let does = format!("the job of rule {} joins {place}", self.rule.name());
        Meeting::of(self.file, &does, &maker).keep(self.rule, found);
    }

    /// The same where only some requests come with it.
    fn perhaps(&self) -> Self {
        Self { certain: false, ..*self }
    }

    fn key(&self) -> (&'r str, &'r str) {
        (&self.file.path, self.rule.name())
    }
}

#[cfg(test)]
mod tests;
