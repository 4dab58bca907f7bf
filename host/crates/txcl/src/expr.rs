//! What stands on the right of `=`: a literal, a path or a call, and its value.

use std::borrow::Cow;

use model::{Envelope, Path, Value};

use crate::budget::Budget;
use crate::clock::{Clock, Reason};
use crate::function::Function;

/// An expression.
#[derive(Debug)]
pub(crate) enum Expr {
    Literal(Value),
    Path(Path),
    Call { function: &'static Function, arguments: Vec<Self> },
}

/// What paths are looked up in.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Looked up first: the op's output, for EMIT.
    pub(crate) over: Option<&'a Value>,
    /// Looked up next.
    pub(crate) under: &'a Envelope,
    pub(crate) clock: &'a Clock,
    /// Counts what calls make.
    pub(crate) budget: &'a Budget,
}

impl<'a> Scope<'a> {
    /// A scope of one document.
    pub(crate) fn of(under: &'a Envelope, clock: &'a Clock, budget: &'a Budget) -> Self {
        Self { over: None, under, clock, budget }
    }

    fn get(self, path: &Path) -> Option<&'a Value> {
        self.over.and_then(|over| over.get(path)).or_else(|| self.under.get(path))
    }
}

impl Expr {
    /// The value; `null` where a path leads nowhere.
    pub(crate) fn value<'a>(&'a self, scope: Scope<'a>) -> Result<Cow<'a, Value>, Reason> {
        match self {
            Self::Literal(value) => Ok(Cow::Borrowed(value)),
            Self::Path(path) => Ok(scope.get(path).map_or(Cow::Owned(Value::Null), Cow::Borrowed)),
            Self::Call { function, arguments } => {
                let arguments: Result<Vec<_>, Reason> = arguments.iter().map(|a| a.value(scope)).collect();
                let value = function.call(&arguments?, scope.clock)?;
                scope.budget.make(&value)?;
                Ok(Cow::Owned(value))
            }
        }
    }

    /// The value, when it is known without a request.
    pub(crate) fn literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Path(_) | Self::Call { .. } => None,
        }
    }
}
