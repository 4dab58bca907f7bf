//! What only shows when rules that take long are seen among the others of their scope.

use txcl::{Rule, Waits};

use crate::workspace::Misplaced;

/// What cannot be in a scope of these files, each a path and its rules, whatever the request is.
pub(crate) fn impossible(files: &[(&str, &[Rule])]) -> Vec<Misplaced> {
    let mut found = Vec::new();
    let all = || files.iter().flat_map(|(_, rules)| *rules);
    let chosen = all().any(|rule| rule.priority() > 0);
    for (path, rules) in files {
        let told = |message: String, hint: &str| Misplaced {
            path: (*path).to_owned(),
            message,
            hint: hint.to_owned(),
        };
        let before = rules.split_last().map_or(&[][..], |(_, before)| before);
        for rule in before.iter().filter(|rule| rule.waits().for_worker()) {
            let message =
                format!("rule {} waits for a worker, and rules of its file stand behind it", rule.name());
            found.push(told(message, "what is to see the worker's result stands in a later scope"));
        }
        for rule in rules.iter().filter(|rule| !chosen && is_promised(rule) && rule.applies_always()) {
            let other = all().find(|other| other.name() != rule.name() && other.applies_always());
            if let Some(other) = other {
                let message =
                    format!("rule {} is continuable, and {} runs beside it", rule.name(), other.name());
                found.push(told(message, "a continuable rule is alone in its scope"));
            }
        }
    }
    found
}

/// Whether a rule among these may wait for a worker.
pub(crate) fn may_wait<'r>(mut rules: impl Iterator<Item = &'r Rule>) -> bool {
    rules.any(|rule| rule.waits().for_worker())
}

/// The continuable rule among these, if there is one.
pub(crate) fn promised<'r>(mut rules: impl Iterator<Item = &'r Rule>) -> Option<&'r Rule> {
    rules.find(|rule| is_promised(rule))
}

fn is_promised(rule: &Rule) -> bool {
    matches!(rule.waits(), Waits::Promised { .. })
}
