//! One request from the event to the shaped envelope.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use model::{Failure, Fault, OpName, StackName};
use sandbox::Sandbox;
use serde_json::json;
use tokio::sync::Semaphore;
use txcl::Clock;
use vault::{Credentials, Vault};

use crate::count::{Counted, Counts, Use};
use crate::dispatch::Place;
use crate::registry::{OpSource, Registry};
use crate::request::{Outcome, Request};
use crate::rooms::Rooms;
use crate::ruleset::{LoadErrors, RuleSet};
use crate::scope::run_scope;
use crate::settings::Settings;
use crate::space::{Space, Unbound};
use crate::trace::{Recording, Start, Trace};
use crate::walk::{Next, next};

/// The rooms below, put together.
pub struct Parts {
    /// The secret store, when it is on.
    pub vault: Option<Arc<Vault>>,
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
        if let Some(Err(error)) = self.rooms.vault.as_ref().map(|vault| vault.write_uses()) {
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

    /// Runs one request. Never fails as a call: what goes wrong is in the outcome.
    pub async fn run(&self, request: Request) -> Outcome {
        let began = Instant::now();
        let rules = Arc::clone(&request.rules);
        let recording = self.trace.begin(&Start {
            request: &request.id,
            tenant: request.tenant_slug.as_str(),
            stack: request.stack.as_str(),
            started: Timestamp::now(),
            envelope: &request.envelope,
        });
        recording.event("request.start", json!({ "tenant": request.tenant_slug.as_str() }));
        // Wiped when this function ends, on every path.
        let credentials = Arc::new(Credentials::new());
        let walk = self.walk(&request, &rules, &credentials, &recording);
        let outcome = match tokio::time::timeout(self.rooms.settings.op_timeout_max, walk).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                let detail = format!("longer than {} s", self.rooms.settings.op_timeout_max.as_secs());
                Outcome::failed(request.envelope.clone(), Failure::new(Fault::RequestTimeout, detail))
            }
        };
        let ended = outcome.failure.as_ref().map_or("ok", |failure| failure.failure.fault.code());
        self.rooms.counts.request(&request.tenant_slug, ended);
        recording.end(&outcome.envelope, outcome.failure.as_ref().map(|f| &f.failure), began.elapsed());
        outcome
    }

    /// Scope after scope, from the entry stack's first to where nothing is left.
    async fn walk(
        &self,
        request: &Request,
        rules: &RuleSet,
        credentials: &Arc<Credentials>,
        recording: &Recording,
    ) -> Outcome {
        let mut outcome = Outcome { envelope: request.envelope.clone(), failure: None, steps: Vec::new() };
        let mut stack = request.stack.clone();
        let mut from = 0;
        let mut entered = 0_u32;
        while let Some((owner, scope, files)) = rules.scope(&stack, from) {
            entered = entered.saturating_add(1);
            if self.rooms.settings.stage_entries > 0 && entered > self.rooms.settings.stage_entries {
                let detail = format!(
                    "more than {} stage entries, last {owner}/{scope}",
                    self.rooms.settings.stage_entries
                );
                outcome.fail(Failure::new(Fault::BudgetExhausted, detail), String::new());
                break;
            }
            let Ok(owner) = StackName::parse(owner) else { break };
            recording.event("stage.enter", json!({ "stack": owner.as_str(), "scope": scope }));
            let place = Place {
                rooms: &self.rooms,
                rules,
                request,
                credentials,
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
            match next(&mut outcome.envelope, rules, &stack, scope) {
                Ok(Next::Scope { stack: to, from: first }) => {
                    stack = to;
                    from = first;
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
        outcome
    }
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
