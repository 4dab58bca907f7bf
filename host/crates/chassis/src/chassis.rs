//! One request from the event to the shaped envelope.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use model::{Envelope, Failure, Fault, OpName, Path, StackName, Value};
use sandbox::Sandbox;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use txcl::Clock;
use vault::{Credentials, LateVault};

use crate::count::{Counted, Counts, Use};
use crate::dispatch::Place;
use crate::fuel::{Fuel, Way, said_ttl};
use crate::registry::{OpSource, Registry};
use crate::request::{Outcome, Piece, Request, RequestFailure};
use crate::rooms::Rooms;
use crate::ruleset::{File, LoadErrors, RuleSet};
use crate::scope::run_scope;
use crate::settings::Settings;
use crate::space::{Space, Unbound};
use crate::trace::{Recording, Start, Trace};
use crate::walk::{Next, next};

/// How many stages without a visit a trace names.
const UNREACHED: usize = 100;

/// The rooms below, put together.
pub struct Parts {
    /// The secret store, when it is on.
    pub vault: LateVault,
    /// Runs ops.
    pub sandbox: Sandbox,
    /// Sends requests.
    pub egress: egress::Client,
    /// Keeps traces.
    pub trace: Trace,
    /// Limits of a run.
    pub settings: Settings,
}

/// The assembly line: rules in, requests through.
pub struct Chassis {
    rooms: Rooms,
    /// Owns the epoch ticker that enforces every op's wall-clock limit.
    sandbox: Sandbox,
    trace: Trace,
    space: ArcSwap<Space>,
}

impl Chassis {
    /// Puts the rooms together and compiles the built-in ops.
    ///
    /// # Errors
    /// When a built-in op is not what its lock says, or does not compile.
    pub fn new(parts: Parts) -> Result<Self, sandbox::Error> {
        let registry = Registry::of_builtins(&parts.sandbox)?;
        Ok(Self {
            rooms: Rooms {
                vault: parts.vault,
                egress: parts.egress,
                registry,
                large_places: Arc::new(Semaphore::new(parts.settings.large_ops)),
                settings: parts.settings,
                counts: Counts::default(),
                places: Mutex::default(),
                callers: Mutex::default(),
            },
            sandbox: parts.sandbox,
            trace: parts.trace,
            space: ArcSwap::from_pointee(Space::empty(Unbound::Lone)),
        })
    }

    /// Finds every op of the tenant that `rules` call among `ops`, and compiles it.
    ///
    /// # Errors
    /// [`LoadErrors::Ops`].
    pub fn bind(&self, mut rules: RuleSet, ops: &dyn OpSource) -> Result<RuleSet, LoadErrors> {
        rules.bind(|name| {
            let components = ops.components(name)?;
            if components.is_empty() {
                return Err(unknown(&ops.names()));
            }
            let loaded = self.rooms.registry.tenant(&self.sandbox, name, &components);
            loaded.map_err(|error| error.to_string())
        })?;
        Ok(rules)
    }

    /// From now on requests find their rules in `space`; those under way keep theirs.
    pub fn serve(&self, space: Space) {
        self.space.store(Arc::new(space));
    }

    /// Who is served what now.
    #[must_use]
    pub fn space(&self) -> Arc<Space> {
        self.space.load_full()
    }

    /// Compiles a component as an op of a tenant, to see whether it is one; what was compiled
    /// is in the code cache, when there is one.
    ///
    /// # Errors
    /// [`sandbox::Error`] with the reason.
    pub fn try_op(&self, name: &OpName, component: &[u8]) -> Result<(), sandbox::Error> {
        self.rooms.registry.tenant(&self.sandbox, name, &[component.to_vec()]).map(drop)
    }

    /// Writes down what is only in memory: how often secrets were used. To be called now and
    /// then, and at the end.
    pub fn settle(&self) {
        self.trace.flush();
        if let Some(Err(error)) = self.rooms.vault.get().map(|vault| vault.write_uses()) {
            tracing::warn!(err = %error, "uses of secrets not written down; tried again later");
        }
    }

    /// How many ops were compiled and how many came from the code cache.
    #[must_use]
    pub fn ready(&self) -> sandbox::Ready {
        self.sandbox.ready()
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.rooms.counts.totals()
    }

    /// Takes the uses of secrets of the minutes before `now`'s, or with no moment all that
    /// were not taken yet; each comes once.
    #[must_use]
    pub fn take_uses(&self, now: Option<Timestamp>) -> Vec<(Use, u64)> {
        self.rooms.counts.take_uses(now)
    }

