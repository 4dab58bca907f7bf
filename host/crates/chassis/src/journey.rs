//! One request on its way: its places, where it goes behind a scope, and what is sent meanwhile.

use std::sync::Arc;

use jiff::Timestamp;
use model::{Envelope, Failure, Path, StackName, Value};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use txcl::Clock;
use vault::Credentials;

use crate::dispatch::Place;
use crate::fuel::{Fuel, Way, said_ttl};
use crate::held::Join;
use crate::life::Carried;
use crate::request::{Outcome, Piece, Request};
use crate::rooms::Rooms;
use crate::ruleset::RuleSet;
use crate::trace::Recording;
use crate::walk::{Next, next};

/// One request on its way.
pub(crate) struct Run<'a> {
    pub(crate) request: &'a Request,
    pub(crate) rules: &'a RuleSet,
    pub(crate) credentials: &'a Arc<Credentials>,
    pub(crate) recording: &'a Recording,
    pub(crate) fuel: &'a Fuel,
    pub(crate) carried: &'a Carried,
    pub(crate) pieces: Option<Sender<Piece>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    GoOn,
    NobodyListens,
}

impl<'a> Run<'a> {
    /// A stage of it, at this moment.
    pub(crate) fn place<'s>(&self, rooms: &'s Rooms, stack: &'s StackName, scope: u32) -> Place<'s>
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

    /// Behind a scope: where the request goes next. While something is to join it, nothing of its
    /// answer is sent.
    pub(crate) async fn leave(
        &self,
        outcome: &mut Outcome,
        way: &mut Way<'_>,
        stack: &StackName,
        stage: (&StackName, u32),
        joins: &[Join],
    ) -> Result<Next, Failure> {
        let (owner, scope) = stage;
        self.recording.event("stage.merge", || json!({ "stack": owner.as_str(), "scope": scope }));
        match self.steered(outcome, way, stage, stack, scope.checked_add(1))? {
            Next::Scope { stack: to, from } if joins.is_empty() => {
                let sent = self.send_on(outcome, &to, from).await;
                Ok(if sent == Sent::GoOn { Next::Scope { stack: to, from } } else { Next::Halt })
            }
            next @ (Next::Scope { .. } | Next::Halt) => Ok(next),
        }
    }

    /// Where what the envelope says leads from a stage; where it says nothing, on `from` there.
    pub(crate) fn steered(
        &self,
        outcome: &mut Outcome,
        way: &mut Way<'_>,
        (owner, scope): (&StackName, u32),
        stack: &StackName,
        from: Option<u32>,
    ) -> Result<Next, Failure> {
        said_ttl(&mut outcome.envelope).map_or(Ok(()), |said| way.lower(&said))?;
        let next = next(&mut outcome.envelope, self.rules, stack, from)?;
        match &next {
            Next::Scope { stack: to, from: first } if to != stack || Some(*first) != from => {
                self.recording.event(
                    "stage.jump",
                    || json!({ "stack": owner.as_str(), "scope": scope, "to": to.as_str(), "from": first }),
                );
            }
            Next::Scope { .. } => {}
            Next::Halt => {
                self.recording.event("request.halt", || json!({ "stack": owner.as_str(), "scope": scope }));
            }
        }
        Ok(next)
    }

    /// The request ends at the rule of this path, or of none.
    pub(crate) fn halted(&self, outcome: &mut Outcome, failure: Failure, rule: String) {
        self.recording.event("request.halt", || json!({ "rule": rule, "error": failure.fault.code() }));
        outcome.fail(failure, rule);
    }

    /// The same where what a worker said, or did not say, is the reason: nobody has told of it yet.
    pub(crate) fn joined_badly(&self, outcome: &mut Outcome, (failure, rule): (Failure, String)) {
        if !rule.is_empty() {
            tracing::warn!(
                request_id = %self.request.id,
                tenant = %self.request.tenant_slug,
                rule,
                code = failure.fault.code(),
                detail = %failure.detail,
                "rule failed"
            );
        }
        self.halted(outcome, failure, rule);
    }

    /// Sends what a scope left as the answer's body, when there is something to come after
    /// it. The body is then gone from the envelope.
    async fn send_on(&self, outcome: &mut Outcome, stack: &StackName, from: u32) -> Sent {
        // Who was told to come back gets the whole answer then.
        let Some(pieces) = self.pieces.as_ref().filter(|_| !self.carried.is_promised()) else {
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

/// A rule as rules are called everywhere; nothing of none.
pub(crate) fn path_of(rule: &str, owner: &StackName, scope: u32) -> String {
    if rule.is_empty() { String::new() } else { format!("{owner}/{scope}/{rule}") }
}

/// Whether the answer's status is one that has a body.
fn may_have_body(envelope: &Envelope) -> bool {
    let status = envelope.member(["_txc", "web", "res", "status"]).and_then(|status| match status.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => status.as_i64(),
    });
    !matches!(status, Some(204 | 304))
}
