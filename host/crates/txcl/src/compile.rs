//! From a rule file to its rules.

use crate::diagnostic::{Diagnostics, Findings, Mode, RuleFile};
use crate::rule::Rule;

/// Compiles a rule file.
///
/// # Errors
/// All that is wrong with the file.
pub fn compile(file: &RuleFile<'_>, mode: Mode) -> Result<Vec<Rule>, Diagnostics> {
    let (rules, findings) = check(file, mode);
    if findings.has_errors() { Err(findings) } else { Ok(rules) }
}

/// As [`compile`], with everything that was found: in [`Mode::Lenient`] also what was let
/// pass. The rules are complete only when no finding is an error.
#[must_use]
pub fn check(file: &RuleFile<'_>, mode: Mode) -> (Vec<Rule>, Diagnostics) {
    (Vec::new(), Findings::new(*file, mode).finish())
}
