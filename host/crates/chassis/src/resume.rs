//! A scope whose workers are done: what they said is merged as if it had just come.

use egress::Reply;
use model::{Envelope, Failure, Fault, Value};
use txcl::{Prepared, Rule};
use vault::{Ending, WaitEnd};

use crate::dispatch::Place;
use crate::held::{Held, HeldPart, Join};
use crate::outbound::{OnError, after_reply};
use crate::reply::received;
use crate::ruleset::RuleSet;
use crate::scope::{Added, ScopeEnd, joined};

impl<'a> Place<'a> {
    /// Merges what the scope's rules came to, in their order, onto its envelope.
    pub(crate) fn rejoin(&self, held: Held, ends: &[WaitEnd]) -> ScopeEnd {
        let Held { envelope, parts, .. } = held;
        let mut ends = ends.iter();
        let mut added = Vec::new();
        for part in parts {
            let one = match part {
                HeldPart::Added { rule, output, written } => {
                    self.rule(&rule).map(|rule| Added { rule, output, written }).map_err(|e| (e, rule))
                }
                HeldPart::Waits { rule, prepared } => {
                    let end = ends.next().map(|end| (end.ending, end.output.as_slice()));
                    let said = self.rule(&rule).and_then(|of| self.said(of, &prepared, end));
                    said.map_err(|failure| (failure, rule))
                }
            };
            match one {
                Ok(one) => added.push(one),
                Err(failure) => return ScopeEnd { envelope, steps: Vec::new(), failure: Some(failure) },
            }
        }
        joined(self, envelope, &added)
    }

    /// Merges what is due, in the order of scopes and rules: each as the reply of an upstream that
    /// came after all before. What fails is told with its rule, `stack/scope/name`.
    pub(crate) fn join(
        &self,
        envelope: Envelope,
        due: &mut [Join],
        ends: &[WaitEnd],
    ) -> Result<Envelope, (Failure, String)> {
        due.sort_by(|one, other| (one.scope, &one.rule).cmp(&(other.scope, &other.rule)));
        let mut added = Vec::new();
        for join in &*due {
            let place = Place { stack: &join.owner, scope: join.scope, ..*self };
            let one = place.rule(&join.rule).and_then(|rule| {
                let damaged = || Failure::new(Fault::Internal, "a kept rule is none");
                let prepared = Prepared::of_deferred(join.prepared.clone(), &envelope).ok_or_else(damaged)?;
                let mock = join.mock.as_ref().map(|mock| Value::Object(mock.clone()).to_json());
                let end = match (&mock, &join.wait) {
                    (Some(mock), _) => Some((Ending::Completed, mock.as_bytes())),
                    (None, wait) => {
                        let end = ends.iter().find(|end| Some(&end.wait) == wait.as_ref());
                        end.map(|end| (end.ending, end.output.as_slice()))
                    }
                };
                place.said(rule, &prepared, end)
            });
            added.push(one.map_err(|failure| (failure, join.path()))?);
        }
        let end = joined(self, envelope, &added);
        end.failure.map_or(Ok(end.envelope), |(failure, rule)| {
            let path = due.iter().find(|join| join.rule == rule).map(Join::path);
            Err((failure, path.unwrap_or_default()))
        })
    }

    fn rule(&self, name: &str) -> Result<&'a Rule, Failure> {
        let rules: &'a RuleSet = self.rules;
        let files = rules.stage(self.stack, self.scope).unwrap_or_default();
        let rule = files.iter().flat_map(|file| &file.rules).find(|rule| rule.name() == name);
        rule.ok_or_else(|| Failure::new(Fault::RulesGone, format!("there is no rule {name} any more")))
    }

    /// What a worker adds: its output counts as an upstream's reply.
    fn said<'r>(
        &self,
        rule: &'r Rule,
        prepared: &Prepared,
        end: Option<(Ending, &[u8])>,
    ) -> Result<Added<'r>, Failure> {
        let Some((ending, output)) = end else {
            return Err(Failure::new(Fault::Internal, "a job without an end"));
        };
        let (on_error, into) = after_reply(prepared)?;
        let said = Value::parse(output).unwrap_or(Value::Null);
        let (failure, reply) = match ending {
            Ending::Completed => (None, Some(Reply::mocked(said.to_json().into_bytes()))),
            Ending::Failed => (Some(failed(&said)), None),
            Ending::Expired => {
                (Some(Failure::new(Fault::WorkerTimeout, "no call came within max_duration")), None)
            }
        };
        let failure = match (failure, on_error) {
            (Some(failure), OnError::Halt) => return Err(failure),
            (failure, _) => failure,
        };
        let has_failed = failure.is_some();
        let (output, mut record) = received(reply, failure, into.as_ref())?;
        if let Some(record) = record.as_mut().filter(|_| has_failed && ending == Ending::Failed) {
            let error = said.into_object().and_then(|mut said| said.remove("error"));
            record.extend(error.map(|error| ("body".to_owned(), error)));
        }
        Ok(Added { rule, output: self.overlaid(rule, prepared, output, record)?, written: None })
    }
}

/// What went wrong with a worker's part. Its own words are data and stay in the envelope.
fn failed(said: &Value) -> Failure {
    let own = |name: &str| said.as_object()?.get(name)?.as_str();
    let fault = own("code").and_then(|code| Fault::ALL.iter().find(|fault| fault.code() == code));
    match fault {
        // Only what is written here has this form: a worker's error lies one level deeper.
        Some(fault) => Failure::new(*fault, own("message").unwrap_or_default()),
        None => Failure::new(Fault::WorkerFailed, "it called back with status failed"),
    }
}
