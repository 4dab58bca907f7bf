//! One request from the event to its end: scope after scope.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use model::{Envelope, Failure, Fault, Id, StackName};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use txcl::Waits;
use vault::{Credentials, WaitEnd};

use crate::chassis::Chassis;
use crate::dispatch::Place;
use crate::fuel::{Fuel, Way};
use crate::held::Held;
use crate::joining::Met;
use crate::journey::{Run, path_of};
use crate::keeping::Form;
use crate::life::{Carried, aside, blocking};
use crate::modes::promised;
use crate::request::{Outcome, Piece, Request, RequestFailure, Ticket};
use crate::rooms::Rooms;
use crate::ruleset::{File, RuleSet};
use crate::scope::{Came, ScopeEnd, ScopeRun, run_scope};
use crate::suspend::{Where, none};
use crate::trace::{CANCELLED, Recording, Start};
use crate::walk::Next;

/// How many stages without a visit a trace names.
const UNREACHED: usize = 100;

impl Chassis {
    /// Carries a request to its end, or to where it waits; `held` is where it waited before.
    pub(crate) async fn carry(
        &self,
        mut request: Request,
        pieces: Option<Sender<Piece>>,
        carried: Carried,
        held: Option<(Held, Vec<WaitEnd>)>,
    ) -> Outcome {
        let began = Instant::now();
        let rules = Arc::clone(&request.rules);
        let recording = self.trace.begin(&Start {
            request: &request.id,
            tenant: request.tenant_slug.as_str(),
            stack: request.stack.as_str(),
            started: Timestamp::now(),
            envelope: &request.envelope,
            hiding: rules.hiding(),
            again: held.is_some(),
        });
        match carried.run() {
            None => recording.event("request.start", || json!({ "tenant": request.tenant_slug.as_str() })),
            Some(run) => recording.event("continuation.resume", || json!({ "run": run.as_str() })),
        }
        // Nobody else holds it, so that it is changed where it is.
        let envelope = std::mem::take(&mut request.envelope);
        let arrived = if recording.is_on() { envelope.clone() } else { Envelope::default() };
        // Wiped when this function ends, on every path.
        let credentials = Arc::new(Credentials::new());
        let mut ending = Ending {
            rooms: &self.rooms,
            recording: &recording,
            request: &request,
            carried: &carried,
            resumed: held.is_some(),
            ended: false,
        };
        let used = held.as_ref().map_or(0, |(held, _)| held.fuel);
        let fuel = Fuel::new(self.rooms.settings.fuel).having(used);
        let run = Run {
            request: &request,
            rules: &rules,
            credentials: &credentials,
            recording: &recording,
            fuel: &fuel,
            carried: &carried,
            pieces,
        };
        // Where it is: a future that is moved has room for itself twice.
        let walk = pin!(self.walk(&run, envelope, held));
        let walk = tokio::time::timeout(self.rooms.settings.op_timeout_max, walk);
        let stopped = |fault, detail| Outcome::failed(arrived, Failure::new(fault, detail));
        let outcome = tokio::select! {
            biased;
            () = carried.cancelled(&self.rooms.life) => stopped(Fault::RunCancelled, String::new()),
            walked = walk => match walked {
                Ok(outcome) => outcome,
                Err(_elapsed) => {
                    let most = self.rooms.settings.op_timeout_max.as_secs();
                    stopped(Fault::RequestTimeout, format!("longer than {most} s"))
                }
            },
        };
        let failed = outcome.failure.as_ref().map(|failure| failure.failure.fault.code());
        ending.ended = true;
        if let Some(watch) = request.watch() {
            watch.ended(failed);
        }
        if outcome.waits {
            return outcome;
        }
        if let Some(RequestFailure { failure, rule }) = &outcome.failure
            && rule.is_empty()
        {
            // Of a rule that failed `dispatch` has told; here nobody has.
            tracing::warn!(
                request_id = %request.id,
                tenant = %request.tenant_slug,
                code = failure.fault.code(),
                detail = %failure.detail,
                "request failed"
            );
        }
        self.rooms.counts.request(&request.tenant_slug, failed.unwrap_or("ok"));
        recording.end(&outcome.envelope, outcome.failure.as_ref().map(|f| &f.failure), began.elapsed());
        if let Some(run) = carried.run() {
            self.keep_end(&carried, run, &outcome).await;
        }
        outcome
    }

    /// Keeps how a request ended, for its client to ask for.
    async fn keep_end(&self, carried: &Carried, run: &Id, outcome: &Outcome) {
        let (run, owner) = (run.clone(), self.rooms.life.name.clone());
        let name = run.clone();
        let failed = outcome.failure.as_ref().map(|failed| failed.failure.fault.code());
        // Nobody can ask for the answer of one whose client has it.
        let is_asked_for = carried.is_promised();
        let result = outcome.envelope.document().to_json().into_bytes();
        let kept = blocking(&self.rooms.vault, move |vault| match failed {
            Some(code) => vault.end_run(&run, &owner, Err(code)),
            None if is_asked_for => vault.end_run(&run, &owner, Ok(result)),
            None => vault.forget_run(&run, &owner),
        });
        if let Err(error) = kept.await {
            tracing::error!(run = %name, %error, "the end of a request could not be kept");
        }
        let _nobody_asks = self.rooms.life.ends.send(());
    }

