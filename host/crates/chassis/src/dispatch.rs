//! One rule: from its matched WHEN to what it leaves for the merge.
//!
//! Everything that can go wrong here ends the rule with a typed failure and nothing sent
//! or half-built (D3); the caller halts the request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egress::Reply;
use jiff::Timestamp;
use model::{Envelope, Failure, Fault, Object, OpName, SecretRef, Value};
use sandbox::{Leash, Op, OpInput, Randomness, Waiting};
use txcl::{Clock, Exec, Prepared, Rule};
use vault::{Caller, Credentials, OpBags, SecretBag};

use crate::fuel::{self, Fuel};
use crate::grant::grant;
use crate::life::Carried;
use crate::merge::weight;
use crate::mock;
use crate::outbound::{Outbound, outbound, timeout, usual};
use crate::protect::{check_op_field, project};
use crate::registry::Builds;
use crate::reply::received;
use crate::request::Request;
use crate::rooms::Rooms;
use crate::ruleset::RuleSet;
use crate::trace::{Recording, SecretUse, Step};

/// Inputs up to this weight keep an op with a small budget on the request's own thread (R26).
const INLINE_WEIGHT: usize = 64 << 10;

/// Where and when a rule runs.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) rooms: &'a Rooms,
    /// The rules the request began with, and the ops they are pinned to.
    pub(crate) rules: &'a RuleSet,
    pub(crate) request: &'a Request,
    pub(crate) recording: &'a Recording,
    pub(crate) credentials: &'a Arc<Credentials>,
    pub(crate) fuel: &'a Fuel,
    pub(crate) carried: &'a Carried,
    /// The stack that owns the rule.
    pub(crate) stack: &'a model::StackName,
    pub(crate) scope: u32,
    pub(crate) clock: Clock,
}

/// What a rule did.
pub(crate) struct Done {
    pub(crate) step: Step,
    /// What the op was called with; absent when that could not be evaluated.
    pub(crate) prepared: Option<Prepared>,
    /// What it gives; absent when it failed.
    pub(crate) gives: Option<Gives>,
}

/// What a rule that did not fail gives.
pub(crate) enum Gives {
    /// What it adds to the envelope.
    Output(Object),
    /// A job: its worker is to say what it adds, or a mock has said it.
    Job { mock: Option<Object> },
}

