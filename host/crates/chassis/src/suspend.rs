//! A scope that waits for workers: kept first, then handed out, so that no worker calls back to
//! a request that nobody knows.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use model::{Failure, Fault, Id, StackName, Value};
use serde_json::json;
use txcl::{Exec, Waits};
use vault::{Ending, LateVault, SecretBag, Splice, Wait};

use crate::calling::notes;
use crate::dispatch::Place;
use crate::held::{At, Join, held};
use crate::keeping::{Form, Keeping};
use crate::life::{Life, aside, blocking};
use crate::outbound::{Job as Contract, OnError, Outbound, job};
use crate::request::{Ticket, Watch};
use crate::scope::{Job, Part, Pending};
use crate::walk::Next;

/// The request that hands a job out, and its secrets.
pub(crate) struct Ready {
    outbound: Outbound,
    bag: SecretBag<Splice>,
}

/// Why a request cannot wait, and the rule.
pub(crate) type Refused = (Failure, String);

/// Where a request is when it waits.
pub(crate) struct Where<'a> {
    /// The stack whose scopes it goes through.
    pub(crate) lane: &'a StackName,
    /// Stage entries that are left, when they are counted.
    pub(crate) left: Option<u32>,
    /// What is to join it, now or later.
    pub(crate) joins: &'a [Join],
    /// Where it goes once those that are due have joined it; nothing when it waits behind its scope.
    pub(crate) before: Option<&'a Next>,
}