    /// Scope after scope, from the entry stack's first to where nothing is left.
    /// With `held` it begins behind the scope where it waited.
    async fn walk(&self, run: &Run<'_>, envelope: Envelope, held: Option<(Held, Vec<WaitEnd>)>) -> Outcome {
        let Run { request, rules, recording, fuel, .. } = *run;
        let mut outcome = Outcome::of(envelope);
        let mut to = Next::Scope { stack: request.stack.clone(), from: 0 };
        let mut way = Way::new(fuel, &self.rooms.settings);
        let (mut seen, mut joins) = (BTreeSet::new(), Vec::new());
        if let Some((held, ends)) = held {
            let (owner, scope) = (held.owner.clone(), held.scope);
            way = way.again((owner.clone(), scope), held.left);
            let place = run.place(&self.rooms, &owner, scope);
            match Box::pin(run.again(&place, &mut outcome, &mut way, &mut joins, (held, &ends))).await {
                Ok(Next::Halt) if joins.is_empty() => return outcome,
                Ok(next) => to = next,
                Err(refused) => {
                    run.joined_badly(&mut outcome, refused);
                    return outcome;
                }
            }
        }
        loop {
            if !joins.is_empty() {
                match Box::pin(run.join(&self.rooms, &mut outcome, &mut way, &mut joins, &mut to)).await {
                    Met::Nothing => {}
                    Met::Waits => return outcome,
                    Met::Fault => break,
                }
            }
            let Next::Scope { stack, from } = to else { break };
            let Some((owner, scope, files)) = rules.scope(&stack, from) else { break };
            match way.enter((owner.clone(), scope)) {
                Ok(wait) if wait.is_zero() => {}
                Ok(wait) => {
                    recording.event("stage.penalty", || json!({ "stack": owner.as_str(), "scope": scope }));
                    tokio::time::sleep(wait).await;
                }
                Err(failure) => {
                    outcome.fail(failure, String::new());
                    break;
                }
            }
            if recording.is_on() {
                seen.insert((owner.clone(), scope));
            }
            recording.event("stage.enter", || {
                json!({ "stack": owner.as_str(), "scope": scope, "fuel_used": fuel.used(), "ttl": way.left() })
            });
            let place = run.place(&self.rooms, owner, scope);
            let envelope = std::mem::take(&mut outcome.envelope);
            let ScopeRun { came, joins: jobs } =
                self.scope(run, &place, files, envelope, outcome.begun).await;
            let deferred = match jobs.is_empty() {
                true => Ok(Vec::new()),
                false if outcome.begun => Err(none(cannot_come_back())),
                false => Box::pin(place.defer(&stack, jobs, &mut joins)).await,
            };
            let end = match (came, deferred) {
                (Came::End(end), Ok(steps)) => {
                    outcome.steps.extend(steps);
                    end
                }
                (came, Err(failure)) => came.failed(failure),
                (came @ Came::Waits(_), Ok(_)) if outcome.begun => came.failed(none(cannot_come_back())),
                (Came::Waits(pending), Ok(_)) => {
                    let envelope = pending.envelope.clone();
                    let here = Where { lane: &stack, left: way.left(), joins: &joins, before: None };
                    match Box::pin(place.suspend(here, pending)).await {
                        Ok(ticket) => {
                            (outcome.waits, outcome.ticket) = (true, ticket);
                            return outcome;
                        }
                        Err(failure) => ScopeEnd { envelope, steps: Vec::new(), failure: Some(failure) },
                    }
                }
            };
            outcome.envelope = end.envelope;
            outcome.steps.extend(end.steps);
            if let Some((failure, rule)) = end.failure {
                run.halted(&mut outcome, failure, path_of(&rule, owner, scope));
                break;
            }
            match run.leave(&mut outcome, &mut way, &stack, (owner, scope), &joins).await {
                Ok(next) => to = next,
                Err(failure) => {
                    outcome.fail(failure, String::new());
                    break;
                }
            }
        }
        if recording.is_on() {
            let unreached = unreached(&request.stack, rules, &seen);
            if !unreached.is_empty() {
                recording.event("stages.unreached", || json!({ "stages": unreached }));
            }
        }
        outcome
    }

