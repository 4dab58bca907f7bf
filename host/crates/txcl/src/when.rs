//! Parses the condition of WHEN.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a token that is not expected is a mistake, whatever it is"
)]

use std::borrow::Cow;

use crate::condition::{Comparison, Condition, Leaf, Operand, Test};
use crate::cursor::{Cursor, Stop};
use crate::diagnostic::Problem;
use crate::meant;
use crate::number::Number;
use crate::pattern;
use crate::token::{Keyword, Kind, Symbol};
use crate::value::{self, Paths};

/// Each may take a megabyte, and is kept for as long as the rule is.
const MAX_REGEXES: usize = 100;

/// Parses what follows WHEN.
pub(crate) fn condition(cursor: &mut Cursor<'_, '_, '_>) -> Result<Condition, Stop> {
    if cursor.take(Symbol::Star) {
        return Ok(Condition::Always);
    }
    if cursor.clause_ends() {
        let problem = Problem::at(&cursor.span(), "WHEN has no condition");
        cursor.findings.tolerate(problem.hint("WHEN * matches every envelope"));
        return Ok(Condition::Always);
    }
    any(cursor)
}

fn any(cursor: &mut Cursor<'_, '_, '_>) -> Result<Condition, Stop> {
    let first = all(cursor)?;
    let mut alternatives = vec![first];
    while cursor.take(Symbol::Or) {
        follows(cursor, "||")?;
        alternatives.push(all(cursor)?);
    }
    Ok(one_or(alternatives, Condition::Any))
}

fn all(cursor: &mut Cursor<'_, '_, '_>) -> Result<Condition, Stop> {
    let first = unary(cursor)?;
    let mut parts = vec![first];
    loop {
        let operator = match cursor.peek().kind {
            Kind::Symbol(Symbol::And) => "&&",
            Kind::Symbol(Symbol::Comma) => ",",
            _ => return Ok(one_or(parts, Condition::All)),
        };
        cursor.skip();
        follows(cursor, operator)?;
        parts.push(unary(cursor)?);
    }
}

fn unary(cursor: &mut Cursor<'_, '_, '_>) -> Result<Condition, Stop> {
    if cursor.take(Symbol::Not) {
        follows(cursor, "!")?;
        let inner = cursor.nested(unary)?;
        return Ok(Condition::Not(Box::new(inner)));
    }
    if cursor.take(Symbol::Open) {
        if cursor.is(Symbol::Close) {
            return Err(cursor.expected("a condition inside of `()`", None));
        }
        let inner = cursor.nested(any)?;
        if !cursor.take(Symbol::Close) {
            return Err(cursor.expected("`)` to close the group", None));
        }
        return Ok(inner);
    }
    leaf(cursor)
}

fn leaf(cursor: &mut Cursor<'_, '_, '_>) -> Result<Condition, Stop> {
    let Kind::Path(path) = &cursor.peek().kind else {
        let hint = meant::condition(cursor);
        return Err(cursor.expected("a path or `(`", hint));
    };
    let path = path.clone();
    let start = cursor.span().start;
    let line = cursor.findings.line(start);
    cursor.skip();
    let test = test(cursor)?;
    let text = cursor.since(start).to_owned();
    Ok(Condition::Leaf(Leaf { path, test, line, text }))
}

