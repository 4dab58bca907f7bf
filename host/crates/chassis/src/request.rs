//! An event on its way in, and what became of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{Envelope, Failure, Path, RequestId, StackName, TenantId, TenantSlug, Value};
use vault::Token;

use crate::admission::Pass;
use crate::ruleset::RuleSet;
use crate::space::Route;
use crate::trace::Step;

/// An event that came in.
#[derive(Debug)]
pub struct Request {
    /// Our own id of it (R35).
    pub id: RequestId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The same, for people.
    pub tenant_slug: TenantSlug,
    /// The stack that it enters.
    pub stack: StackName,
    /// The rules that answer it, to its end.
    pub rules: Arc<RuleSet>,
    /// What it brought.
    pub envelope: Envelope,
    /// Whether workers are to have jobs of it.
    owing: Owing,
    /// Who is told of it while it runs.
    watch: Option<Watched>,
    /// It counts as running for as long as it exists.
    _pass: Option<Pass>,
}

impl Request {
    /// An event that goes where `route` leads.
    #[must_use]
    pub fn new(id: RequestId, route: Route, envelope: Envelope) -> Self {
        let Route { tenant, tenant_slug, stack, rules } = route;
        let owing = Owing::default();
        Self { id, tenant, tenant_slug, stack, rules, envelope, owing, watch: None, _pass: None }
    }

    /// The same, let in by `pass`.
    #[must_use]
    pub fn admitted(self, pass: Pass) -> Self {
        Self { _pass: Some(pass), ..self }
    }

    /// The same, watched.
    #[must_use]
    pub fn watched(self, watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(Watched(watch)), ..self }
    }

    /// Tells, while it runs, whether it may be dropped.
    #[must_use]
    pub fn owing(&self) -> Owing {
        self.owing.clone()
    }

    /// It waits from now on, and its workers have not all been told.
    pub(crate) fn owes(&self) {
        self.owing.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn watch(&self) -> Option<&dyn Watch> {
        self.watch.as_ref().map(|Watched(watch)| &**watch)
    }

    /// What of `value` may be shown that it brought at `path`: rules may hide it.
    #[must_use]
    pub fn shown(&self, path: &Path, value: Value) -> Option<Value> {
        let mut envelope = Envelope::default();
        envelope.set(path, value).ok()?;
        self.rules.hiding().shown(envelope.document()).get(path).cloned()
    }
}

/// Whether a request that runs owes workers their jobs: it is stored then, and whoever drops it leaves some of them
/// without. When its client leaves it is to be run on, which ends as soon as they have them.
#[derive(Debug, Clone, Default)]
pub struct Owing(Arc<AtomicBool>);

impl Owing {
    /// Whether it does.
    #[must_use]
    pub fn is(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Watches a request: its client may leave before its end.
pub trait Watch: Send + Sync {
    /// A rule has run, or was broken off.
    fn step(&self, step: &Step);
    /// It has ended, or waits: well, or with this code.
    fn ended(&self, failure: Option<&'static str>);
    /// By what it is known when it goes on after it waited, perhaps in another life.
    fn mark(&self) -> String;
}

/// Watches requests that go on after they waited.
pub trait Watchers: Send + Sync {
    /// Who watches this one, which was known by `mark` before.
    fn again(self: Arc<Self>, request: &Request, mark: &str) -> Option<Arc<dyn Watch>>;
}

struct Watched(Arc<dyn Watch>);

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

/// What a client is told while its request goes on.
#[derive(Debug)]
pub enum Piece {
    /// A part of the answer: `_txc.web.res` of the envelope, as a scope left it, has its
    /// bytes, and the first has status and headers.
    Part(Envelope),
    /// There will be an answer, and this is what to ask for it with. The last piece.
    Ticket(Ticket),
}

/// What a client asks for its answer with, later; not printable.
pub struct Ticket(pub(crate) Token);

impl Ticket {
    /// The text for the client, and for nobody else: who has it may read the answer.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// The envelope as the last scope left it; of a scope that failed, as far as it came.
    pub envelope: Envelope,
    /// Why the request halted, when it did not end well.
    pub failure: Option<RequestFailure>,
    /// Whether pieces of the answer were sent before: what is left is its last piece.
    pub begun: bool,
    /// Whether it waits for a worker: then it is not over, and the envelope is not an answer.
    pub waits: bool,
    /// What its client asks with when it waits, unless the client has been told already.
    pub ticket: Option<Ticket>,
    /// What each rule did, in the order of scopes and names.
    pub steps: Vec<Step>,
}

/// A failure, and whose.
#[derive(Debug, Clone)]
pub struct RequestFailure {
    /// What went wrong.
    pub failure: Failure,
    /// The rule, `stack/scope/name`; empty when no single rule is to blame.
    pub rule: String,
}

impl Outcome {
    pub(crate) fn of(envelope: Envelope) -> Self {
        Self { envelope, failure: None, begun: false, waits: false, ticket: None, steps: Vec::new() }
    }

    pub(crate) fn failed(envelope: Envelope, failure: Failure) -> Self {
        let failure = Some(RequestFailure { failure, rule: String::new() });
        Self { failure, ..Self::of(envelope) }
    }

    pub(crate) fn fail(&mut self, failure: Failure, rule: String) {
        self.failure = Some(RequestFailure { failure, rule });
    }

    /// The value at a path of the control plane, such as `web.res.status`.
    #[must_use]
    pub fn control(&self, path: &str) -> Option<&Value> {
        let path = Path::parse(&format!("_txc.{path}")).ok()?;
        self.envelope.get(&path)
    }
}
