//! From the clauses of one rule to the rule: what only shows when they are seen together.

use std::collections::{BTreeMap, BTreeSet};

use model::{Path, Value};

use crate::clause::{Clause, Pair, Placed, Selected};
use crate::condition::Condition;
use crate::control::author_may_write;
use crate::diagnostic::{Findings, Problem, Span};
use crate::exec::{Exec, Refusal};
use crate::header;
use crate::hidden;
use crate::ops::Ops;
use crate::params::{self, Named};
use crate::request::IDEMPOTENCY_KEY;
use crate::rule::{Assignment, Choice, Params, Rule, Set};
use crate::secrets::{self, Declared};
use crate::token::Keyword;
use crate::waits;

const WRITABLE: &str = "below @ a rule may write web.res, goto, halt, delete and computed";

/// Builds a rule. When its clauses have mistakes they are filed, and the rule is not used.
pub(crate) fn rule(
    name: String,
    position: usize,
    clauses: Vec<Placed>,
    text: &str,
    ops: &dyn Ops,
    findings: &mut Findings<'_>,
) -> Rule {
    let start = clauses.first().map_or(0, |c| c.span.start);
    let end = clauses.last().map_or(start, |c| c.end);
    let text = text.get(start..end).unwrap_or_default().to_owned();
    let parts = Parts::gather(clauses, findings);

    let with = distinct(parts.with, findings);
    let exec = parts.exec.as_ref().map(|named| &named.exec);
    let declared = secrets::declared(&with, exec, findings);
    let (before, after) = sets(parts.sets, &with, exec, &declared, findings);
    let with = params::known(with, &declared, parts.exec.as_ref(), ops, findings);
    if matches!(exec, Some(Exec::Http(_))) {
        check_method(&with, &declared, findings);
    }
    let hidden = hidden::read(&with, findings);
    let makes_credential = match exec {
        Some(Exec::Http(_)) => with.iter().any(|pair| pair.path.first() == Some("credential")),
        Some(exec) => ops.known(exec).makes_credential(),
        None => false,
    };
    let waits = waits::read(&with, exec, findings);
    let for_the_op = |pair: &Pair| {
        let name = pair.path.first().unwrap_or_default();
        !matches!(name, "secrets" | "redact" | "omit") && !waits::PARAMS.contains(&name)
    };
    let params = with.into_iter().filter(for_the_op);
    Rule {
        name: name.into(),
        operand: exec.map_or_else(String::new, Exec::operand).into(),
        position,
        text,
        condition: parts.condition,
        priority: parts.priority,
        before,
        params: Params::of(params.map(Assignment::from)),
        choices: parts.choices.into_iter().map(Choice::from).collect(),
        exec: parts.exec.map(|named| named.exec),
        secrets: declared.into_iter().map(|d| d.secret).collect(),
        emit: writable(parts.emit, "EMIT", findings),
        after: writable(after, "SET after SELECT", findings),
        hidden,
        waits,
        makes_credential,
    }
}

/// When a SET runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    BeforeOp,
    AfterMerge,
}

/// The clauses of a rule, sorted by kind; those of one kind one after the other.
struct Parts {
    condition: Condition,
    priority: i64,
    sets: Vec<(When, Pair)>,
    choices: Vec<Selected>,
    with: Vec<Pair>,
    exec: Option<Named>,
    emit: Vec<Pair>,
}

