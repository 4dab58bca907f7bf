//! What only shows when rules that take long are seen among the others of their scope.

use txcl::{Rule, Waits};

use crate::workspace::Misplaced;

/// What cannot be in a scope of these files, each a path and its rules, whatever the request is.
pub(crate) fn impossible(scope: u32, files: &[(&str, &[Rule])]) -> Vec<Misplaced> {
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
        for rule in rules.iter() {
            if let Some(joins) = rule.waits().joins_at().filter(|joins| *joins <= scope) {
                let message = format!(
                    "rule {} of scope {scope} joins at scope {joins}, which is not behind it",
                    rule.name()
                );
                found.push(told(message, "without join_at_scope the request waits where the rule stands"));
            }
        }
        for rule in before.iter().filter(|rule| waits_here(rule)) {
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

/// Whether the request may wait in the scope of these rules for a worker.
pub(crate) fn may_wait<'r>(mut rules: impl Iterator<Item = &'r Rule>) -> bool {
    rules.any(waits_here)
}

fn waits_here(rule: &Rule) -> bool {
    rule.waits().for_worker() && rule.waits().joins_at().is_none()
}

/// The continuable rule among these, if there is one.
pub(crate) fn promised<'r>(mut rules: impl Iterator<Item = &'r Rule>) -> Option<&'r Rule> {
    rules.find(|rule| is_promised(rule))
}

fn is_promised(rule: &Rule) -> bool {
    matches!(rule.waits(), Waits::Promised { .. })
}

#[cfg(test)]
mod tests {
    use txcl::{AnyOps, Mode, RuleFile, check};

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let file = RuleFile { path: "j.txcl", name: "j", text };
        let (rules, findings) = check(&file, Mode::Strict, &AnyOps);
        assert!(!findings.has_errors(), "{findings}");
        impossible(100, &[("j.txcl", &rules)]).into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn a_job_joins_behind_its_scope_and_rules_may_follow_it() {
        let job = |more: &str| format!("EXEC \"https://w.example/\" WITH mode = \"async\"{more}\n");
        let behind = "EXEC \"txco://noop\" EMIT .a = 1\n";
        let wrong = ["rule j of scope 100 joins at scope 100, which is not behind it"];
        assert_eq!(told(&job(", join_at_scope = 100")), wrong);
        assert!(told(&job(", join_at_scope = 101")).is_empty());
        assert!(told(&format!("{}{behind}", job(", join_at_scope = 101"))).is_empty());
        assert_eq!(told(&format!("{}{behind}", job(""))).len(), 1, "it would see the worker's result");
    }
}
