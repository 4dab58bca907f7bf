//! WHEN: total, with the coercions of the Go chassis; only a credential stops it.

use std::borrow::Cow;
use std::cmp::Ordering;

use model::{Envelope, Path, Value};
use regex::Regex;

use crate::budget::Budget;
use crate::clock::{Clock, Reason};
use crate::coerce::{self, Inspected};
use crate::expr::{Expr, Scope};

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Comparison {
    pub(crate) fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }

    /// Whether it holds; NaN (which only a text can be) differs from everything.
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// What a path is compared with. Its type decides how the value at the path is read.
#[derive(Debug)]
pub(crate) enum Operand {
    Int(i64),
    Float(f64),
    Text(String),
    Bool(bool),
    Null,
    /// A call of literals that depends on the moment, or fails.
    Call(Expr),
}

/// One test of a path.
#[derive(Debug)]
pub(crate) enum Test {
    Compare(Comparison, Operand),
    Match(Regex),
    NoMatch(Regex),
}

/// A condition.
#[derive(Debug)]
pub(crate) enum Condition {
    Always,
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Leaf(Leaf),
}

/// One test as it stands in the rule.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) path: Path,
    pub(crate) test: Test,
    pub(crate) line: usize,
    /// As written: `.order.total > 100`.
    pub(crate) text: String,
}

/// One test that WHEN came to, and how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tested<'r> {
    /// The test as written.
    pub text: &'r str,
    /// What it looked at.
    pub path: &'r Path,
    /// Its line in the file, from 1.
    pub line: usize,
    /// Whether it held; `None`: it met a credential, which WHEN may not look into (R1).
    pub held: Option<bool>,
}

/// A test met a credential.
pub(crate) struct Met<'r> {
    pub(crate) path: &'r Path,
    pub(crate) line: usize,
}

impl Condition {
    /// Whether it holds, left to right and no further than needed.
    pub(crate) fn holds<'r>(&'r self, envelope: &Envelope, clock: &Clock) -> Result<bool, Met<'r>> {
        self.look(envelope, clock, &mut |_| ())
    }

    /// The same, telling each test it comes to.
    pub(crate) fn look<'r>(
        &'r self,
        envelope: &Envelope,
        clock: &Clock,
        tell: &mut impl FnMut(Tested<'r>),
    ) -> Result<bool, Met<'r>> {
        match self {
            Self::Always => Ok(true),
            Self::All(all) => {
                for each in all {
                    if !each.look(envelope, clock, tell)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(any) => {
                for each in any {
                    if each.look(envelope, clock, tell)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(inner) => inner.look(envelope, clock, tell).map(|held| !held),
            Self::Leaf(Leaf { path, test, line, text }) => {
                let value = envelope.get(path).unwrap_or(&Value::Null);
                let held = test.holds(value, envelope, clock);
                tell(Tested { text, path, line: *line, held: held.as_ref().ok().copied() });
                held.map_err(|Inspected| Met { path, line: *line })
            }
        }
    }
}

impl Test {
    fn holds(&self, value: &Value, envelope: &Envelope, clock: &Clock) -> Result<bool, Inspected> {
        match self {
            Self::Match(regex) => Ok(regex.is_match(&coerce::text(value)?)),
            Self::NoMatch(regex) => Ok(!regex.is_match(&coerce::text(value)?)),
            Self::Compare(comparison, Operand::Call(call)) => {
                let budget = Budget::default();
                let result = call.value(Scope::of(envelope, clock, &budget));
                match result.map(Operand::of) {
                    Ok(Some(operand)) => compare(value, *comparison, &operand),
                    // As there: neither == nor != holds against what has no value.
                    Ok(None) | Err(Reason::Failed(_) | Reason::Credential(_)) => Ok(false),
                }
            }
            Self::Compare(comparison, operand) => compare(value, *comparison, operand),
        }
    }
}

impl Operand {
    /// What a call's result is compared as; `None` for what no path can be compared with.
    pub(crate) fn of(value: Cow<'_, Value>) -> Option<Self> {
        Some(match value.into_owned() {
            Value::Bool(b) => Self::Bool(b),
            Value::Number(n) => match n.as_i64() {
                Some(int) => Self::Int(int),
                None => Self::Float(n.as_f64()?),
            },
            Value::String(text) => Self::Text(text),
            Value::Null | Value::Array(_) | Value::Object(_) | Value::Sealed(_) => return None,
        })
    }
}

fn compare(value: &Value, comparison: Comparison, operand: &Operand) -> Result<bool, Inspected> {
    let ordering = match operand {
        Operand::Int(right) => Some(coerce::int(value)?.cmp(right)),
        Operand::Float(right) => coerce::float(value)?.partial_cmp(right),
        Operand::Text(right) => Some(coerce::text(value)?.as_ref().cmp(right.as_str())),
        Operand::Bool(right) => {
            if comparison.is_order() {
                return Ok(false);
            }
            Some(coerce::boolean(value)?.cmp(right))
        }
        // Whether there is anything: the one question that a credential answers.
        Operand::Null => {
            let empty = matches!(value, Value::Null) || value.as_str() == Some("");
            Some(if empty { Ordering::Equal } else { Ordering::Greater })
        }
        Operand::Call(_) => None,
    };
    Ok(comparison.holds(ordering))
}

#[cfg(test)]
mod tests;