    /// Takes uses back that could not be written down.
    pub fn give_back_uses(&self, uses: Vec<(Use, u64)>) {
        self.rooms.counts.give_back(uses);
    }

    /// Runs one request. Never fails as a call: what goes wrong is in the outcome. Dropping
    /// the future ends it: requests to upstreams are broken off, ops are interrupted.
    pub async fn run(&self, request: Request) -> Outcome {
        self.run_to(request, None).await
    }

    /// The same, where the answer may be sent piece by piece: a body that a scope leaves
    /// behind goes into `pieces` when there is another scope for this request.
    pub async fn run_streaming(&self, request: Request, pieces: Sender<Piece>) -> Outcome {
        self.run_to(request, Some(pieces)).await
    }

    async fn run_to(&self, request: Request, pieces: Option<Sender<Piece>>) -> Outcome {
        let began = Instant::now();
        let rules = Arc::clone(&request.rules);
        let recording = self.trace.begin(&Start {
            request: &request.id,
            tenant: request.tenant_slug.as_str(),
            stack: request.stack.as_str(),
            started: Timestamp::now(),
            envelope: &request.envelope,
            hiding: rules.hiding(),
        });
        recording.event("request.start", json!({ "tenant": request.tenant_slug.as_str() }));
        // Wiped when this function ends, on every path.
        let credentials = Arc::new(Credentials::new());
        let mut ending =
            Ending { counts: &self.rooms.counts, recording: &recording, request: &request, ended: false };
        let fuel = Fuel::new(self.rooms.settings.fuel);
        let run = Run {
            request: &request,
            rules: &rules,
            credentials: &credentials,
            recording: &recording,
            fuel: &fuel,
            pieces,
        };
        let walk = self.walk(&run);
        let outcome = match tokio::time::timeout(self.rooms.settings.op_timeout_max, walk).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                let detail = format!("longer than {} s", self.rooms.settings.op_timeout_max.as_secs());
                Outcome::failed(request.envelope.clone(), Failure::new(Fault::RequestTimeout, detail))
            }
        };
        let ended = outcome.failure.as_ref().map_or("ok", |failure| failure.failure.fault.code());
        ending.ended = true;
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
        self.rooms.counts.request(&request.tenant_slug, ended);
        recording.end(&outcome.envelope, outcome.failure.as_ref().map(|f| &f.failure), began.elapsed());
        outcome
    }

    /// Scope after scope, from the entry stack's first to where nothing is left.
    async fn walk(&self, run: &Run<'_>) -> Outcome {
        let Run { request, rules, credentials, recording, fuel, .. } = *run;
        let mut outcome =
            Outcome { envelope: request.envelope.clone(), failure: None, begun: false, steps: Vec::new() };
        let mut stack = request.stack.clone();
        let mut from = 0;
        let mut way = Way::new(fuel, &self.rooms.settings);
        let mut seen = BTreeSet::new();
        while let Some((owner, scope, files)) = rules.scope(&stack, from) {
            match way.enter(format!("{owner}/{scope}")) {
                Ok(wait) if wait.is_zero() => {}
                Ok(wait) => {
                    recording.event("stage.penalty", json!({ "stack": owner, "scope": scope }));
                    tokio::time::sleep(wait).await;
                }
                Err(failure) => {
                    outcome.fail(failure, String::new());
                    break;
                }
            }
            let Ok(owner) = StackName::parse(owner) else { break };
            if recording.is_on() {
                seen.insert((owner.as_str().to_owned(), scope));
            }
            recording.event(
                "stage.enter",
                json!({ "stack": owner.as_str(), "scope": scope, "fuel_used": fuel.used(), "ttl": way.left() }),
            );
            let place = Place {
                rooms: &self.rooms,
                rules,
                request,
                credentials,
                fuel,
                stack: &owner,
                scope,
                // One time for all ops of a scope entry (R26).
                clock: Clock { now: Timestamp::now() },
            };
            let envelope = std::mem::take(&mut outcome.envelope);
            let end = run_scope(&place, files, envelope, recording).await;
            outcome.envelope = end.envelope;
            outcome.steps.extend(end.steps);
            if let Some((failure, rule)) = end.failure {
                let rule = if rule.is_empty() { rule } else { format!("{owner}/{scope}/{rule}") };
                recording.event("request.halt", json!({ "rule": rule, "error": failure.fault.code() }));
                outcome.fail(failure, rule);
                break;
            }
            recording.event("stage.merge", json!({ "stack": owner.as_str(), "scope": scope }));
            let lowered = said_ttl(&mut outcome.envelope).map_or(Ok(()), |said| way.lower(&said));
            match lowered.and_then(|()| next(&mut outcome.envelope, rules, &stack, scope)) {
                Ok(Next::Scope { stack: to, from: first }) => {
                    if to != stack || first != scope.saturating_add(1) {
                        let facts = json!({ "stack": owner.as_str(), "scope": scope, "to": to.as_str(), "from": first });
                        recording.event("stage.jump", facts);
                    }
                    stack = to;
                    from = first;
                    if run.send_on(&mut outcome, &stack, from).await == Sent::NobodyListens {
                        break;
                    }
                }
                Ok(Next::Halt) => {
                    recording.event("request.halt", json!({ "stack": owner.as_str(), "scope": scope }));
                    break;
                }
                Err(failure) => {
                    outcome.fail(failure, String::new());
                    break;
                }
            }
        }
        if recording.is_on() {
            let unreached = unreached(&request.stack, rules, &seen);
            if !unreached.is_empty() {
                recording.event("stages.unreached", json!({ "stages": unreached }));
            }
        }
        outcome
    }
}

