//! A scope that waits for workers: kept first, then handed out, so that no worker calls back to
//! a request that nobody knows.

use futures_util::future::join_all;
use jiff::Timestamp;
use model::{Failure, Fault, Id, StackName, Value};
use serde_json::json;
use txcl::{Exec, Waits};
use vault::{Ending, LateVault, Run, SecretBag, Splice, Step as Kept, Wait};

use crate::calling::notes;
use crate::dispatch::Place;
use crate::held::{At, held};
use crate::life::{Life, blocking};
use crate::outbound::{Job as Contract, OnError, Outbound, job};
use crate::request::{Ticket, Watch};
use crate::scope::{Job, Part, Pending};

/// A job that can be handed out.
struct Ready<'p, 'r> {
    job: &'p mut Job<'r>,
    outbound: Outbound,
    bag: SecretBag<Splice>,
}

/// Why a scope cannot wait, and the rule.
type Refused = (Failure, String);

impl Place<'_> {
    /// Keeps the scope and hands its jobs out. Gives what the client asks with, unless it has
    /// been told before.
    pub(crate) async fn suspend(
        &self,
        lane: &StackName,
        left: Option<u32>,
        mut pending: Pending<'_>,
    ) -> Result<Option<Ticket>, Refused> {
        let none = |failure| (failure, String::new());
        let at = At {
            lane,
            owner: self.stack,
            scope: self.scope,
            fuel: self.fuel.used(),
            left,
            mark: self.request.watch().map(Watch::mark),
        };
        let held = match held(&at, &pending) {
            Ok(held) => held,
            Err(failure) => return Err(self.refused(pending.parts.iter_mut().find_map(waits), failure)),
        };
        let again = self.carried.run().cloned();
        let run = match &again {
            Some(run) => run.clone(),
            None => Run::name().map_err(|error| none(error.failure()))?,
        };
        let (mut all, mut ready, mut failed) = (Vec::new(), Vec::new(), None);
        for (at, part) in pending.parts.iter_mut().enumerate() {
            match waits(part).map(|job| self.ready(&run, job)) {
                None => {}
                Some(Ok((wait, one))) => {
                    all.push(wait);
                    ready.push(one);
                }
                Some(Err(failure)) => {
                    failed = Some((at, failure));
                    break;
                }
            }
        }
        if let Some((at, failure)) = failed {
            drop(ready);
            return Err(self.refused(pending.parts.get_mut(at).and_then(waits), failure));
        }
        let (ticket, waits) = self.keep(&run, again.is_none(), held, all).await.map_err(none)?;
        let mut hold = Hold { vault: &self.rooms.vault, life: &self.rooms.life, run: &run, let_go: false };
        let told = |(one, wait): (&Ready<'_, '_>, &Wait)| {
            let until = wait.expires.to_string();
            json!({ "name": one.job.rule.name(), "wait": wait.id.as_str(), "until": until })
        };
        self.recording.event("stage.suspend", || {
            let told: Vec<_> = ready.iter().zip(&waits).map(told).collect();
            json!({ "stack": self.stack.as_str(), "scope": self.scope, "run": run.as_str(), "waits": told })
        });
        let handed =
            join_all(ready.into_iter().zip(&waits).map(|(one, wait)| self.hand_out(one, wait))).await;
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
        Ok(ticket)
    }

    /// What is said of a job that can be neither kept nor handed out.
    fn refused(&self, job: Option<&mut Job<'_>>, failure: Failure) -> Refused {
        let Some(job) = job else { return (failure, String::new()) };
        self.report(&job.step, &failure);
        job.step.failure = Some(failure.clone());
        self.told(job.rule, Some(&job.prepared), &job.step, None);
        (failure, job.rule.name().to_owned())
    }

    /// Makes a job's request, with its secrets: what is wrong with it shows before it is kept.
    fn ready<'p, 'r>(&self, run: &Id, one: &'p mut Job<'r>) -> Result<(Wait, Ready<'p, 'r>), Failure> {
        let settings = &self.rooms.settings;
        let (Some(Exec::Http(url)), Waits::Worker { most }) = (one.rule.exec(), one.rule.waits()) else {
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
        self.remember(&mut one.step, &refs, "splice", &destination.to_string());
        let bag = self.bag(destination, &refs, &mut one.step)?;
        one.step.notes.push(format!("waits {}", wait.id));
        Ok((wait, Ready { job: one, outbound, bag }))
    }

    async fn keep(
        &self,
        run: &Id,
        new: bool,
        held: Vec<u8>,
        waits: Vec<Wait>,
    ) -> Result<(Option<Ticket>, Vec<Wait>), Failure> {
        let (run, owner) = (run.clone(), self.rooms.life.name.clone());
        let rules = std::sync::Arc::clone(&self.request.rules);
        let (tenant, stack) = (self.request.tenant.clone(), self.request.stack.clone());
        let (request, most) = (self.request.id.clone(), self.rooms.settings.waiting.runs);
        self.rooms.life.remember(&rules);
        let kept = blocking(&self.rooms.vault, move |vault| {
            let snapshot = rules.snapshot();
            let (rules, content) = (*snapshot.digest.as_bytes(), snapshot.content.as_str());
            let step = Kept { rules, content, held, waits: &waits };
            let kept = if new {
                let most = (most > 0).then_some(most);
                let run = Run { id: &run, tenant: &tenant, stack: &stack, request: &request, most };
                vault.begin_run(&run, &owner, Some(step))?.map(|token| Some(Ticket(token)))
            } else {
                vault.suspend_run(&run, &owner, step)?.then_some(None)
            };
            Ok(kept.map(|ticket| (ticket, waits)))
        });
        kept.await?.ok_or_else(|| match new {
            true => {
                let most = self.rooms.settings.waiting.runs;
                Failure::new(Fault::ContinuationsFull, format!("{most} wait (--continuations-max)"))
            }
            false => Failure::new(Fault::Interrupted, "another life of the chassis runs it"),
        })
    }

    /// Hands a job to its worker. One that does not take it has ended its part: with an error
    /// that the request goes on with when its rule says so, and is told here when not.
    async fn hand_out(&self, ready: Ready<'_, '_>, wait: &Wait) -> Result<(), Refused> {
        let Ready { job, outbound: Outbound { draft, on_error, .. }, bag } = ready;
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
        if self.let_go {
            return;
        }
        let released = self.vault.get().map(|vault| vault.release_run(self.run, &self.life.name));
        match released {
            Some(Err(error)) => {
                tracing::error!(run = %self.run, err = %error, "a request that waits is stuck until the next start")
            }
            Some(Ok(true)) => self.life.ready.notify_one(),
            Some(Ok(false)) | None => {}
        }
    }
}
