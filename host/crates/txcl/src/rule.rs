//! A checked rule, and what it does to a request.

use std::borrow::Cow;
use std::sync::Arc;

use model::{Envelope, Failure, Fault, Path, SecretRef, Value};

use crate::budget::Budget;
use crate::clock::{Clock, Reason};
use crate::condition::{Condition, Tested};
use crate::control::author_may_write;
use crate::exec::Exec;
use crate::expr::{Expr, Scope};
use crate::header;
use crate::hidden::Hidden;
use crate::waits::Waits;

/// What a rule made ready for its op.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What the op receives.
    pub input: Envelope,
    /// The values of WITH, without the `secrets` tree: an object. Shared with the op.
    pub params: Arc<Value>,
    /// The headers this rule adds to its own outbound request (R3): lower-case names,
    /// each once; a text or a sealed value. Only for http(s) rules.
    pub headers: Vec<(String, Value)>,
    /// The places of the input that this rule itself wrote, by SET or SELECT (R2).
    pub own: Vec<Path>,
    /// The input before SELECT narrowed it, when it did: what EMIT may read.
    pub(crate) full: Option<Envelope>,
    /// What SELECT chose and may persist.
    pub(crate) selected: Vec<Chosen>,
}

impl Prepared {
    /// The input before SELECT narrowed it.
    #[must_use]
    pub fn whole(&self) -> &Envelope {
        self.full.as_ref().unwrap_or(&self.input)
    }
}

/// A value that SELECT chose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) path: Path,
    pub(crate) value: Value,
    pub(crate) line: usize,
}

/// What a rule's SET after SELECT wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Written(pub(crate) Vec<Chosen>);

impl Written {
    /// Writes the same into another envelope, where it is absent.
    ///
    /// # Errors
    /// [`Fault::RuleFailed`]: a path cannot be written there.
    pub fn again(&self, envelope: &mut Envelope) -> Result<(), Failure> {
        for Chosen { path, value, line } in &self.0 {
            if envelope.get(path).is_none() {
                put(envelope, path, value.clone()).map_err(|reason| failure("SET", path, *line, &reason))?;
            }
        }
        Ok(())
    }
}

/// `PATH = VALUE`, checked.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) path: Path,
    pub(crate) value: Expr,
    pub(crate) line: usize,
}

/// One SET before the op runs.
#[derive(Debug)]
pub(crate) enum Set {
    Field(Assignment),
    /// A header of the outbound request, by its canonical name; `path` as written.
    Header(String, Assignment),
}

/// One item of SELECT.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) source: Path,
    pub(crate) target: Path,
    pub(crate) default: Option<Expr>,
    pub(crate) line: usize,
}

/// One rule: immutable, compiled once, shared by all requests.
#[derive(Debug)]
pub struct Rule {
    pub(crate) name: Arc<str>,
    pub(crate) position: usize,
    pub(crate) text: String,
    pub(crate) condition: Condition,
    pub(crate) priority: i64,
    pub(crate) before: Vec<Set>,
    pub(crate) params: Params,
    pub(crate) choices: Vec<Choice>,
    pub(crate) exec: Option<Exec>,
    pub(crate) operand: Arc<str>,
    pub(crate) secrets: Vec<SecretRef>,
    pub(crate) emit: Vec<Assignment>,
    pub(crate) after: Vec<Assignment>,
    pub(crate) hidden: Hidden,
    pub(crate) waits: Waits,
    pub(crate) makes_credential: bool,
}

impl Rule {
    /// `sign`, or `sign.1`, `sign.2` for the rules of a file with several.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, shared.
    #[must_use]
    pub fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Its place among the rules of its file, from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Its text, from its first clause to its last.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// PRIORITY; 0 without one.
    #[must_use]
    pub fn priority(&self) -> i64 {
        self.priority
    }

    /// What it runs, if anything.
    #[must_use]
    pub fn exec(&self) -> Option<&Exec> {
        self.exec.as_ref()
    }

