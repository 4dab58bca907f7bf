//! A scope whose workers are done: what they said is merged as if it had just come.

use egress::Reply;
use model::{Failure, Fault, Value};
use txcl::{Prepared, Rule};
use vault::{Ending, WaitEnd};

use crate::dispatch::Place;
use crate::held::{Held, HeldPart};
use crate::outbound::{OnError, after_reply};
use crate::reply::received;
use crate::scope::{Added, ScopeEnd, joined};

impl Place<'_> {
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
                    let said = self.rule(&rule).and_then(|of| self.said(of, &prepared, ends.next()));
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

    fn rule(&self, name: &str) -> Result<&Rule, Failure> {
        let files = self.rules.stage(self.stack, self.scope).unwrap_or_default();
        let rule = files.iter().flat_map(|file| &file.rules).find(|rule| rule.name() == name);
        rule.ok_or_else(|| Failure::new(Fault::RulesGone, format!("there is no rule {name} any more")))
    }

    /// What a worker adds: its output counts as an upstream's reply.
    fn said<'r>(
        &'r self,
        rule: &'r Rule,
        prepared: &Prepared,
        end: Option<&WaitEnd>,
    ) -> Result<Added<'r>, Failure> {
        let Some(end) = end else { return Err(Failure::new(Fault::Internal, "a job without an end")) };
        let (on_error, into) = after_reply(prepared)?;
        let said = Value::parse(&end.output).unwrap_or(Value::Null);
        let (failure, reply) = match end.ending {
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
        if let Some(record) = record.as_mut().filter(|_| has_failed && end.ending == Ending::Failed) {
            let error = said.into_object().and_then(|mut said| said.shift_remove("error"));
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