impl Parts {
    fn gather(clauses: Vec<Placed>, findings: &mut Findings<'_>) -> Self {
        let mut parts = Self {
            condition: Condition::Always,
            priority: 0,
            sets: Vec::new(),
            choices: Vec::new(),
            with: Vec::new(),
            exec: None,
            emit: Vec::new(),
        };
        // Each once, however many clauses there are.
        let mut seen: Vec<Keyword> = Vec::new();
        for placed in clauses {
            if !seen.contains(&placed.keyword) {
                seen.push(placed.keyword);
            } else if matches!(placed.keyword, Keyword::When | Keyword::Select | Keyword::Priority) {
                findings.tolerate(repeated(placed.keyword, &placed.span));
            }
            match placed.clause {
                None => {}
                Some(Clause::When(condition)) => parts.condition = condition,
                Some(Clause::Priority(n)) => parts.priority = n,
                Some(Clause::Set(pairs)) => {
                    // What stands behind SELECT is written after the merge.
                    let when =
                        if seen.contains(&Keyword::Select) { When::AfterMerge } else { When::BeforeOp };
                    parts.sets.extend(pairs.into_iter().map(|pair| (when, pair)));
                }
                Some(Clause::Select(choices)) => parts.choices = choices,
                Some(Clause::With(pairs)) => parts.with.extend(pairs),
                Some(Clause::Exec(text, span)) => {
                    let exec = exec(&text, &span, findings);
                    parts.exec = exec.map(|exec| Named { exec, text, span });
                }
                Some(Clause::Emit(pairs)) => parts.emit.extend(pairs),
            }
        }
        parts
    }
}

fn repeated(keyword: Keyword, span: &Span) -> Problem {
    if keyword == Keyword::When {
        Problem::at(span, "a second WHEN").hint("join the conditions with &&")
    } else if keyword == Keyword::Select {
        Problem::at(span, "a second SELECT").hint("join the paths with commas")
    } else {
        Problem::at(span, "a second PRIORITY").hint("a rule has one; keep the number that counts")
    }
}

fn exec(text: &str, span: &Span, findings: &mut Findings<'_>) -> Option<Exec> {
    match Exec::read(text, span) {
        Ok(exec) => {
            if let Some(scheme) = exec.elsewhere() {
                let problem = Problem::at(span, format!("this chassis has no {scheme}:// ops"));
                findings
                    .remark(problem.hint("a request to which the rule applies fails with op_unsupported"));
            }
            Some(exec)
        }
        Err(refusal) => match *refusal {
            Refusal::Always(problem) => {
                findings.refuse(problem);
                None
            }
            Refusal::WhenRun(problem, exec) => {
                findings.tolerate(problem);
                Some(exec)
            }
        },
    }
}

/// The parameters with each name once: a name written twice, or below another, would
/// silently replace it.
fn distinct(pairs: Vec<Pair>, findings: &mut Findings<'_>) -> Vec<Pair> {
    let mut last: BTreeMap<Path, Span> = BTreeMap::new();
    for pair in &pairs {
        if last.insert(pair.path.clone(), pair.span.clone()).is_some() {
            findings.tolerate(Problem::at(&pair.span, format!("the parameter {} is given twice", pair.path)));
        }
    }
    // In this order a path is followed at once by those below it, if there are any.
    let in_order: Vec<(&Path, &Span)> = last.iter().collect();
    for pair in in_order.windows(2) {
        if let [(above, _), (below, span)] = pair {
            let segments: Vec<&str> = above.segments().iter().map(|s| s.as_str()).collect();
            if below.starts_with(&segments) {
                findings.tolerate(Problem::at(span, format!("the parameter {below} lies inside of {above}")));
            }
        }
    }
    pairs.into_iter().filter(|pair| last.get(&pair.path) == Some(&pair.span)).collect()
}