    /// The operand of its EXEC as written; empty without one.
    #[must_use]
    pub fn operand(&self) -> &Arc<str> {
        &self.operand
    }

    /// The secrets it declares, in the order of the text.
    #[must_use]
    pub fn secrets(&self) -> &[SecretRef] {
        &self.secrets
    }

    /// What it asks traces not to show: WITH redact and omit.
    #[must_use]
    pub fn hidden(&self) -> &Hidden {
        &self.hidden
    }

    /// Whether its client waits for it: WITH mode.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// Whether it may put a credential into the envelope: one that arrives in a reply, or one
    /// that its op makes, as far as ops are known.
    #[must_use]
    pub fn makes_credential(&self) -> bool {
        self.makes_credential
    }

    /// Whether it removes something from the envelope.
    #[must_use]
    pub fn deletes(&self) -> bool {
        let targets = self.emit.iter().chain(&self.after).map(|one| &one.path);
        targets
            .chain(self.choices.iter().map(|one| &one.target))
            .any(|path| path.starts_with(&["_txc", "delete"]))
    }

    /// The tests that WHEN comes to, left to right and no further than needed: why it held
    /// or did not. None for `WHEN *` and for no WHEN.
    #[must_use]
    pub fn explain(&self, envelope: &Envelope, clock: &Clock) -> Vec<Tested<'_>> {
        let mut tested = Vec::new();
        // What went wrong is the last of them.
        let _held = self.condition.look(envelope, clock, &mut |one| tested.push(one));
        tested
    }

    /// Whether WHEN holds.
    ///
    /// # Errors
    /// Only [`Fault::CredentialNotInspectable`]: WHEN compared a credential with
    /// something other than `null` (R1).
    pub fn matches(&self, envelope: &Envelope, clock: &Clock) -> Result<bool, Failure> {
        self.condition.holds(envelope, clock).map_err(|met| {
            let text = "a credential can only be compared with null";
            failure("WHEN", met.path, met.line, &Reason::Credential(text.to_owned()))
        })
    }

    /// SET before SELECT, WITH, and SELECT: what the op is called with.
    ///
    /// # Errors
    /// A value could not be evaluated or written: [`Fault::RuleFailed`] naming clause,
    /// path and line; or the rule looked into a credential:
    /// [`Fault::CredentialNotInspectable`].
    pub fn prepare(&self, envelope: &Envelope, clock: &Clock) -> Result<Prepared, Failure> {
        let budget = Budget::default();
        let mut prepared = Prepared {
            input: envelope.clone(),
            params: Arc::clone(&self.params.fixed),
            headers: Vec::new(),
            own: Vec::new(),
            full: None,
            selected: Vec::new(),
        };
        for set in &self.before {
            set.apply(&mut prepared, clock, &budget)?;
        }
        for param in &self.params.others {
            let scope = Scope::of(&prepared.input, clock, &budget);
            let value = param.value(scope).map_err(param.failed("WITH"))?;
            write(Arc::make_mut(&mut prepared.params), &param.path, value).map_err(param.failed("WITH"))?;
        }
        if !self.choices.is_empty() {
            self.select(&mut prepared, clock, &budget)?;
        }
        Ok(prepared)
    }

    /// EMIT: writes onto the op's output, after what SELECT chose.
    ///
    /// # Errors
    /// As [`Rule::prepare`]; and [`Fault::OutputInvalid`] when there is something to
    /// write and `output` is neither an object nor empty (`null`, `""`).
    pub fn overlay(&self, output: Value, prepared: &Prepared, clock: &Clock) -> Result<Value, Failure> {
        if self.emit.is_empty() && prepared.selected.is_empty() {
            return Ok(output);
        }
        let mut output = match output {
            object @ Value::Object(_) => object,
            Value::Null => Value::object(),
            Value::String(text) if text.is_empty() => Value::object(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Sealed(_) => {
                return Err(Failure::new(
                    Fault::OutputInvalid,
                    "EMIT writes onto an object, and the op returned none",
                ));
            }
        };
        for Chosen { path, value, line } in &prepared.selected {
            write(&mut output, path, value.clone())
                .map_err(|reason| failure("SELECT", path, *line, &reason))?;
        }
        let budget = Budget::default();
        let under = prepared.whole();
        for emit in &self.emit {
            let scope = Scope { over: Some(&output), under, clock, budget: &budget };
            let value = emit.value(scope).map_err(emit.failed("EMIT"))?;
            write(&mut output, &emit.path, value).map_err(emit.failed("EMIT"))?;
        }
        Ok(output)
    }

    /// SET after SELECT: writes what is absent onto the merged envelope, and says what it
    /// wrote, so that the same can be written elsewhere: `&uuid` gives another each time.
    ///
    /// # Errors
    /// As [`Rule::prepare`]. What was written before the failure stays written; the
    /// request ends with it.
    pub fn after(&self, envelope: &mut Envelope, clock: &Clock) -> Result<Written, Failure> {
        let budget = Budget::default();
        let mut written = Vec::new();
        for set in &self.after {
            if envelope.get(&set.path).is_none() {
                let scope = Scope::of(envelope, clock, &budget);
                let value = set.value(scope).map_err(set.failed("SET"))?;
                put(envelope, &set.path, value.clone()).map_err(set.failed("SET"))?;
                written.push(Chosen { path: set.path.clone(), value, line: set.line });
            }
        }
        Ok(Written(written))
    }

    /// SELECT (spec txcl §6.5): each choice is written into the full input and into a
    /// fresh document that becomes the op's input, and persists like an EMIT.
    fn select(&self, prepared: &mut Prepared, clock: &Clock, budget: &Budget) -> Result<(), Failure> {
        let mut full = std::mem::take(&mut prepared.input);
        // A body that is chosen as it is keeps the bytes it was received as (R4).
        let keeps_body = self
            .choices
            .iter()
            .any(|c| c.is_whole_body() && full.get(&c.source).is_some_and(|body| !is_empty(body)));
        let mut narrowed = full.filtered(|name| name == "_ts" || (keeps_body && name == "body"));
        for choice in &self.choices {
            let failed = |reason: Reason| failure("SELECT", &choice.target, choice.line, &reason);
            let found = full.get(&choice.source).filter(|v| !is_empty(v));
            let as_it_is = found.is_some() && choice.source == choice.target;
            let value = match (found, &choice.default) {
                (Some(value), _) => Cow::Borrowed(value),
                (None, Some(default)) => default.value(Scope::of(&full, clock, budget)).map_err(failed)?,
                (None, None) => Cow::Owned(Value::from("")),
            };
            budget.write(&choice.target, &value).map_err(failed)?;
            let value = value.into_owned();
            if !as_it_is {
                put(&mut full, &choice.target, value.clone()).map_err(failed)?;
            }
            if !(as_it_is && choice.is_whole_body()) {
                put(&mut narrowed, &choice.target, value.clone()).map_err(failed)?;
            }
            if author_may_write(&choice.target) {
                let (path, line) = (choice.target.clone(), choice.line);
                prepared.selected.push(Chosen { path, value, line });
            }
            prepared.own.push(choice.target.clone());
        }
        prepared.input = narrowed;
        prepared.full = Some(full);
        Ok(())
    }
}

