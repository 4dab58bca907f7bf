//! What one evaluation of a rule may write: bounded, whatever the rule doubles.

use std::borrow::Cow;
use std::cell::Cell;

use model::{Path, SealedPart, Value};

use crate::clock::Reason;

/// The bytes that one evaluation of a rule may write, about. A body of the largest size
/// fits twice.
const MAX_WRITTEN: usize = 64 << 20;

/// What a value costs beside its text.
pub(crate) const NODE: usize = 32;

/// What an evaluation has written so far. Without it forty times
/// `EMIT .a.-1 = .a` would fill the memory: each one doubles the document.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    written: Cell<usize>,
}

impl Budget {
    /// Counts what a call has made.
    pub(crate) fn make(&self, value: &Value) -> Result<(), Reason> {
        self.spend(weight(value))
    }

    /// Counts a write of `value` at `path`: the copy, unless a call made it and it has been
    /// counted, and the nulls that fill an array up to the index.
    #[expect(clippy::ptr_arg, reason = "a borrowed value is about to be copied, an owned one was made")]
    pub(crate) fn write(&self, path: &Path, value: &Cow<'_, Value>) -> Result<(), Reason> {
        let copied = if let Cow::Borrowed(value) = value { weight(value) } else { 0 };
        self.spend(copied.saturating_add(gap(path)))
    }

    fn spend(&self, bytes: usize) -> Result<(), Reason> {
        let written = self.written.get().saturating_add(bytes);
        self.written.set(written);
        if written > MAX_WRITTEN {
            return Err(Reason::Failed(format!("the rule writes more than {} MiB", MAX_WRITTEN >> 20)));
        }
        Ok(())
    }

    /// Whether `value` at `path` stays within the depth that documents may have.
    pub(crate) fn check_depth(path: &Path, value: &Value) -> Result<(), Reason> {
        if path.segments().len() + depth(value) > Value::MAX_DEPTH {
            return Err(Reason::Failed(format!("nested deeper than {} levels", Value::MAX_DEPTH)));
        }
        Ok(())
    }
}

/// What the nulls cost that a write at `path` may put before its place.
pub(crate) fn gap(path: &Path) -> usize {
    let beyond = |index: usize| index.min(Value::MAX_GAP) * NODE;
    path.segments().iter().filter_map(model::Segment::index).map(beyond).sum()
}

/// About how many bytes a value takes.
pub(crate) fn weight(value: &Value) -> usize {
    NODE + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        Value::Sealed(sealed) => sealed.parts().iter().map(part_weight).sum(),
    }
}

fn part_weight(part: &SealedPart) -> usize {
    NODE + match part {
        SealedPart::Text(text) => text.len(),
        SealedPart::Credential(_) => 0,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sealed(_) => 0,
    }
}