    /// Runs a scope. When its rule is continuable and takes long, the client is told to come
    /// back, and the scope goes on.
    async fn scope<'r>(
        &self,
        run: &Run<'_>,
        place: &Place<'_>,
        files: &'r [Arc<File>],
        envelope: Envelope,
        begun: bool,
    ) -> ScopeRun<'r> {
        let all = files.iter().flat_map(|file| &file.rules);
        let promised = if begun { None } else { promised(all).map(txcl::Rule::waits) };
        let Some(Waits::Promised { after }) = promised else {
            return run_scope(place, files, envelope).await;
        };
        let mut scope = Box::pin(run_scope(place, files, envelope));
        match tokio::time::timeout(after.unwrap_or(self.rooms.settings.waiting.after), &mut scope).await {
            Ok(came) => came,
            Err(_elapsed) => {
                Box::pin(self.promise(run, place)).await;
                scope.await
            }
        }
    }

    /// Tells the client to come back, when that can be kept; otherwise it waits on.
    async fn promise(&self, run: &Run<'_>, place: &Place<'_>) {
        let Some(pieces) = run.pieces.as_ref().filter(|_| !run.carried.is_promised()) else { return };
        let Ok(held) = Arc::clone(&self.rooms.life.places).try_acquire_owned() else {
            tracing::warn!("no more requests may run on their own (--continuation-runs): a client waits on");
            return;
        };
        let ticket = match run.carried.take_ticket() {
            Some(ticket) => Some(ticket),
            None => self.promised(place).await,
        };
        let (Some(ticket), Some(name)) = (ticket, run.carried.run()) else { return };
        run.recording.event(
            "stage.suspend",
            || json!({ "stack": place.stack.as_str(), "scope": place.scope, "run": name.as_str() }),
        );
        run.carried.promise(held);
        // A client that left takes its request along.
        let _left = pieces.send(Piece::Ticket(ticket)).await;
    }

    /// Notes that the request will run on its own; gives what its client is to be told with.
    async fn promised(&self, place: &Place<'_>) -> Option<Ticket> {
        let begun = async {
            let name = place.run_name()?;
            let (ticket, _none) = place.keep(&name, Form::Promised).await?;
            place.carried.is(name);
            Ok::<_, Failure>(ticket)
        };
        let (request, begun) = (place.request, begun.await);
        begun.unwrap_or_else(|error| {
            tracing::warn!(request_id = %request.id, tenant = %request.tenant_slug, %error, "a client waits on");
            None
        })
    }
}

fn cannot_come_back() -> Failure {
    let why = "a part of the answer was sent, and its client cannot be told to come back";
    Failure::new(Fault::RuleFailed, why)
}

/// Writes down that a request ended whose client left before, or by a bug.
struct Ending<'a> {
    rooms: &'a Rooms,
    recording: &'a Recording,
    request: &'a Request,
    carried: &'a Carried,
    resumed: bool,
    ended: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.give_up();
            self.rooms.counts.request(&self.request.tenant_slug, CANCELLED);
            self.recording.event("request.end", || json!({ "status": CANCELLED }));
            if let Some(watch) = self.request.watch() {
                let panics = std::thread::panicking();
                watch.ended(Some(if panics { Fault::Internal.code() } else { CANCELLED }));
            }
        }
    }
}

impl Ending<'_> {
    /// A request in the database that nobody carries on now. The next life goes on with one
    /// that waited before and did nothing since; a bug would only meet itself again.
    fn give_up(&self) {
        let (Some(run), Some(vault)) = (self.carried.run(), self.rooms.vault.get()) else { return };
        if self.resumed && !self.carried.is_touched() && !std::thread::panicking() {
            return;
        }
        let fault = if std::thread::panicking() { Fault::Internal } else { Fault::Interrupted };
        let life = &self.rooms.life;
        let (vault, run, owner, ends) =
            (Arc::clone(vault), run.clone(), life.name.clone(), life.ends.clone());
        aside(move || {
            if let Err(error) = vault.end_run(&run, &owner, Err(fault.code())) {
                tracing::error!(%run, err = %error, "the end of a request could not be kept");
            }
            let _nobody_asks = ends.send(());
        });
    }
}

/// The stages of the entry stack, its parents and the stacks that were entered, where the request never came.
fn unreached(lane: &StackName, rules: &RuleSet, seen: &BTreeSet<(StackName, u32)>) -> Vec<serde_json::Value> {
    let near = |stack: &StackName| {
        lane == stack
            || lane.as_str().strip_prefix(stack.as_str()).is_some_and(|rest| rest.starts_with('/'))
            || seen.iter().any(|(entered, _)| entered == stack)
    };
    let stages =
        rules.stages().filter(|(stack, scope, _)| near(stack) && !seen.contains(&((*stack).clone(), *scope)));
    let told = |(stack, scope, files): (&StackName, u32, &[Arc<File>])| {
        let names: Vec<_> = files.iter().flat_map(|file| &file.rules).map(txcl::Rule::name).collect();
        json!({ "stack": stack.as_str(), "scope": scope, "rules": names })
    };
    stages.take(UNREACHED).map(told).collect()
}