impl Choice {
    fn is_whole_body(&self) -> bool {
        let whole = |path: &Path| path.first() == Some("body") && path.segments().len() == 1;
        whole(&self.source) && whole(&self.target)
    }
}

impl Set {
    fn apply(&self, prepared: &mut Prepared, clock: &Clock, budget: &Budget) -> Result<(), Failure> {
        match self {
            Self::Field(set) => {
                if prepared.input.get(&set.path).is_some() {
                    return Ok(());
                }
                let scope = Scope::of(&prepared.input, clock, budget);
                let value = set.value(scope).map_err(set.failed("SET"))?;
                let place = concrete(&set.path, prepared.input.document());
                put(&mut prepared.input, &set.path, value).map_err(set.failed("SET"))?;
                prepared.own.push(place);
            }
            Self::Header(name, set) => {
                let scope = Scope::of(&prepared.input, clock, budget);
                let value = set.value(scope).map_err(set.failed("SET"))?;
                let value = header::value(value).map_err(|why| set.failed("SET")(Reason::failed(why)))?;
                prepared.headers.push((name.clone(), value));
            }
        }
        Ok(())
    }
}

/// What WITH gives the op.
#[derive(Debug)]
pub(crate) struct Params {
    /// The values that are the same for all requests: literals, up to the first that is none.
    fixed: Arc<Value>,
    /// What has to be evaluated, and what follows it.
    others: Vec<Assignment>,
}