impl Place<'_> {
    /// Keeps the request and hands the jobs of its scope out. Gives what the client asks with, unless
    /// it has been told before.
    pub(crate) async fn suspend(
        &self,
        here: Where<'_>,
        mut pending: Pending<'_>,
    ) -> Result<Option<Ticket>, Refused> {
        let at = At {
            lane: here.lane,
            owner: self.stack,
            scope: self.scope,
            fuel: self.fuel.used(),
            left: here.left,
            mark: self.request.watch().map(Watch::mark),
            joins: here.joins,
            before: here.before,
        };
        let held = match held(&at, &pending) {
            Ok(held) => held,
            Err(failure) => return Err(self.refused(pending.parts.iter_mut().find_map(waits), failure)),
        };
        let run = self.run_name().map_err(none)?;
        let (mut all, mut ready) = (Vec::new(), Vec::new());
        for job in pending.parts.iter_mut().filter_map(waits) {
            match self.ready(&run, job) {
                Ok((wait, one)) => {
                    all.push(wait);
                    ready.push(one);
                }
                Err(failure) => return Err(self.refused(Some(job), failure)),
            }
        }
        let is_due = |join: &&Join| here.before.is_some_and(|before| join.is_due(before));
        let (due, later): (Vec<_>, Vec<_>) = here.joins.iter().partition(is_due);
        let names = |joins: &[&Join]| joins.iter().filter_map(|join| join.wait.clone()).collect();
        let kept = Keeping { held, waits: all, due: names(&due), later: names(&later) };
        let (ticket, minted) = self.keep(&run, Form::Waits(kept)).await.map_err(none)?;
        // One that was stored before ends with its request, like one that goes on beside its jobs.
        let let_go = self.carried.run().is_some();
        let mut hold = Hold { vault: &self.rooms.vault, life: &self.rooms.life, run: &run, let_go };
        if !let_go {
            self.request.owes();
        }
        self.recording.event("stage.suspend", || {
            let jobs = pending.parts.iter().filter_map(|part| part.job());
            let joins = due.iter().map(|join| json!({ "name": join.path(), "wait": join.wait.as_ref().map(Id::as_str) }));
            let told: Vec<_> = jobs.zip(&minted).map(|(job, wait)| told(job, wait)).chain(joins).collect();
            let before = here.before.map(Next::shown);
            json!({ "stack": self.stack.as_str(), "scope": self.scope, "run": run.as_str(), "waits": told, "before": before })
        });
        let jobs = pending.parts.iter_mut().filter_map(waits);
        let handed = jobs.zip(ready).zip(&minted).map(|((job, one), wait)| self.hand_out(job, one, wait));
        let handed = join_all(handed).await;
        for part in &pending.parts {
            if let Part::Waits(job) = part {
                self.told(job.rule, Some(&job.prepared), &job.step, None);
            }
        }
        if let Some(refused) = handed.into_iter().find_map(Result::err) {
            let (run, owner) = (run.clone(), self.rooms.life.name.clone());
            let code = refused.0.fault.code();
            hold.let_go = true;
            blocking(&self.rooms.vault, move |vault| vault.end_run(&run, &owner, Err(code)))
                .await
                .map_err(none)?;
            let _nobody_asks = self.rooms.life.ends.send(());
            return Err(refused);
        }
        let (id, owner) = (run.clone(), self.rooms.life.name.clone());
        hold.let_go = true;
        if blocking(&self.rooms.vault, move |vault| vault.release_run(&id, &owner)).await.map_err(none)? {
            self.rooms.life.ready.notify_one();
        }
        Ok(ticket.or_else(|| self.carried.take_ticket()))
    }

    /// What is said of a job that can be neither kept nor handed out.
    pub(crate) fn refused(&self, job: Option<&mut Job<'_>>, failure: Failure) -> Refused {
        let Some(job) = job else { return (failure, String::new()) };
        self.report(&job.step, &failure);
        job.step.failure = Some(failure.clone());
        self.told(job.rule, Some(&job.prepared), &job.step, None);
        (failure, job.rule.name().to_owned())
    }

    /// Makes a job's request, with its secrets: what is wrong with it shows before it is kept.
    pub(crate) fn ready(&self, run: &Id, one: &mut Job<'_>) -> Result<(Wait, Ready), Failure> {
        let settings = &self.rooms.settings;
        let (Some(Exec::Http(url)), Waits::Worker { most, .. }) = (one.rule.exec(), one.rule.waits()) else {
            return Err(Failure::new(Fault::Internal, "a job without a worker"));
        };
        let most = most.unwrap_or(settings.waiting.most);
        if most > settings.waiting.retention {
            let days = settings.waiting.retention.as_secs();
            let why = format!("WITH max_duration: at most {days} s (--continuation-retention)");
            return Err(Failure::new(Fault::RuleFailed, why));
        }
        let wait = Wait::mint(Timestamp::now() + most).map_err(|error| error.failure())?;
        let member = |name: &str, text: &str| (name.to_owned(), Value::from(text));
        let callback = &settings.waiting.callback;
        let contract = [
            member("op_continuation_id", wait.id.as_str()),
            member("callback_url", &format!("{callback}/_txc/continuations/op/{}/complete", wait.id)),
            member("run_id", run.as_str()),
            member("stack", self.stack.as_str()),
            member("stage", &format!("{}/{}", self.stack, self.scope)),
            member("op", one.rule.name()),
            member("expires_at", &wait.expires.to_string()),
        ];
        let contract = Contract { contract: contract.into_iter().collect(), token: wait.token.text() };
        let (outbound, refs) = job(url, one.rule, &one.prepared, settings, contract)?;
        let destination = outbound.draft.destination().clone();
        self.remember(&mut one.step, &refs, "splice", &destination.to_string().into());
        let bag = self.bag(destination, &refs, &mut one.step)?;
        one.step.notes.push(format!("waits {}", wait.id));
        Ok((wait, Ready { outbound, bag }))
    }

    /// Hands a job to its worker. One that does not take it has ended its part: with an error
    /// that the request goes on with when its rule says so, and is told here when not.
    pub(crate) async fn hand_out(&self, job: &mut Job<'_>, ready: Ready, wait: &Wait) -> Result<(), Refused> {
        let Ready { outbound: Outbound { draft, on_error, .. }, bag } = ready;
        let running = self.running(job.rule, &job.prepared, &mut job.step);
        let sent = match self.place_to_call(draft.time()).await {
            Ok((_place, left)) => self
                .rooms
                .egress
                .send(draft.timeout(left), bag, self.credentials)
                .await
                .map_err(|e| e.failure()),
            Err(failure) => Err(failure),
        };
        running.ended();
        let step = &mut job.step;
        let refused = match sent {
            Ok(reply) => {
                notes(step, &reply);
                let why = format!("it answered {}", reply.status);
                if reply.status == 202 { None } else { Some(Failure::new(Fault::WorkerRefused, why)) }
            }
            Err(failure) => Some(failure),
        };
        step.elapsed = (step.started.duration_until(Timestamp::now())).unsigned_abs();
        let Some(failure) = refused else { return Ok(()) };
        step.failure = Some(failure.clone());
        self.report(step, &failure);
        if on_error == OnError::Halt {
            return Err((failure, job.rule.name().to_owned()));
        }
        let said = json!({ "code": failure.fault.code(), "message": failure.detail }).to_string();
        let (id, token) = (wait.id.as_str().to_owned(), wait.token.text().to_owned());
        let ended = blocking(&self.rooms.vault, move |vault| {
            vault.end_wait(&id, &token, Ending::Failed, said.into_bytes())
        });
        ended.await.map(drop).map_err(|failure| (failure, job.rule.name().to_owned()))
    }
}

pub(crate) fn none(failure: Failure) -> Refused {
    (failure, String::new())
}

/// What a trace tells of a job that is handed out.
pub(crate) fn told(job: &Job<'_>, wait: &Wait) -> serde_json::Value {
    json!({ "name": job.rule.name(), "wait": wait.id.as_str(), "until": wait.expires.to_string() })
}

/// The job of a part, when it has one.
fn waits<'p, 'r>(part: &'p mut Part<'r>) -> Option<&'p mut Job<'r>> {
    match part {
        Part::Waits(job) => Some(job),
        Part::Added(_) => None,
    }
}

/// Lets go of a run whose client left while its jobs were handed out: their workers may call
/// back all the same.
struct Hold<'a> {
    vault: &'a LateVault,
    life: &'a Life,
    run: &'a Id,
    let_go: bool,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let Some(vault) = self.vault.get().filter(|_| !self.let_go).cloned() else { return };
        let (run, owner, ready) = (self.run.clone(), self.life.name.clone(), Arc::clone(&self.life.ready));
        aside(move || match vault.release_run(&run, &owner) {
            Err(error) => {
                tracing::error!(%run, err = %error, "a request that waits is stuck until the next start")
            }
            Ok(true) => ready.notify_one(),
            Ok(false) => {}
        });
    }
}
