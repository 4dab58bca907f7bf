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
    for clause in clauses {
        let begins = match (rules.last(), clause.keyword) {
            (None, _) => true,
            (Some(rule), Keyword::Exec) => has(rule, Keyword::Exec),
            (Some(rule), Keyword::When) if several => !is_bare_when(rule),
            (Some(rule), Keyword::When) => {
                if !is_bare_when(rule) {
                    let problem = Problem::at(&clause.span, "WHEN stands behind other clauses");
                    let hint = "put WHEN first; in a file with several EXECs it would begin a new rule";
                    findings.tolerate(problem.hint(hint));
                }
                false
            }
            (Some(_), _) => false,
        };
        match (rules.last_mut(), begins) {
            (Some(rule), false) => rule.push(clause),
            _ => rules.push(vec![clause]),
        }
    }
    rules
}

fn has(rule: &[Placed], keyword: Keyword) -> bool {
    rule.iter().any(|c| c.keyword == keyword)
}

/// A WHEN behind nothing but a WHEN is a mistake, not a rule.
fn is_bare_when(rule: &[Placed]) -> bool {
    rule.iter().all(|c| c.keyword == Keyword::When)
}
