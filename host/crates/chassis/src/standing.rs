//! Where a request waits, as administrators are told: names and numbers, nothing of its envelope.

use model::Id;

use crate::held::{Held, HeldPart};
use crate::walk::Next;

/// Where a request waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// The stack that has the scope where it waits, or before which it does.
    pub stack: String,
    /// The scope.
    pub scope: u32,
    /// The rules of that scope whose workers are waited for, in the order of their parts.
    pub rules: Vec<String>,
    /// What is to join it, now or later.
    pub joins: Vec<Joins>,
    /// The fuel that was used so far.
    pub fuel: u64,
    /// How many stages it may enter still, when that is bounded.
    pub left: Option<u32>,
}

/// A job whose output joins a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joins {
    /// Its worker's part.
    pub wait: Id,
    /// Its rule, `stack/scope/name`.
    pub rule: String,
    /// The scope before which it joins, at the latest.
    pub at: u32,
}

impl Stands {
    /// What is told of the bytes that a request holds; nothing when they are of another layout.
    #[must_use]
    pub fn of(held: &[u8]) -> Option<Self> {
        let held = Held::read(held)?;
        let rules = held.parts.into_iter().filter_map(|part| match part {
            HeldPart::Waits { rule, .. } => Some(rule),
            HeldPart::Added { .. } => None,
        });
        let joins =
            held.joins.iter().filter_map(|j| Some(Joins { wait: j.wait.clone()?, rule: j.path(), at: j.at }));
        let (stack, scope) = match held.before {
            Some(Next::Scope { stack, from }) => (stack, from),
            // At its end it waits behind its last scope.
            Some(Next::Halt) | None => (held.owner, held.scope),
        };
        let (rules, joins) = (rules.collect(), joins.collect());
        Some(Self { stack: stack.as_str().to_owned(), scope, rules, joins, fuel: held.fuel, left: held.left })
    }
}
