//! Jobs that a request goes on beside: kept and handed out where their rules stand, joined where it
//! comes to their scope or leaves their stack.

use futures_util::future::join_all;
use model::{Failure, Id, StackName, Value};
use serde_json::json;
use vault::{Joining, Wait, WaitEnd};

use crate::dispatch::Place;
use crate::fuel::Way;
use crate::held::{Held, Join, can_wait};
use crate::journey::{Run, path_of};
use crate::keeping::Form;
use crate::life::{blocking, lost};
use crate::request::Outcome;
use crate::rooms::Rooms;
use crate::scope::{Job, Pending};
use crate::suspend::{Ready, Refused, Where, none, told};
use crate::trace::Step;
use crate::walk::{Next, next};

/// What the request comes to before it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// Nothing is due any more: it goes on.
    Nothing,
    /// It waits for what is due.
    Waits,
    /// It has failed.
    Fault,
}

impl Place<'_> {
    /// Keeps jobs whose outputs join the request later, and hands them out.
    pub(crate) async fn defer(
        &self,
        lane: &StackName,
        mut jobs: Vec<Job<'_>>,
        joins: &mut Vec<Join>,
    ) -> Result<Vec<Step>, Refused> {
        let run = self.run_name().map_err(none)?;
        let (mut waits, mut ready) = (Vec::new(), Vec::new());
        for job in &mut jobs {
            let (wait, prepared) = match self.deferred(&run, job) {
                Ok(deferred) => deferred,
                Err(failure) => return Err(self.refused(Some(job), failure)),
            };
            joins.push(Join {
                wait: wait.as_ref().map(|(wait, _)| wait.id.clone()),
                mock: job.mock.clone(),
                owner: self.stack.clone(),
                scope: self.scope,
                rule: job.rule.name().to_owned(),
                lane: lane.clone(),
                at: job.rule.waits().joins_at().unwrap_or(self.scope),
                prepared,
            });
            if let Some((wait, one)) = wait {
                waits.push(wait);
                ready.push(one);
            }
        }
        if !waits.is_empty() {
            waits = self.keep_deferred(&run, waits).await.map_err(none)?;
        }
        self.recording.event("stage.defer", || {
            let (mocked, real): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.mock.is_some());
            let mocked = mocked.iter().map(|job| json!({ "name": job.rule.name(), "mock": true }));
            let told: Vec<_> =
                real.iter().zip(&waits).map(|(job, wait)| told(job, wait)).chain(mocked).collect();
            let run = (!waits.is_empty()).then(|| run.as_str());
            json!({ "stack": self.stack.as_str(), "scope": self.scope, "run": run, "waits": told })
        });
        let real = jobs.iter_mut().filter(|job| job.mock.is_none());
        let handed = real.zip(ready).zip(&waits).map(|((job, one), wait)| self.hand_out(job, one, wait));
        let handed = join_all(handed).await;
        for job in &jobs {
            self.told(job.rule, Some(&job.prepared), &job.step, None);
        }
        match handed.into_iter().find_map(Result::err) {
            Some(refused) => Err(refused),
            None => Ok(jobs.into_iter().map(|job| job.step).collect()),
        }
    }

    /// A job's part and its request, unless a mock has answered, and what is needed of its rule later.
    fn deferred(&self, run: &Id, job: &mut Job<'_>) -> Result<(Option<(Wait, Ready)>, Value), Failure> {
        let prepared = job.prepared.deferred();
        // Whether it will have to be kept nobody knows yet: it could be, always.
        can_wait(&prepared)?;
        let wait = if job.mock.is_none() { Some(self.ready(run, job)?) } else { None };
        Ok((wait, prepared))
    }

    /// Stores the parts of workers. From then on whoever drops the request ends it.
    async fn keep_deferred(&self, run: &Id, waits: Vec<Wait>) -> Result<Vec<Wait>, Failure> {
        let (ticket, waits) = self.keep(run, Form::Defers(waits)).await?;
        self.carried.is(run.clone());
        self.carried.has_touched();
        if let Some(ticket) = ticket {
            self.carried.keep_ticket(ticket);
        }
        Ok(waits)
    }

    /// What the workers of those that are due said; nothing while one has not said it.
    async fn said_by(&self, due: &[Join]) -> Result<Option<Vec<WaitEnd>>, Failure> {
        let waits: Vec<Id> = due.iter().filter_map(|join| join.wait.clone()).collect();
        let Some(run) = self.carried.run().filter(|_| !waits.is_empty()).cloned() else {
            return Ok(Some(Vec::new()));
        };
        let owner = self.rooms.life.name.clone();
        let look = blocking(&self.rooms.vault, move |vault| vault.joined_waits(&run, &owner, &waits));
        match look.await? {
            Joining::Ended(ends) => Ok(Some(ends)),
            Joining::Open => Ok(None),
            Joining::Lost => Err(lost()),
        }
    }
}

