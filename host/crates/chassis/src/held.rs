//! What a request needs to go on, as the bytes that are sealed while it waits.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::{Envelope, Failure, Fault, Id, Object, Path, StackName, Value};
use txcl::{Prepared, Written};

use crate::scope::{Part, Pending};
use crate::walk::Next;

/// The layout of the bytes.
const LAYOUT: i64 = 1;

/// Where a request waits, and what it has used.
pub(crate) struct At<'a> {
    /// The stack whose scopes it goes through.
    pub(crate) lane: &'a StackName,
    /// The stack that has the scope.
    pub(crate) owner: &'a StackName,
    pub(crate) scope: u32,
    pub(crate) fuel: u64,
    pub(crate) left: Option<u32>,
    /// By what who watches the request knows it.
    pub(crate) mark: Option<String>,
    /// What is to join it, now or later.
    pub(crate) joins: &'a [Join],
    /// Where it goes once what is due has joined it; nothing when it waits behind its scope.
    pub(crate) before: Option<&'a Next>,
}

/// A job whose output joins its request later.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// Its worker's part; nothing when a mock has said it.
    pub(crate) wait: Option<Id>,
    /// What the mock says.
    pub(crate) mock: Option<Object>,
    /// Where its rule stands.
    pub(crate) owner: StackName,
    pub(crate) scope: u32,
    pub(crate) rule: String,
    /// The stack that the request goes through: it joins where the request leaves that.
    pub(crate) lane: StackName,
    /// The first scope that sees its output.
    pub(crate) at: u32,
    /// What EMIT and the reply need of the rule.
    pub(crate) prepared: Value,
}

/// The same, read again.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) lane: StackName,
    pub(crate) owner: StackName,
    pub(crate) scope: u32,
    pub(crate) fuel: u64,
    pub(crate) left: Option<u32>,
    pub(crate) mark: Option<String>,
    pub(crate) envelope: Envelope,
    pub(crate) parts: Vec<HeldPart>,
    pub(crate) joins: Vec<Join>,
    pub(crate) before: Option<Next>,
}

/// What one rule of the scope came to.
#[derive(Debug)]
pub(crate) enum HeldPart {
    Added { rule: String, output: Object, written: Option<Written> },
    Waits { rule: String, prepared: Prepared },
}

/// The bytes of a scope that waits.
///
/// # Errors
/// [`Fault::CredentialCannotWait`]: a credential ends with its request, and what is kept beyond
/// it has none.
pub(crate) fn held(at: &At<'_>, pending: &Pending<'_>) -> Result<Vec<u8>, Failure> {
    let number = |n: u64| Value::from(n);
    let parts = pending.parts.iter().map(|part| match part {
        Part::Added(added) => object([
            ("rule", Value::from(added.rule.name())),
            ("output", Value::Object(added.output.clone())),
            ("written", added.written.as_ref().map_or(Value::Null, Written::kept)),
        ]),
        Part::Waits(job) => {
            object([("rule", Value::from(job.rule.name())), ("prepared", job.prepared.kept())])
        }
    });
    let received = pending.envelope.received().map(|bytes| Value::from(BASE64_STANDARD.encode(bytes)));
    let all = object([
        ("layout", Value::from(LAYOUT)),
        ("lane", Value::from(at.lane.as_str())),
        ("owner", Value::from(at.owner.as_str())),
        ("scope", number(at.scope.into())),
        ("fuel", number(at.fuel)),
        ("left", at.left.map_or(Value::Null, |left| number(left.into()))),
        ("mark", at.mark.as_deref().map_or(Value::Null, Value::from)),
        ("received", received.unwrap_or(Value::Null)),
        ("envelope", pending.envelope.document().clone()),
        ("parts", Value::Array(parts.collect())),
        ("joins", Value::Array(at.joins.iter().map(Join::kept).collect())),
        ("before", at.before.map_or(Value::Null, before)),
    ]);
    can_wait(&all)?;
    Ok(all.to_json().into_bytes())
}

/// Whether this can be kept beyond its request.
///
/// # Errors
/// [`Fault::CredentialCannotWait`].
pub(crate) fn can_wait(all: &Value) -> Result<(), Failure> {
    match credential(all, &mut Vec::new()) {
        None => Ok(()),
        Some(path) => {
            let why = format!("{path} is a credential: use it before this scope, and @delete it there");
            Err(Failure::new(Fault::CredentialCannotWait, why))
        }
    }
}

