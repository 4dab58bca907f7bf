//! An event on its way in, and what became of it.

use std::sync::Arc;

use model::{Envelope, Failure, Path, RequestId, StackName, TenantId, TenantSlug, Value};

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
}

impl Request {
    /// An event that goes where `route` leads.
    #[must_use]
    pub fn new(id: RequestId, route: Route, envelope: Envelope) -> Self {
        let Route { tenant, tenant_slug, stack, rules } = route;
        Self { id, tenant, tenant_slug, stack, rules, envelope }
    }
}

/// A part of an answer that is sent while the request goes on: `_txc.web.res` of `envelope`
/// has its bytes, and the first has status and headers.
#[derive(Debug)]
pub struct Piece {
    /// The envelope as the scope left it.
    pub envelope: Envelope,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// The envelope as the last scope left it.
    pub envelope: Envelope,
    /// Why the request halted, when it did not end well.
    pub failure: Option<RequestFailure>,
    /// Whether pieces of the answer were sent before: what is left is its last piece.
    pub begun: bool,
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
    pub(crate) fn failed(envelope: Envelope, failure: Failure) -> Self {
        let failure = Some(RequestFailure { failure, rule: String::new() });
        Self { envelope, failure, begun: false, steps: Vec::new() }
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