/// Divides SET: fields and headers before the op, fields after the merge.
fn sets(
    sets: Vec<(When, Pair)>,
    with: &[Pair],
    exec: Option<&Exec>,
    declared: &[Declared],
    findings: &mut Findings<'_>,
) -> (Vec<Set>, Vec<Pair>) {
    let http = matches!(exec, Some(Exec::Http(_)));
    let mut headers: BTreeSet<String> = BTreeSet::new();
    if http {
        for Declared { secret, span } in declared {
            if let [kind, name] = secret.slot.path().segments()
                && kind.as_str() == "headers"
                && let Ok(name) = header::canonical(name.as_str(), span)
            {
                claim(name, span, &mut headers, findings);
            }
        }
        for pair in with {
            if let Some(name) = header_of(pair) {
                claim(name, &pair.span, &mut headers, findings);
            }
        }
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (when, pair) in sets {
        match (when, http && header::is_header_path(&pair.path)) {
            (When::AfterMerge, false) => after.push(pair),
            (When::BeforeOp, false) => before.push(Set::Field(pair.into())),
            (When::AfterMerge, true) => {
                let problem =
                    Problem::at(&pair.span, "this SET stands behind SELECT: the request is sent by then");
                findings.refuse(problem.hint("put the SET of a header before SELECT"));
            }
            (When::BeforeOp, true) => match header::of_path(&pair.path, &pair.span) {
                Err(problem) => findings.refuse(problem),
                Ok(name) => {
                    claim(name.clone(), &pair.span, &mut headers, findings);
                    if let Some(Err(why)) = pair.value.literal().map(|v| header::value(v.clone())) {
                        findings.refuse(Problem::at(&pair.value_span, why));
                    }
                    before.push(Set::Header(name, pair.into()));
                }
            },
        }
    }
    (before, after)
}

/// The header that a parameter gives.
fn header_of(pair: &Pair) -> Option<String> {
    match pair.path.segments() {
        [kind, name] if kind.as_str() == "headers" => header::canonical(name.as_str(), &pair.span).ok(),
        [one] if one.as_str() == "idempotency_key" => Some(IDEMPOTENCY_KEY.to_owned()),
        _ => None,
    }
}

fn claim(name: String, span: &Span, headers: &mut BTreeSet<String>, findings: &mut Findings<'_>) {
    if headers.contains(&name) {
        let problem = Problem::at(span, format!("this rule gives the header {name} twice"));
        findings.refuse(problem.hint("header names do not differ by case"));
    }
    headers.insert(name);
}

/// A secret in the body of a request that has none would silently not be sent (H4).
fn check_method(with: &[Pair], declared: &[Declared], findings: &mut Findings<'_>) {
    let method =
        with.iter().find(|pair| pair.path.first() == Some("method") && pair.path.segments().len() == 1);
    let Some(Value::String(method)) = method.and_then(|pair| pair.value.literal()) else { return };
    let method = method.trim().to_ascii_uppercase();
    if matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
        return;
    }
    for Declared { secret, span } in declared {
        if secret.slot.path().first() == Some("body") {
            let problem = Problem::at(span, format!("a {method} request has no body to put a secret into"));
            findings.refuse(problem.hint("use POST, PUT or PATCH, or put the secret into a header"));
        }
    }
}

/// Where else somebody may write who wrote this.
fn where_else(path: &Path) -> String {
    let of_the_answer = |name: &&str| matches!(*name, "status" | "headers" | "body");
    let names: Vec<&str> = path.segments().iter().map(|segment| segment.as_str()).collect();
    match names.iter().position(of_the_answer) {
        Some(at) if !path.starts_with(&["_txc", "web", "req"]) => {
            format!("did you mean @web.res.{}?", names.get(at..).unwrap_or_default().join("."))
        }
        _ => WRITABLE.to_owned(),
    }
}

fn writable(pairs: Vec<Pair>, clause: &str, findings: &mut Findings<'_>) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for pair in pairs {
        if author_may_write(&pair.path) {
            assignments.push(pair.into());
        } else {
            let problem = Problem::at(&pair.span, format!("{clause} may not write here"));
            findings.tolerate(problem.hint(where_else(&pair.path)));
        }
    }
    assignments
}

impl From<Pair> for Assignment {
    fn from(pair: Pair) -> Self {
        Self { path: pair.path, value: pair.value, line: pair.line }
    }
}

impl From<Selected> for Choice {
    fn from(item: Selected) -> Self {
        Self { source: item.source, target: item.target, default: item.default, line: item.line }
    }
}