impl Place<'_> {
    /// Runs `rule` on `envelope`; `mock` is the answer that its folder keeps for it.
    pub(crate) async fn run(&self, rule: &Rule, mock: Option<&Object>, envelope: &Envelope) -> Done {
        let began = Instant::now();
        let mut step = Step {
            stack: self.stack.clone(),
            scope: self.scope,
            rule: rule.shared_name(),
            operation: Arc::clone(rule.operand()),
            transport: transport(rule.exec()),
            started: Timestamp::now(),
            elapsed: Duration::ZERO,
            secrets: Vec::new(),
            notes: Vec::new(),
            log: Vec::new(),
            failure: None,
            gone_on_after: None,
            broken_off: false,
        };
        let prepared = rule.prepare(envelope, &self.clock);
        let (prepared, result) = match prepared {
            Ok(prepared) => {
                let running = self.running(rule, &prepared, &mut step);
                let result = self.exec(rule, mock, &prepared, running.step).await;
                running.ended();
                (Some(prepared), result)
            }
            Err(failure) => (None, Err(failure)),
        };
        step.elapsed = began.elapsed();
        let gives = match result {
            Ok(gives) => Some(gives),
            Err(failure) => {
                self.report(&step, &failure);
                step.failure = Some(failure);
                None
            }
        };
        self.rooms.counts.ended(&self.request.tenant, &self.request.tenant_slug, &step);
        Done { step, prepared, gives }
    }

    pub(crate) fn running<'s>(
        &'s self,
        rule: &'s Rule,
        prepared: &'s Prepared,
        step: &'s mut Step,
    ) -> Running<'s> {
        Running { place: self, rule, prepared, step, began: Instant::now(), ended: false }
    }

    /// What a rule did, for the trace and for who watches the request.
    pub(crate) fn told(
        &self,
        rule: &Rule,
        prepared: Option<&Prepared>,
        step: &Step,
        output: Option<&Object>,
    ) {
        self.recording.step(step, rule.text(), prepared.map(|prepared| &prepared.input), output);
        if let Some(watch) = self.request.watch() {
            watch.step(step);
        }
    }

    async fn exec(
        &self,
        rule: &Rule,
        mock: Option<&Object>,
        prepared: &Prepared,
        step: &mut Step,
    ) -> Result<Gives, Failure> {
        if rule.exec().is_some_and(|exec| *exec != Exec::Noop) {
            self.fuel.pay(fuel::EXEC)?;
        }
        let name = || format!("{}/{}/{}", self.stack, self.scope, rule.name());
        let mock = mock::instead(rule.exec(), mock, name, prepared.whole(), self.rooms.settings.mocks)?;
        if mock.is_none() {
            self.fuel.pay(fuel::SECRET.saturating_mul(fuel::secrets(rule.secrets())))?;
        }
        let (output, upstream) = match rule.exec() {
            Some(exec) if let Some(mock) = mock => {
                let answered = self.mocked(exec, rule, mock, prepared, step)?;
                if rule.waits().joins_at().is_some() {
                    return Ok(Gives::Job { mock: Some(mock.clone()) });
                }
                answered
            }
            Some(Exec::Builtin { name, .. }) => {
                (self.op(rule, name, self.builtin(name)?, prepared, step).await?, None)
            }
            Some(Exec::Op { name, .. }) => {
                (self.op(rule, name, self.tenants(name)?, prepared, step).await?, None)
            }
            Some(Exec::Http(_)) if rule.waits().for_worker() => return Ok(Gives::Job { mock: None }),
            Some(Exec::Http(url)) => Box::pin(self.http(rule, url, prepared, step)).await?,
            other if !rule.secrets().is_empty() => {
                let what = other.map_or_else(|| "no EXEC".to_owned(), Exec::operand);
                return Err(Failure::new(
                    Fault::SecretDeclarationInvalid,
                    format!("WITH secrets: there is nothing to give secrets to ({what})"),
                ));
            }
            None | Some(Exec::Noop) => (Object::default(), None),
            Some(Exec::Stage(stage)) => (control("goto", Value::from(stage.as_str())), None),
            Some(Exec::Other { text, .. }) => {
                return Err(Failure::new(
                    Fault::OpUnsupported,
                    format!("EXEC {text:?}: not in this release"),
                ));
            }
        };
        self.overlaid(rule, prepared, output, upstream).map(Gives::Output)
    }

    /// What an op's output is to the envelope: EMIT over it, and the record of the upstream.
    pub(crate) fn overlaid(
        &self,
        rule: &Rule,
        prepared: &Prepared,
        output: Object,
        upstream: Option<Object>,
    ) -> Result<Object, Failure> {
        let output = rule.overlay(Value::Object(output), prepared, &self.clock)?;
        let Value::Object(mut output) = output else {
            return Err(Failure::new(Fault::Internal, "EMIT made something other than an object"));
        };
        if let Some(record) = upstream {
            let mut by_rule = Object::default();
            by_rule.insert(rule.name(), Value::Object(record));
            crate::merge::merge(&mut output, control("upstream", Value::Object(by_rule)));
        }
        Ok(output)
    }

    /// What `mock` adds, as if it had come from where EXEC points.
    fn mocked(
        &self,
        exec: &Exec,
        rule: &Rule,
        mock: &Object,
        prepared: &Prepared,
        step: &mut Step,
    ) -> Result<(Object, Option<Object>), Failure> {
        step.transport = "mock";
        tracing::info!(
            request_id = %self.request.id, stack = %step.stack, scope = step.scope, rule = %step.rule, "using mock"
        );
        let Exec::Http(url) = exec else { return Ok((project(mock.clone()), None)) };
        let Outbound { into, .. } = outbound(url, rule, prepared, &self.rooms.settings)?;
        let reply = Reply::mocked(Value::Object(mock.clone()).to_json().into_bytes());
        received(Some(reply), None, into.as_ref())
    }

    fn builtin(&self, name: &OpName) -> Result<&Builds, Failure> {
        let registry = &self.rooms.registry;
        let found =
            registry.builtin(name).map_err(|error| Failure::new(Fault::Internal, error.to_string()))?;
        found.ok_or_else(|| {
            Failure::new(
                Fault::OpUnknown,
                format!("there is no op txco://{name}; there are {}", registry.names()),
            )
        })
    }

    /// What these rules were bound to when they were loaded.
    fn tenants(&self, name: &OpName) -> Result<&Builds, Failure> {
        let unbound = || Failure::new(Fault::OpUnknown, format!("the rules were loaded without op://{name}"));
        self.rules.op(self.stack, name).ok_or_else(unbound)
    }

    async fn op(
        &self,
        rule: &Rule,
        name: &OpName,
        builds: &Builds,
        prepared: &Prepared,
        step: &mut Step,
    ) -> Result<Object, Failure> {
        self.remember(step, rule.secrets(), "reveal", rule.operand());
        let (op, bags) =
            grant(self.rooms.vault.get().map(AsRef::as_ref), &self.caller(), builds, rule.secrets())?;
        if matches!(rule.exec(), Some(Exec::Op { .. })) {
            step.notes.push(format!("op {}", op.reference()));
        }
        versions(step, &bags.keys, "use");
        versions(step, &bags.reveal, "reveal");
        self.rooms.counts.opened(&self.request.tenant, &self.request.tenant_slug, step);
        let output = self.call(op, rule, prepared, bags, step).await?;
        step.log = output.log;
        if output.log_dropped > 0 {
            step.notes.push(format!("log_dropped {}", output.log_dropped));
        }
        let mut object = Value::object();
        for (path, value) in output.fields {
            check_op_field(&path)?;
            object
                .set(&path, value)
                .map_err(|error| Failure::new(Fault::OpOutputInvalid, format!("{name}: {error}")))?;
        }
        Ok(object.into_object().unwrap_or_default())
    }

    /// Calls the op on this thread when it is quick, otherwise on the blocking pool, where a
    /// tenant has a bounded number of places.
    async fn call(
        &self,
        op: &Arc<Op>,
        rule: &Rule,
        prepared: &Prepared,
        bags: OpBags,
        step: &mut Step,
    ) -> Result<sandbox::OpOutput, Failure> {
        let input = OpInput {
            request: self.request.id.clone(),
            stack: self.stack.as_str().to_owned(),
            scope: self.scope,
            rule: rule.name().to_string(),
            now_millis: u64::try_from(self.clock.now.as_millisecond()).unwrap_or(0),
            params: Arc::clone(&prepared.params),
            envelope: Arc::new(prepared.input.clone()),
            randomness: Randomness::System,
        };
        let began = Instant::now();
        let until = began + self.time(rule, prepared)?;
        let waiting = Waiting::default();
        let leash = waiting.leash(until);
        if op.inline() && weight(prepared.input.document()) <= INLINE_WEIGHT {
            let mut heard = Vec::new();
            let result = op.call_heard(input, bags, self.credentials, &mut heard, &leash);
            self.fuel.ran(began.elapsed());
            step.log = heard;
            return result.map_err(|e| e.failure());
        }
        // It is seldom, and would make every request's future larger.
        let elsewhere = Elsewhere { op, input, bags, until, waiting, leash, began };
        Box::pin(self.call_elsewhere(elsewhere, step)).await
    }

    async fn call_elsewhere(
        &self,
        Elsewhere { op, input, bags, until, waiting, leash, began }: Elsewhere<'_>,
        step: &mut Step,
    ) -> Result<sandbox::OpOutput, Failure> {
        let tenant = &self.request.tenant_slug;
        // Of the one kind or the other: a large op that waits keeps no small one from running.
        let taken = async {
            match op.large() {
                true => self.rooms.large_places.take(tenant).await,
                false => self.rooms.places.take(tenant).await,
            }
        };
        let closing = || Failure::new(Fault::OpBusy, "the chassis is shutting down");
        let busy = || Failure::new(Fault::OpBusy, "no place was free within the time of the rule");
        let taken = tokio::time::timeout_at(until.into(), taken).await.map_err(|_| busy())?;
        let place = taken.ok_or_else(closing)?;
        let (op, credentials) = (Arc::clone(op), Arc::clone(self.credentials));
        let called = tokio::task::spawn_blocking(move || {
            let mut heard = Vec::new();
            let result =
                op.call_heard(input, bags, &credentials, &mut heard, &leash).map_err(|e| e.failure());
            drop(place);
            (result, heard)
        });
        let ended_early = || (Err(Failure::new(Fault::Internal, "an op's thread ended early")), Vec::new());
        // Until here the caller waits; when it leaves, the op is interrupted.
        let (result, heard) = called.await.unwrap_or_else(|_| ended_early());
        drop(waiting);
        self.fuel.ran(began.elapsed());
        step.log = heard;
        result
    }

    /// How long an op may take: what the rule says, or what is usual.
    fn time(&self, rule: &Rule, prepared: &Prepared) -> Result<Duration, Failure> {
        let said = prepared.params.as_object().and_then(|params| params.get("timeout"));
        timeout(said, usual(rule, &self.rooms.settings), &self.rooms.settings)
    }

    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller { tenant: &self.request.tenant, stack: Some(self.stack) }
    }

    /// The secrets a step declares, before it is known whether it gets them.
    pub(crate) fn remember(
        &self,
        step: &mut Step,
        refs: &[SecretRef],
        mode: &'static str,
        destination: &Arc<str>,
    ) {
        step.secrets.extend(refs.iter().map(|r| SecretUse {
            slot: r.slot.clone(),
            name: r.name.clone(),
            version: None,
            mode,
            destination: Arc::clone(destination),
        }));
    }

    /// The log lines of a rule that failed: one for operators, one per secret it did not get.
    pub(crate) fn report(&self, step: &Step, failure: &Failure) {
        tracing::warn!(
            request_id = %self.request.id,
            tenant = %self.request.tenant_slug,
            stack = %step.stack,
            scope = step.scope,
            rule = %step.rule,
            code = failure.fault.code(),
            secret_name = failure.secret.as_ref().map(tracing::field::display),
            detail = %failure.detail,
            "rule failed"
        );
    }
}