fn test(cursor: &mut Cursor<'_, '_, '_>) -> Result<Test, Stop> {
    let comparison = match cursor.peek().kind {
        Kind::Symbol(Symbol::Equal) => Comparison::Equal,
        Kind::Symbol(Symbol::NotEqual) => Comparison::NotEqual,
        Kind::Symbol(Symbol::Less) => Comparison::Less,
        Kind::Symbol(Symbol::LessEqual) => Comparison::LessEqual,
        Kind::Symbol(Symbol::Greater) => Comparison::Greater,
        Kind::Symbol(Symbol::GreaterEqual) => Comparison::GreaterEqual,
        Kind::Symbol(Symbol::Match) => {
            cursor.skip();
            return regex(cursor).map(Test::Match);
        }
        Kind::Symbol(Symbol::NoMatch) => {
            cursor.skip();
            return regex(cursor).map(Test::NoMatch);
        }
        // What is meant is plain: go on, there may be more to find.
        Kind::Symbol(Symbol::Assign) => {
            let problem = Problem::at(&cursor.span(), "expected a comparison, found `=`");
            cursor.findings.refuse(problem.hint("equality is =="));
            Comparison::Equal
        }
        _ => {
            let hint = meant::comparison(cursor);
            return Err(cursor.expected("one of == != < <= > >= =~ !~", Some(hint.to_owned())));
        }
    };
    cursor.skip();
    let span = cursor.span();
    let operand = operand(cursor)?;
    if comparison.is_order() && matches!(operand, Operand::Bool(_)) {
        let problem = Problem::at(&span, "true and false have no order: this never holds");
        cursor.findings.tolerate(problem.hint("compare them with == or !="));
    }
    Ok(Test::Compare(comparison, operand))
}

fn operand(cursor: &mut Cursor<'_, '_, '_>) -> Result<Operand, Stop> {
    let operand = match &cursor.peek().kind {
        Kind::Number => {
            return Ok(match value::number(cursor)? {
                Number::Int(n) => Operand::Int(n),
                Number::Float(n) => Operand::Float(n),
            });
        }
        Kind::Keyword(Keyword::True) => Operand::Bool(true),
        Kind::Keyword(Keyword::False) => Operand::Bool(false),
        Kind::Keyword(Keyword::Null) => Operand::Null,
        Kind::Text(text) => Operand::Text(text.clone()),
        Kind::Function => {
            let span = cursor.span();
            let call = value::call(cursor, Paths::Refused)?;
            let Some(result) = call.literal() else { return Ok(Operand::Call(call)) };
            if let Some(operand) = Operand::of(Cow::Borrowed(result)) {
                return Ok(operand);
            }
            let problem = Problem::at(&span, "the result of this call cannot be compared: this never holds");
            cursor.findings.tolerate(problem.hint("numbers, texts, true and false can"));
            return Ok(Operand::Call(call));
        }
        _ => {
            let hint = meant::operand(cursor);
            let what = "a number, a text, true, false, null or a function";
            return Err(cursor.expected(what, hint));
        }
    };
    cursor.skip();
    Ok(operand)
}

fn regex(cursor: &mut Cursor<'_, '_, '_>) -> Result<regex::Regex, Stop> {
    let (Kind::Regex(text) | Kind::Text(text)) = &cursor.peek().kind else {
        let hint = "=~ and !~ take a literal: they are compiled when the rule is loaded";
        return Err(cursor.expected("a /regex/ or a text", Some(hint.to_owned())));
    };
    let compiled = pattern::compile(text);
    let span = cursor.span();
    cursor.skip();
    cursor.regexes += 1;
    if cursor.regexes > MAX_REGEXES {
        let problem = Problem::at(&span, format!("a file has at most {MAX_REGEXES} regexes"));
        cursor.findings.refuse(problem.hint("join some by |, or divide the file"));
        return Err(Stop);
    }
    compiled.map_err(|reason| {
        let problem = Problem::at(&span, format!("this regex does not compile: {reason}"));
        cursor
            .findings
            .refuse(problem.hint("regexes are in RE2's dialect: no lookaround, no backreferences"));
        Stop
    })
}

fn follows(cursor: &mut Cursor<'_, '_, '_>, operator: &str) -> Result<(), Stop> {
    if cursor.clause_ends() {
        return Err(cursor.expected(&format!("a condition after `{operator}`"), None));
    }
    Ok(())
}

fn one_or(mut conditions: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match (conditions.pop(), conditions.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            conditions.push(last);
            join(conditions)
        }
        (None, _) => Condition::Always,
    }
}
