//! Which clauses of a file make which rule (R8).

use crate::clause::Placed;
use crate::diagnostic::{Findings, Problem};
use crate::token::Keyword;

/// Divides the clauses of a file among its rules, none of them empty.
///
/// A second EXEC begins a new rule. So does WHEN behind other clauses, in a file with
/// several EXECs; in a file with at most one it is out of place.
pub(crate) fn split(clauses: Vec<Placed>, findings: &mut Findings<'_>) -> Vec<Vec<Placed>> {
    let several = clauses.iter().filter(|c| c.keyword == Keyword::Exec).count() > 1;
    let mut rules: Vec<Vec<Placed>> = Vec::new();
    let (mut has_exec, mut only_when) = (false, true);
    for clause in clauses {
        let (is_when, is_exec) = (clause.keyword == Keyword::When, clause.keyword == Keyword::Exec);
        // A WHEN behind nothing but a WHEN is a mistake, not a rule.
        let begins = is_exec && has_exec || is_when && several && !only_when;
        if is_when && !several && !only_when {
            let problem = Problem::at(&clause.span, "WHEN stands behind other clauses");
            let hint = "put WHEN first; in a file with several EXECs it would begin a new rule";
            findings.tolerate(problem.hint(hint));
        }
        if begins {
            (has_exec, only_when) = (false, true);
        }
        has_exec |= is_exec;
        only_when &= is_when;
        match (rules.last_mut(), begins) {
            (Some(rule), false) => rule.push(clause),
            _ => rules.push(vec![clause]),
        }
    }
    rules
}