impl Join {
    /// Its rule, as rules are called everywhere.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}/{}", self.owner, self.scope, self.rule)
    }

    /// Whether it joins before the request enters that stage: of its scope or behind that, or of another stack.
    pub(crate) fn is_due(&self, to: &Next) -> bool {
        match to {
            Next::Halt => true,
            Next::Scope { stack, from } => *stack != self.lane || *from >= self.at,
        }
    }

    fn kept(&self) -> Value {
        let text = |text: &str| Value::from(text);
        object([
            ("wait", self.wait.as_ref().map_or(Value::Null, |wait| text(wait.as_str()))),
            ("mock", self.mock.as_ref().map_or(Value::Null, |mock| Value::Object(mock.clone()))),
            ("owner", text(self.owner.as_str())),
            ("scope", Value::from(u64::from(self.scope))),
            ("rule", text(&self.rule)),
            ("lane", text(self.lane.as_str())),
            ("at", Value::from(u64::from(self.at))),
            ("prepared", self.prepared.clone()),
        ])
    }

    fn of_kept(kept: Value) -> Option<Self> {
        let mut kept = kept.into_object()?;
        let mut take = |name: &str| kept.remove(name);
        Some(Self {
            wait: take("wait")?.as_str().map(|wait| Id::from_row(wait.to_owned())),
            mock: take("mock")?.into_object(),
            owner: stack(&take("owner")?)?,
            scope: take("scope")?.as_i64()?.try_into().ok()?,
            rule: take("rule")?.as_str()?.to_owned(),
            lane: stack(&take("lane")?)?,
            at: take("at")?.as_i64()?.try_into().ok()?,
            prepared: take("prepared")?,
        })
    }
}

fn before(next: &Next) -> Value {
    match next {
        Next::Halt => object([]),
        Next::Scope { stack, from } => {
            object([("stack", Value::from(stack.as_str())), ("from", Value::from(u64::from(*from)))])
        }
    }
}

fn of_before(kept: Value) -> Option<Next> {
    let kept = kept.into_object()?;
    match kept.get("stack") {
        None => Some(Next::Halt),
        Some(to) => {
            Some(Next::Scope { stack: stack(to)?, from: kept.get("from")?.as_i64()?.try_into().ok()? })
        }
    }
}

fn stack(value: &Value) -> Option<StackName> {
    StackName::parse(value.as_str()?).ok()
}

impl Held {
    /// Reads the bytes; nothing when they are of another layout.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        // Deeper than what comes in from outside: it holds envelopes.
        let json: serde_json::Value = parse(bytes)?;
        let mut all = Value::from(json).into_object()?;
        let mut take = |name: &str| all.remove(name);
        if take("layout")?.as_i64()? != LAYOUT {
            return None;
        }
        let mut envelope = Envelope::new(take("envelope")?).ok()?;
        if let Value::String(received) = take("received")? {
            let received = BASE64_STANDARD.decode(received).ok()?;
            let body = envelope.get(&Path::from_segments(["body"]).ok()?)?.clone();
            envelope.receive_body(body, Arc::from(received));
        }
        let Value::Array(parts) = take("parts")? else { return None };
        Some(Self {
            lane: stack(&take("lane")?)?,
            owner: stack(&take("owner")?)?,
            scope: take("scope")?.as_i64()?.try_into().ok()?,
            fuel: if let Value::Number(fuel) = take("fuel")? { fuel.as_u64()? } else { return None },
            left: take("left")?.as_i64().and_then(|left| left.try_into().ok()),
            // Those of earlier releases have none.
            mark: take("mark").and_then(|mark| mark.as_str().map(str::to_owned)),
            // Those of earlier releases have neither.
            joins: match take("joins") {
                Some(Value::Array(joins)) => joins.into_iter().map(Join::of_kept).collect::<Option<_>>()?,
                _ => Vec::new(),
            },
            before: match take("before").filter(|before| *before != Value::Null) {
                None => None,
                Some(kept) => Some(of_before(kept)?),
            },
            envelope,
            parts: parts.into_iter().map(part).collect::<Option<_>>()?,
        })
    }
}

/// JSON of any depth that was written here.
fn parse(bytes: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(bytes).ok()
}

fn part(part: Value) -> Option<HeldPart> {
    let mut part = part.into_object()?;
    let rule = part.get("rule")?.as_str()?.to_owned();
    if let Some(prepared) = part.remove("prepared") {
        return Some(HeldPart::Waits { rule, prepared: Prepared::of_kept(prepared)? });
    }
    let written = part.remove("written").filter(|written| *written != Value::Null);
    let written = match written.map(Written::of_kept) {
        Some(None) => return None,
        written => written.flatten(),
    };
    Some(HeldPart::Added { rule, output: part.remove("output")?.into_object()?, written })
}

/// Where the first credential is, for people.
fn credential(value: &Value, at: &mut Vec<String>) -> Option<String> {
    match value {
        Value::Sealed(_) => Some(at.join(".")),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            at.push(index.to_string());
            let found = credential(item, at);
            at.pop();
            found
        }),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            at.push(name.to_string());
            let found = credential(member, at);
            at.pop();
            found
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