impl Run<'_> {
    /// Joins what is due before the request goes `to` there, which may lead it elsewhere.
    pub(crate) async fn join(
        &self,
        rooms: &Rooms,
        outcome: &mut Outcome,
        way: &mut Way<'_>,
        joins: &mut Vec<Join>,
        to: &mut Next,
    ) -> Met {
        loop {
            *to = self.stage_at(to);
            let due = self.take_due(joins, to);
            let Some(first) = due.first() else { return Met::Nothing };
            let (owner, scope) = way.at().cloned().unwrap_or_else(|| (first.owner.clone(), first.scope));
            let place = self.place(rooms, &owner, scope);
            // Also when all is there: it may not depend on how quick a worker was.
            let said = match can_wait(outcome.envelope.document()) {
                Ok(()) => place.said_by(&due).await,
                Err(failure) => Err(failure),
            };
            let met = match said {
                Ok(Some(ends)) => self.joined(&place, outcome, way, (due, &ends), to),
                Ok(None) => {
                    joins.splice(0..0, due);
                    return self.wait_before(&place, outcome, way, joins, to).await;
                }
                Err(failure) => Err((failure, first.path())),
            };
            if let Err(refused) = met {
                self.joined_badly(outcome, refused);
                return Met::Fault;
            }
        }
    }

    /// The very stage that it leads to, if there is one.
    fn stage_at(&self, to: &Next) -> Next {
        let Next::Scope { stack, from } = to else { return Next::Halt };
        let found = self.rules.scope(stack, *from);
        found.map_or(Next::Halt, |(_, from, _)| Next::Scope { stack: stack.clone(), from })
    }

    /// Goes on from where the request waited, with what was waited for; tells where to.
    pub(crate) async fn again(
        &self,
        place: &Place<'_>,
        outcome: &mut Outcome,
        way: &mut Way<'_>,
        joins: &mut Vec<Join>,
        (mut held, ends): (Held, &[WaitEnd]),
    ) -> Result<Next, Refused> {
        *joins = std::mem::take(&mut held.joins);
        if let Some(mut to) = held.before.take() {
            outcome.envelope = held.envelope;
            let due = self.take_due(joins, &to);
            self.joined(place, outcome, way, (due, ends), &mut to)?;
            return Ok(to);
        }
        let lane = held.lane.clone();
        let end = place.rejoin(held, ends);
        outcome.envelope = end.envelope;
        if let Some((failure, rule)) = end.failure {
            return Err((failure, path_of(&rule, place.stack, place.scope)));
        }
        let left = self.leave(outcome, way, &lane, (place.stack, place.scope), joins).await;
        left.map_err(none)
    }

    /// Those that join before the request goes there, which are none any more.
    fn take_due(&self, joins: &mut Vec<Join>, to: &Next) -> Vec<Join> {
        let (due, later) = std::mem::take(joins).into_iter().partition(|join| join.is_due(to));
        *joins = later;
        due
    }

    /// Merges those that are due, and what they say of the way.
    fn joined(
        &self,
        place: &Place<'_>,
        outcome: &mut Outcome,
        way: &mut Way<'_>,
        (mut due, ends): (Vec<Join>, &[WaitEnd]),
        to: &mut Next,
    ) -> Result<(), Refused> {
        outcome.envelope = place.join(outcome.envelope.clone(), &mut due, ends)?;
        self.recording.event("stage.join", || {
            let rules: Vec<_> = due.iter().map(Join::path).collect();
            json!({ "before": to.shown(), "rules": rules })
        });
        let stage = (place.stack, place.scope);
        let steered = match &*to {
            Next::Scope { stack, from } => self.steered(outcome, way, stage, stack, Some(*from)),
            // What has ended has ended; only what is to be deleted counts.
            Next::Halt => next(&mut outcome.envelope, self.rules, place.stack, None).map(|_| Next::Halt),
        };
        *to = steered.map_err(none)?;
        Ok(())
    }

    async fn wait_before(
        &self,
        place: &Place<'_>,
        outcome: &mut Outcome,
        way: &Way<'_>,
        joins: &[Join],
        to: &Next,
    ) -> Met {
        let lane = joins.first().map_or(place.stack, |join| &join.lane);
        let here = Where { lane, left: way.left(), joins, before: Some(to) };
        let envelope = outcome.envelope.clone();
        match place.suspend(here, Pending { envelope, parts: Vec::new(), steps: Vec::new() }).await {
            Ok(ticket) => {
                (outcome.waits, outcome.ticket) = (true, ticket);
                Met::Waits
            }
            Err((failure, rule)) => {
                self.halted(outcome, failure, rule);
                Met::Fault
            }
        }
    }
}