impl Params {
    pub(crate) fn of(all: impl Iterator<Item = Assignment>) -> Self {
        let (mut fixed, mut others) = (Value::object(), Vec::new());
        for param in all {
            let is_written = others.is_empty()
                && param
                    .value
                    .literal()
                    .is_some_and(|value| write(&mut fixed, &param.path, value.clone()).is_ok());
            if !is_written {
                // One that cannot be written fails when the rule runs, and says so there.
                others.push(param);
            }
        }
        Self { fixed: Arc::new(fixed), others }
    }
}

impl Assignment {
    fn value(&self, scope: Scope<'_>) -> Result<Value, Reason> {
        let value = self.value.value(scope)?;
        scope.budget.write(&self.path, &value)?;
        Ok(value.into_owned())
    }

    fn failed(&self, clause: &'static str) -> impl FnOnce(Reason) -> Failure {
        move |reason| failure(clause, &self.path, self.line, &reason)
    }
}

/// Writes into a document, within the depth that documents may have.
fn write(document: &mut Value, path: &Path, value: Value) -> Result<(), Reason> {
    Budget::check_depth(path, &value)?;
    document.set(path, value).map_err(|e| Reason::Failed(e.to_string()))
}

fn put(envelope: &mut Envelope, path: &Path, value: Value) -> Result<(), Reason> {
    Budget::check_depth(path, &value)?;
    envelope.set(path, value).map_err(|e| Reason::Failed(e.to_string()))
}

/// What SELECT gives its DEFAULT for.
fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str() == Some("")
}

/// The path that a write at `path` will have written: `-1` as the index it appends at.
fn concrete(path: &Path, document: &Value) -> Path {
    let mut at = Some(document);
    let segments = path.segments().iter().map(|segment| {
        let name = match (segment.is_append(), at) {
            (true, Some(Value::Array(items))) => items.len().to_string(),
            (true, Some(Value::Object(_))) => segment.as_str().to_owned(),
            (true, _) => "0".to_owned(),
            (false, _) => segment.as_str().to_owned(),
        };
        at = match at {
            Some(Value::Object(members)) => members.get(&name),
            Some(Value::Array(items)) => name.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
        name
    });
    Path::from_segments(segments.collect::<Vec<_>>()).unwrap_or_else(|_| path.clone())
}

/// A failure that an author can find: clause, path and line, and never a value.
fn failure(clause: &str, path: &Path, line: usize, reason: &Reason) -> Failure {
    let fault = match reason {
        Reason::Credential(_) => Fault::CredentialNotInspectable,
        Reason::Failed(_) => Fault::RuleFailed,
    };
    let shown = match (clause, path.strip_prefix(&["_txc"])) {
        ("WITH", _) => path.to_string(),
        (_, Some(below)) if !below.is_empty() => format!("@{below}"),
        _ => format!(".{path}"),
    };
    Failure::new(fault, format!("{clause} {shown} (line {line}): {}", reason.text()))
}

#[cfg(test)]
mod tests;
