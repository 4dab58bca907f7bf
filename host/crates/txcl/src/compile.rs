//! From a rule file to its rules: everything that can be wrong is found here, at load.

use crate::build;
use crate::clause::{self, Placed};
use crate::cursor::Cursor;
use crate::diagnostic::{Diagnostics, Findings, Mode, Problem, RuleFile};
use crate::lexer;
use crate::ops::Ops;
use crate::rule::Rule;
use crate::split;

/// The largest rule file.
const MAX_BYTES: usize = 1 << 20;

/// Compiles a rule file: one rule, or several in their order (R8), or none when the file
/// holds no clause. `ops` says what is known of the ops it runs.
///
/// # Errors
/// All that is wrong with the file.
pub fn compile(file: &RuleFile<'_>, mode: Mode, ops: &dyn Ops) -> Result<Vec<Rule>, Diagnostics> {
    let (rules, findings) = check(file, mode, ops);
    if findings.has_errors() { Err(findings) } else { Ok(rules) }
}

/// As [`compile`], with everything that was found: in [`Mode::Lenient`] also what was let
/// pass. The rules are complete only when no finding is an error.
#[must_use]
pub fn check(file: &RuleFile<'_>, mode: Mode, ops: &dyn Ops) -> (Vec<Rule>, Diagnostics) {
    let mut findings = Findings::new(*file, mode);
    let groups = groups(file, &mut findings);
    let several = groups.len() > 1;
    let rules = groups
        .into_iter()
        .enumerate()
        .map(|(position, group)| {
            let name = match several {
                true => format!("{}.{}", file.name, position + 1),
                false => file.name.to_owned(),
            };
            build::rule(name, position, group, file.text, ops, &mut findings)
        })
        .collect();
    (rules, findings.finish())
}

/// Parses a file into the clauses of its rules.
pub(crate) fn groups(file: &RuleFile<'_>, findings: &mut Findings<'_>) -> Vec<Vec<Placed>> {
    if file.text.len() > MAX_BYTES {
        findings.refuse(Problem::at(&(0..0), format!("a rule file has at most {} MiB", MAX_BYTES >> 20)));
        return Vec::new();
    }
    let tokens = lexer::lex(file.text, findings);
    let clauses = clause::clauses(&mut Cursor::new(file.text, tokens, findings));
    split::split(clauses, findings)
}

#[cfg(test)]
mod tests;
