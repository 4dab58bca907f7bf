//! One request from the event to its end: scope after scope.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use model::{Envelope, Failure, Fault, Id, Path, StackName, Value};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use txcl::{Clock, Waits};
use vault::{Credentials, WaitEnd};

use crate::chassis::Chassis;
use crate::dispatch::Place;
use crate::fuel::{Fuel, Way, said_ttl};
use crate::held::Held;
use crate::life::{Carried, blocking};
use crate::modes::promised;
use crate::request::{Outcome, Piece, Request, RequestFailure, Ticket};
use crate::rooms::Rooms;
use crate::ruleset::{File, RuleSet};
use crate::scope::{Came, ScopeEnd, run_scope};
use crate::trace::{CANCELLED, Recording, Start};
use crate::walk::{Next, next};

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
            self.keep_end(run, &outcome).await;
        }
        outcome
    }

    /// Keeps how a request ended, for its client to ask for.
    async fn keep_end(&self, run: &Id, outcome: &Outcome) {
        let (run, owner) = (run.clone(), self.rooms.life.name.clone());
        let (name, failed) =
            (run.clone(), outcome.failure.as_ref().map(|failed| failed.failure.fault.code()));
        let result = outcome.envelope.document().to_json().into_bytes();
        let kept = blocking(&self.rooms.vault, move |vault| {
            vault.end_run(&run, &owner, failed.map_or(Ok(result), Err))
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
        let mut stack = request.stack.clone();
        let mut from = 0;
        let mut way = Way::new(fuel, &self.rooms.settings);
        let mut seen = BTreeSet::new();
        if let Some((held, ends)) = held {
            stack = held.lane.clone();
            way = way.again((held.owner.clone(), held.scope), held.left);
            let (owner, scope) = (held.owner.clone(), held.scope);
            let place = run.place(&self.rooms, &owner, scope);
            let end = place.rejoin(held, &ends);
            outcome.envelope = end.envelope;
            let next = match end.failure {
                Some(failure) => Err(failure),
                None => run.leave(&mut outcome, &mut way, &stack, &owner, scope).await.map_err(none),
            };
            match next {
                Ok(Some(next)) => (stack, from) = next,
                Ok(None) => return outcome,
                Err((failure, rule)) => {
                    run.halted(&mut outcome, failure, &rule, &owner, scope);
                    return outcome;
                }
            }
        }
        while let Some((owner, scope, files)) = rules.scope(&stack, from) {
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
            let came = self.scope(run, &place, files, envelope, outcome.begun).await;
            let end = match came {
                Came::End(end) => end,
                Came::Waits(pending) if outcome.begun => {
                    let why = "a part of the answer was sent, and its client cannot be told to come back";
                    let failure = Some((Failure::new(Fault::RuleFailed, why), String::new()));
                    ScopeEnd { envelope: pending.envelope, steps: pending.steps, failure }
                }
                Came::Waits(pending) => {
                    let envelope = pending.envelope.clone();
                    match place.suspend(&stack, way.left(), pending).await {
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
                run.halted(&mut outcome, failure, &rule, owner, scope);
                break;
            }
            match run.leave(&mut outcome, &mut way, &stack, owner, scope).await {
                Ok(Some(next)) => (stack, from) = next,
                Ok(None) => break,
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
    ) -> Came<'r> {
        let all = files.iter().flat_map(|file| &file.rules);
        let promised = if begun { None } else { promised(all).map(txcl::Rule::waits) };
        let mut scope = pin!(run_scope(place, files, envelope));
        let Some(Waits::Promised { after }) = promised else { return scope.await };
        match tokio::time::timeout(after.unwrap_or(self.rooms.settings.waiting.after), &mut scope).await {
            Ok(came) => came,
            Err(_elapsed) => {
                self.promise(run, place).await;
                scope.await
            }
        }
    }

    /// Tells the client to come back, when that can be kept; otherwise it waits on.
    async fn promise(&self, run: &Run<'_>, place: &Place<'_>) {
        let Some(pieces) = run.pieces.as_ref().filter(|_| run.carried.run().is_none()) else { return };
        let Ok(held) = Arc::clone(&self.rooms.life.places).try_acquire_owned() else {
            tracing::warn!("no more requests may run on their own (--continuation-runs): a client waits on");
            return;
        };
        let owner = self.rooms.life.name.clone();
        let (request, waiting) = (run.request, &self.rooms.settings.waiting);
        let (tenant, stack, id) = (request.tenant.clone(), request.stack.clone(), request.id.clone());
        let most = (waiting.runs > 0).then_some(waiting.runs);
        let begun = blocking(&self.rooms.vault, move |vault| {
            let name = vault::Run::name()?;
            let run = vault::Run { id: &name, tenant: &tenant, stack: &stack, request: &id, most };
            Ok(vault.begin_run(&run, &owner, None)?.map(|token| (name, token)))
        });
        match begun.await {
            Ok(Some((name, token))) => {
                run.recording.event(
                    "stage.suspend",
                    || json!({ "stack": place.stack.as_str(), "scope": place.scope, "run": name.as_str() }),
                );
                run.carried.is(name, held);
                // A client that left takes its request along.
                let _left = pieces.send(Piece::Ticket(Ticket(token))).await;
            }
            Ok(None) => {
                tracing::warn!(tenant = %request.tenant_slug, "no more requests may wait (--continuations-max): a client waits on")
            }
            Err(error) => tracing::warn!(request_id = %request.id, %error, "a client waits on"),
        }
    }
}

fn none(failure: Failure) -> (Failure, String) {
    (failure, String::new())
}

/// One request on its way.
struct Run<'a> {
    request: &'a Request,
    rules: &'a RuleSet,
    credentials: &'a Arc<Credentials>,
    recording: &'a Recording,
    fuel: &'a Fuel,
    carried: &'a Carried,
    pieces: Option<Sender<Piece>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    GoOn,
    NobodyListens,
}

impl<'a> Run<'a> {
    /// A stage of it, at this moment.
    fn place<'s>(&self, rooms: &'s Rooms, stack: &'s StackName, scope: u32) -> Place<'s>
    where
        'a: 's,
    {
        Place {
            rooms,
            rules: self.rules,
            request: self.request,
            recording: self.recording,
            credentials: self.credentials,
            fuel: self.fuel,
            carried: self.carried,
            stack,
            scope,
            // One time for all ops of a scope entry (R26).
            clock: Clock { now: Timestamp::now() },
        }
    }

    /// Behind a scope: where the request goes next; nothing when it is done.
    async fn leave(
        &self,
        outcome: &mut Outcome,
        way: &mut Way<'_>,
        stack: &StackName,
        owner: &StackName,
        scope: u32,
    ) -> Result<Option<(StackName, u32)>, Failure> {
        let recording = self.recording;
        recording.event("stage.merge", || json!({ "stack": owner.as_str(), "scope": scope }));
        said_ttl(&mut outcome.envelope).map_or(Ok(()), |said| way.lower(&said))?;
        match next(&mut outcome.envelope, self.rules, stack, scope)? {
            Next::Scope { stack: to, from: first } => {
                if to != *stack || first != scope.saturating_add(1) {
                    recording.event("stage.jump", || {
                        json!({ "stack": owner.as_str(), "scope": scope, "to": to.as_str(), "from": first })
                    });
                }
                let sent = self.send_on(outcome, &to, first).await;
                Ok((sent == Sent::GoOn).then_some((to, first)))
            }
            Next::Halt => {
                recording.event("request.halt", || json!({ "stack": owner.as_str(), "scope": scope }));
                Ok(None)
            }
        }
    }

    fn halted(&self, outcome: &mut Outcome, failure: Failure, rule: &str, owner: &StackName, scope: u32) {
        let rule = if rule.is_empty() { String::new() } else { format!("{owner}/{scope}/{rule}") };
        self.recording.event("request.halt", || json!({ "rule": rule, "error": failure.fault.code() }));
        outcome.fail(failure, rule);
    }

    /// Sends what a scope left as the answer's body, when there is something to come after
    /// it. The body is then gone from the envelope.
    async fn send_on(&self, outcome: &mut Outcome, stack: &StackName, from: u32) -> Sent {
        // Who was told to come back gets the whole answer then.
        let Some(pieces) = self.pieces.as_ref().filter(|_| self.carried.run().is_none()) else {
            return Sent::GoOn;
        };
        const BODY: [&str; 4] = ["_txc", "web", "res", "body"];
        let is_body = |body: &Value| !matches!(body, Value::Null) && body.as_str() != Some("");
        if !outcome.envelope.member(BODY).is_some_and(is_body)
            || !may_have_body(&outcome.envelope)
            || !self.comes_more(&outcome.envelope, stack, from)
        {
            return Sent::GoOn;
        }
        let Ok(body) = Path::from_segments(BODY) else { return Sent::GoOn };
        let piece = Piece::Part(outcome.envelope.clone());
        outcome.envelope.remove(&body);
        outcome.begun = true;
        self.recording.event("stage.stream", || json!({ "before": format!("{stack}/{from}") }));
        match pieces.send(piece).await {
            Ok(()) => Sent::GoOn,
            Err(_closed) => Sent::NobodyListens,
        }
    }

    /// Whether a rule ahead applies.
    fn comes_more(&self, envelope: &Envelope, stack: &StackName, from: u32) -> bool {
        let clock = Clock { now: Timestamp::now() };
        let mut from = from;
        while let Some((_, scope, files)) = self.rules.scope(stack, from) {
            // A rule that cannot be decided will fail there, which is something to come.
            let applies = |rule: &txcl::Rule| rule.matches(envelope, &clock).unwrap_or(true);
            if files.iter().flat_map(|file| &file.rules).any(applies) {
                return true;
            }
            let Some(next) = scope.checked_add(1) else { return false };
            from = next;
        }
        false
    }
}

/// Whether the answer's status is one that has a body.
fn may_have_body(envelope: &Envelope) -> bool {
    let status = envelope.member(["_txc", "web", "res", "status"]).and_then(|status| match status.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => status.as_i64(),
    });
    !matches!(status, Some(204 | 304))
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
        if let Err(error) = vault.end_run(run, &self.rooms.life.name, Err(fault.code())) {
            tracing::error!(%run, err = %error, "the end of a request could not be kept");
        }
        let _nobody_asks = self.rooms.life.ends.send(());
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
