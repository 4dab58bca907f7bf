//! Where a request goes behind a rule, as far as the rule's text tells.

use model::Value;

use crate::condition::Condition;
use crate::exec::Exec;
use crate::expr::Expr;
use crate::rule::Rule;

/// Where a request goes when a rule has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// To the next scope.
    On,
    /// Nowhere: the request is done.
    Ends,
    /// To a stage, as the rule writes it: `shop/200`, or `200` in its own stack.
    To(String),
    /// To whatever the envelope says then.
    Anywhere,
}

impl Rule {
    /// Whether it applies to every request.
    #[must_use]
    pub fn applies_always(&self) -> bool {
        matches!(self.condition, Condition::Always)
    }

    /// Whether it applies wherever `other` does, as far as their text tells: to the same envelope.
    #[must_use]
    pub fn applies_like(&self, other: &Self) -> bool {
        // Expressions of patterns have no equality; their form has.
        self.applies_always() || format!("{:?}", self.condition) == format!("{:?}", other.condition)
    }

    /// Whether a request may go elsewhere behind it than to the next scope.
    #[must_use]
    pub fn may_lead_elsewhere(&self) -> bool {
        let halt = |path: &model::Path| path.strip_prefix(&["_txc", "halt"]).is_some();
        let written = self.emit.iter().chain(&self.after).map(|assignment| &assignment.path);
        self.leads() != Leads::On || self.choices.iter().map(|choice| &choice.target).chain(written).any(halt)
    }

    /// Where it leads. What an op writes to `_txc.goto` is not known before it runs, and not
    /// counted.
    #[must_use]
    pub fn leads(&self) -> Leads {
        let mut leads = match &self.exec {
            Some(Exec::Stage(stage)) => Leads::To(stage.clone()),
            _ => Leads::On,
        };
        let selected = self.choices.iter().map(|c| (&c.target, None));
        let written = self.emit.iter().chain(&self.after).map(|a| (&a.path, Some(&a.value)));
        for (path, value) in selected.chain(written) {
            let name = path.strip_prefix(&["_txc"]).filter(|below| below.segments().len() == 1);
            match (name.as_ref().and_then(|name| name.first()), value.and_then(Expr::literal)) {
                // Halting wins over jumping.
                (Some("halt"), Some(Value::Bool(true))) => return Leads::Ends,
                (Some("goto"), Some(Value::String(stage))) => leads = Leads::To(stage.clone()),
                (Some("goto"), Some(Value::Number(scope))) => leads = Leads::To(scope.to_string()),
                (Some("goto"), _) => leads = Leads::Anywhere,
                _ => {}
            }
        }
        leads
    }
}

#[cfg(test)]
mod tests;
