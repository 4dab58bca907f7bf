//! `txco trace RID --explain`: in words, why each rule fired or did not.

use super::super::output::cell;
use super::record::{Record, RuleRecord, Stage, TestRecord, Unreached};
use super::{end, shown_millis};

/// The whole way of a request.
pub(super) fn told(record: &Record, stages: &[Stage]) -> String {
    let (status, duration) = end(record);
    let request = &record.request;
    let mut lines = vec![format!(
        "{}  {}/{}  {status}  {duration}",
        cell(&request.rid),
        cell(&request.tenant),
        cell(&request.stack)
    )];
    for stage in stages {
        match stage {
            Stage::Rules { stack, scope, rules } => {
                lines.push(format!("\n{}/{scope}", cell(stack)));
                for rule in rules {
                    one(rule, record, stack, *scope, &mut lines);
                }
            }
            Stage::Jump { stack, scope, to, from } => {
                let (stack, to) = (cell(stack), cell(to));
                lines.push(format!("\n{stack}/{scope} sent the request to {to}/{from} (@goto)"));
            }
            Stage::Halt { rule: Some(rule), error, .. } => {
                let error = error.as_deref().unwrap_or("an error");
                lines.push(format!("\nthe request ended at {}: {}", cell(rule), cell(error)));
            }
            Stage::Halt { stack, scope, .. } => {
                let (stack, scope) = (stack.as_deref().unwrap_or_default(), scope.unwrap_or_default());
                lines.push(format!("\n{}/{scope} ended the request (@halt)", cell(stack)));
            }
            Stage::Deferred { stack, scope, waits } => {
                for one in waits {
                    let (stack, name) = (cell(stack), cell(&one.name));
                    lines.push(format!(
                        "\nthe job of {stack}/{scope}/{name} goes on elsewhere, and so does the request"
                    ));
                }
            }
            Stage::Waits { stack, scope, waits } => {
                let names = waits.iter().map(|one| cell(&one.name)).collect::<Vec<_>>().join(", ");
                let of = if names.is_empty() { String::new() } else { format!(" for {names}") };
                lines.push(format!(
                    "\n{}/{scope} waited{of}, and its client was told to come back",
                    cell(stack)
                ));
            }
            Stage::Joined { before, rules } => {
                let rules = cell(&rules.join(", "));
                let at = before
                    .as_deref()
                    .map_or_else(|| "at the end".to_owned(), |to| format!("before {}", cell(to)));
                lines.push(format!("\n{rules} joined {at}"));
            }
            Stage::Unreached { stages: all } => {
                // What a request reached before it waited is told by an earlier part of its trace.
                let missed = |one: &&Unreached| !stages.iter().any(|stage| is_of(stage, one));
                let stages: Vec<_> = all.iter().filter(missed).collect();
                if stages.is_empty() {
                    continue;
                }
                lines.push("\nnever reached".to_owned());
                for stage in stages {
                    let rules = cell(&stage.rules.join(", "));
                    lines.push(format!("  {}/{}  {rules}", cell(&stage.stack), stage.scope));
                }
            }
        }
    }
    if stages.is_empty() {
        lines.push("\nthis trace does not say: it was written by another chassis, or broke off".to_owned());
    }
    lines.join("\n")
}

/// Whether this tells of the rules of that stage.
fn is_of(told: &Stage, one: &Unreached) -> bool {
    matches!(told, Stage::Rules { stack, scope, .. } if *stack == one.stack && *scope == one.scope)
}

fn one(rule: &RuleRecord, record: &Record, stack: &str, scope: u32, lines: &mut Vec<String>) {
    let name = cell(&rule.name);
    let why = match (rule.fired, rule.because.as_deref(), rule.tests.is_empty()) {
        (true, _, true) => "it has no condition".to_owned(),
        (true, _, false) => "its condition held".to_owned(),
        (false, Some(because), _) => cell(because),
        (false, None, _) if rule.tests.iter().any(|test| test.held.is_none()) => {
            "its condition looked into a credential".to_owned()
        }
        (false, None, _) => "its condition did not hold".to_owned(),
    };
    lines.push(format!("  {name}  {}: {why}", if rule.fired { "fired" } else { "did not fire" }));
    lines.extend(rule.tests.iter().map(test));
    let steps = record
        .steps
        .iter()
        .filter(|step| rule.fired && step.stack == stack && step.scope == scope && step.name == rule.name);
    for step in steps {
        if let Some(error) = &step.error {
            lines.push(format!("    failed: {}: {}", cell(&error.code), cell(&error.message)));
        } else if !step.operation.is_empty() {
            lines.push(format!("    ran {} in {}", cell(&step.operation), shown_millis(step.duration_ms)));
        }
        for after in step.notes.iter().filter_map(|note| note.strip_prefix("went_on_after ")) {
            lines.push(format!("    went on after {} (on_error)", cell(after)));
        }
    }
}

/// `    line 2: .order.total > 100 did not hold: found 7`.
fn test(test: &TestRecord) -> String {
    let how = match test.held {
        Some(true) => "held",
        Some(false) => "did not hold",
        None => "may not be asked: a credential can only be compared with null",
    };
    let found = test.found.as_deref().map(|found| format!(": found {}", cell(found))).unwrap_or_default();
    format!("    line {}: {} {how}{found}", test.line, cell(&test.test))
}