/// One request on its way.
struct Run<'a> {
    request: &'a Request,
    rules: &'a RuleSet,
    credentials: &'a Arc<Credentials>,
    recording: &'a Recording,
    fuel: &'a Fuel,
    pieces: Option<Sender<Piece>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    GoOn,
    NobodyListens,
}

impl Run<'_> {
    /// Sends what a scope left as the answer's body, when there is something to come after
    /// it. The body is then gone from the envelope.
    async fn send_on(&self, outcome: &mut Outcome, stack: &StackName, from: u32) -> Sent {
        let Some(pieces) = &self.pieces else { return Sent::GoOn };
        let Ok(body) = Path::from_segments(["_txc", "web", "res", "body"]) else { return Sent::GoOn };
        let is_body = outcome
            .envelope
            .get(&body)
            .is_some_and(|body| !matches!(body, Value::Null) && body.as_str() != Some(""));
        if !is_body || !may_have_body(&outcome.envelope) || !self.comes_more(&outcome.envelope, stack, from) {
            return Sent::GoOn;
        }
        let piece = Piece { envelope: outcome.envelope.clone() };
        outcome.envelope.remove(&body);
        outcome.begun = true;
        self.recording.event("stage.stream", json!({ "before": format!("{stack}/{from}") }));
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
    let status = Path::from_segments(["_txc", "web", "res", "status"]).ok();
    let status = status.and_then(|path| envelope.get(&path));
    let status = status.and_then(|status| match status.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => status.as_i64(),
    });
    !matches!(status, Some(204 | 304))
}

/// Writes down that a request ended whose client left before.
struct Ending<'a> {
    counts: &'a Counts,
    recording: &'a Recording,
    request: &'a Request,
    ended: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.counts.request(&self.request.tenant_slug, CANCELLED);
            self.recording.event("request.end", json!({ "status": CANCELLED }));
        }
    }
}

/// How a request ends whose client left.
const CANCELLED: &str = "cancelled";

/// The stages of the entry stack, its parents and the stacks that were entered, where the request never came.
fn unreached(lane: &StackName, rules: &RuleSet, seen: &BTreeSet<(String, u32)>) -> Vec<serde_json::Value> {
    let lane = lane.as_str();
    let near = |stack: &str| {
        lane == stack
            || lane.strip_prefix(stack).is_some_and(|rest| rest.starts_with('/'))
            || seen.iter().any(|(entered, _)| entered == stack)
    };
    let stages = rules
        .stages()
        .filter(|(stack, scope, _)| near(stack) && !seen.contains(&((*stack).to_owned(), *scope)));
    let told = |(stack, scope, files): (&str, u32, &[Arc<File>])| {
        let names: Vec<_> = files.iter().flat_map(|file| &file.rules).map(txcl::Rule::name).collect();
        json!({ "stack": stack, "scope": scope, "rules": names })
    };
    stages.take(UNREACHED).map(told).collect()
}

/// What is said of an op that is not there.
fn unknown(names: &[OpName]) -> String {
    let there = names.iter().map(|name| format!("op://{name}")).collect::<Vec<_>>().join(", ");
    let there =
        if there.is_empty() { "none was pushed yet".to_owned() } else { format!("there are {there}") };
    format!(
        "there is no such op; {there} (`txco op push` sends one; `txco dev` builds those whose sources lie below OPS)"
    )
}