/// A call of an op on another thread, by when it must have ended, and since when it is counted.
struct Elsewhere<'a> {
    op: &'a Arc<Op>,
    input: OpInput,
    bags: OpBags,
    until: Instant,
    waiting: Waiting,
    leash: Leash,
    began: Instant,
}

/// A rule that runs: who breaks its request off makes it a step all the same.
pub(crate) struct Running<'a> {
    place: &'a Place<'a>,
    rule: &'a Rule,
    prepared: &'a Prepared,
    pub(crate) step: &'a mut Step,
    began: Instant,
    ended: bool,
}

impl Running<'_> {
    pub(crate) fn ended(mut self) {
        self.ended = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.step.elapsed = self.began.elapsed();
        match std::thread::panicking() {
            true => self.step.failure = Some(Failure::new(Fault::Internal, "a panic; see the log")),
            false => self.step.broken_off = true,
        }
        self.place.told(self.rule, Some(self.prepared), self.step, None);
    }
}

/// Fills in the versions that were really opened, and how.
pub(crate) fn versions<P>(step: &mut Step, bag: &SecretBag<P>, mode: &'static str) {
    for granted in bag.granted() {
        for used in step.secrets.iter_mut().filter(|used| used.slot == *granted.slot) {
            used.version = Some(granted.version);
            used.mode = mode;
        }
    }
}

fn control(key: &str, value: Value) -> Object {
    let mut inner = Object::default();
    inner.insert(key, value);
    let mut outer = Object::default();
    outer.insert("_txc", Value::Object(inner));
    outer
}

fn transport(exec: Option<&Exec>) -> &'static str {
    match exec {
        None | Some(Exec::Noop) => "noop",
        Some(Exec::Builtin { .. }) => "txco",
        Some(Exec::Op { .. }) => "op",
        Some(Exec::Http(_)) => "http",
        Some(Exec::Stage(_)) => "stage",
        Some(Exec::Other { .. }) => "other",
    }
}
