//! Parses values: literals, arrays, paths and calls.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a token that is not expected is a mistake, whatever it is"
)]

use std::borrow::Cow;

use model::Value;

use crate::clock::Clock;
use crate::cursor::{Cursor, Stop};
use crate::diagnostic::{Problem, Span};
use crate::expr::Expr;
use crate::function::{Depends, FUNCTIONS, Function, UNKNOWN};
use crate::meant;
use crate::number::{self, Number, Reading};
use crate::similar::closest;
use crate::token::{Keyword, Kind, Symbol};

/// Whether paths may stand among the arguments of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paths {
    Allowed,
    /// WHEN compares with literals: what it needs computed comes from an earlier scope.
    Refused,
}

/// Parses a value.
pub(crate) fn value(cursor: &mut Cursor<'_, '_, '_>) -> Result<Expr, Stop> {
    match &cursor.peek().kind {
        Kind::Path(path) => {
            let path = path.clone();
            cursor.skip();
            Ok(Expr::Path(path))
        }
        Kind::Function => call(cursor, Paths::Allowed),
        _ => literal(cursor, "a value").map(Expr::Literal),
    }
}

/// Parses a literal; `what` says what stands here.
pub(crate) fn literal(cursor: &mut Cursor<'_, '_, '_>, what: &str) -> Result<Value, Stop> {
    let value = match &cursor.peek().kind {
        Kind::Number => {
            return Ok(match number(cursor)? {
                Number::Int(n) => Value::from(n),
                Number::Float(n) => Value::from(n),
            });
        }
        Kind::Keyword(Keyword::True) => Value::Bool(true),
        Kind::Keyword(Keyword::False) => Value::Bool(false),
        Kind::Text(text) => Value::String(text.clone()),
        Kind::Symbol(Symbol::OpenArray) => return cursor.nested(array),
        _ => {
            let hint = meant::value(cursor);
            return Err(cursor.expected(what, hint));
        }
    };
    cursor.skip();
    Ok(value)
}

/// Parses a number, whatever the mode makes of it.
pub(crate) fn number(cursor: &mut Cursor<'_, '_, '_>) -> Result<Number, Stop> {
    let reading = number::read(cursor.word(), &cursor.span());
    cursor.skip();
    match reading {
        Reading::Sound(number) => Ok(number),
        Reading::Tolerable(problem, number) => {
            cursor.findings.tolerate(problem);
            Ok(number)
        }
        Reading::Refused(problem) => {
            cursor.findings.refuse(problem);
            Err(Stop)
        }
    }
}

/// Parses a call. One whose arguments are all literals is tried at once: what cannot work
/// is found at load, and what cannot change is computed only once.
pub(crate) fn call(cursor: &mut Cursor<'_, '_, '_>, paths: Paths) -> Result<Expr, Stop> {
    let span = cursor.span();
    let name = cursor.word().trim_start_matches('&');
    let function = Function::named(name).unwrap_or_else(|| {
        cursor.findings.tolerate(unknown(name, &span));
        &UNKNOWN
    });
    cursor.skip();
    if !cursor.take(Symbol::Open) {
        let hint = Some(format!("write &{name}(…), also without arguments"));
        return Err(cursor.expected(&format!("`(` after &{name}"), hint));
    }
    let arguments = cursor.nested(|cursor| arguments(cursor, name, paths))?;
    let span = span.start..cursor.last_end();
    if !function.arity.allows(arguments.len()) {
        let (takes, given) = (function.arity.words(), arguments.len());
        cursor.findings.tolerate(Problem::at(&span, format!("&{name} takes {takes}, not {given}")));
        return Ok(Expr::Call { function: &UNKNOWN, arguments });
    }
    Ok(tried(cursor, function, arguments, &span))
}

fn arguments(cursor: &mut Cursor<'_, '_, '_>, name: &str, paths: Paths) -> Result<Vec<Expr>, Stop> {
    let mut arguments = Vec::new();
    if cursor.take(Symbol::Close) {
        return Ok(arguments);
    }
    loop {
        arguments.push(match (&cursor.peek().kind, paths) {
            (Kind::Path(_), Paths::Refused) => {
                let message = format!("in WHEN the arguments of &{name} must be literals");
                let problem = Problem::at(&cursor.span(), message);
                return Err(cursor
                    .stop(problem.hint("EMIT the computed value in an earlier scope and compare it here")));
            }
            (Kind::Function, _) => call(cursor, paths)?,
            (Kind::Symbol(Symbol::Close), _) => {
                let hint = Some("a call has no comma before the `)`".to_owned());
                return Err(cursor.expected("a value", hint));
            }
            _ => value(cursor)?,
        });
        if cursor.take(Symbol::Close) {
            return Ok(arguments);
        }
        if !cursor.take(Symbol::Comma) {
            return Err(cursor.expected("`,` or `)`", None));
        }
    }
}

fn tried(
    cursor: &mut Cursor<'_, '_, '_>,
    function: &'static Function,
    arguments: Vec<Expr>,
    span: &Span,
) -> Expr {
    let literals: Option<Vec<Cow<'_, Value>>> =
        arguments.iter().map(|a| a.literal().map(Cow::Borrowed)).collect();
    // One that nobody knows has been told of; and a file that makes too much already is
    // tried no further.
    let known = !std::ptr::eq(function, &UNKNOWN);
    let Some(literals) = literals.filter(|_| known && cursor.budget.make(&Value::Null).is_ok()) else {
        return Expr::Call { function, arguments };
    };
    let outcome = function.call(&literals, &Clock { now: jiff::Timestamp::UNIX_EPOCH });
    match outcome {
        Ok(value) if function.depends == Depends::Arguments && cursor.budget.make(&value).is_ok() => {
            Expr::Literal(value)
        }
        Ok(_) => Expr::Call { function, arguments },
        Err(reason) => {
            cursor.findings.tolerate(
                Problem::at(span, reason.text())
                    .hint("this call fails at every request: change its arguments"),
            );
            Expr::Call { function, arguments }
        }
    }
}

fn unknown(name: &str, span: &Span) -> Problem {
    let problem = Problem::at(span, format!("unknown function &{name}"));
    let known = FUNCTIONS.iter().map(|f| f.name);
    match closest(name, known.clone()) {
        Some(near) => problem.hint(format!("did you mean &{near}?")),
        None => {
            let all: Vec<String> = known.map(|name| format!("&{name}")).collect();
            problem.hint(format!("there are {}", all.join(", ")))
        }
    }
}

fn array(cursor: &mut Cursor<'_, '_, '_>) -> Result<Value, Stop> {
    cursor.skip();
    let mut items = Vec::new();
    loop {
        if cursor.take(Symbol::CloseArray) {
            return Ok(Value::Array(items));
        }
        items.push(literal(cursor, "a literal")?);
        if !cursor.take(Symbol::Comma) && !cursor.is(Symbol::CloseArray) {
            return Err(cursor.expected("`,` or `]`", None));
        }
    }
}
