//! Parses a file into its clauses, going on after a mistake.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a token that is not expected is a mistake, whatever it is"
)]

use model::Path;

use crate::condition::Condition;
use crate::cursor::{Cursor, Stop};
use crate::diagnostic::{Problem, Span};
use crate::expr::Expr;
use crate::meant;
use crate::number::Number;
use crate::token::{Keyword, Kind, Symbol};
use crate::value::{number, value};
use crate::when::condition;

/// `PATH = VALUE`, in SET, EMIT and WITH.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) path: Path,
    pub(crate) span: Span,
    pub(crate) value: Expr,
    pub(crate) value_span: Span,
    pub(crate) line: usize,
}

/// `SOURCE AS TARGET DEFAULT VALUE`.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) source: Path,
    pub(crate) target: Path,
    pub(crate) default: Option<Expr>,
    pub(crate) line: usize,
}

/// A clause that could be parsed.
#[derive(Debug)]
pub(crate) enum Clause {
    When(Condition),
    Set(Vec<Pair>),
    /// Empty for `SELECT *`.
    Select(Vec<Selected>),
    With(Vec<Pair>),
    Priority(i64),
    Exec(String, Span),
    Emit(Vec<Pair>),
}

/// A clause as it stands in the file.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) keyword: Keyword,
    /// Of the keyword.
    pub(crate) span: Span,
    /// Where the clause ends.
    pub(crate) end: usize,
    /// `None`: its mistakes have been filed.
    pub(crate) clause: Option<Clause>,
}

/// Parses all clauses of a file.
pub(crate) fn clauses(cursor: &mut Cursor<'_, '_, '_>) -> Vec<Placed> {
    let mut clauses = Vec::new();
    loop {
        skip_garbage(cursor);
        let Some(keyword) = cursor.clause_keyword() else { return clauses };
        let span = cursor.span();
        cursor.skip();
        let clause = match keyword {
            Keyword::When => condition(cursor).map(Clause::When),
            Keyword::Set => Ok(Clause::Set(list(cursor, keyword, assignment))),
            Keyword::Emit => Ok(Clause::Emit(list(cursor, keyword, assignment))),
            Keyword::With => Ok(Clause::With(list(cursor, keyword, parameter))),
            Keyword::Select => select(cursor).map(Clause::Select),
            Keyword::Priority => priority(cursor).map(Clause::Priority),
            Keyword::Exec => exec(cursor).map(|(text, span)| Clause::Exec(text, span)),
            Keyword::As
            | Keyword::Default
            | Keyword::Null
            | Keyword::True
            | Keyword::False
            | Keyword::Reserved => Err(Stop),
        };
        let clause = clause.ok();
        if clause.is_none() {
            cursor.skip_clause();
        }
        clauses.push(Placed { keyword, span, end: cursor.last_end(), clause });
    }
}

/// Skips what begins no clause, and says so once.
fn skip_garbage(cursor: &mut Cursor<'_, '_, '_>) {
    if cursor.clause_ends() {
        return;
    }
    if cursor.peek().kind != Kind::Illegal {
        let span = cursor.span();
        let problem = Problem::at(&span, format!("unexpected {}", cursor.found()));
        let problem = problem.hint(meant::clause(cursor));
        cursor.findings.tolerate(problem);
    }
    cursor.skip_clause();
}

type Item<T> = fn(&mut Cursor<'_, '_, '_>) -> Result<T, Stop>;

/// Parses items, with or without commas between them. An item with a mistake is left out,
/// and the list goes on behind the next comma.
fn list<T>(cursor: &mut Cursor<'_, '_, '_>, clause: Keyword, item: Item<T>) -> Vec<T> {
    let mut items = Vec::new();
    if clause == Keyword::With && cursor.clause_keyword().is_some() {
        return items;
    }
    loop {
        match item(cursor) {
            Ok(item) => items.push(item),
            Err(Stop) => cursor.skip_item(),
        }
        let mut commas = 0;
        while cursor.is(Symbol::Comma) {
            if commas > 0 {
                let problem = Problem::at(&cursor.span(), "two commas in a row");
                cursor.findings.tolerate(problem);
            }
            commas += 1;
            cursor.skip();
        }
        let another = match &cursor.peek().kind {
            // A word alone is no parameter; whoever called says so.
            Kind::Word if commas == 0 && cursor.ends_behind_next() => false,
            Kind::Word | Kind::Keyword(_) if clause == Keyword::With => !cursor.clause_ends(),
            Kind::Path(_) if clause != Keyword::With => true,
            _ => commas > 0 && !cursor.clause_ends(),
        };
        if !another {
            return items;
        }
    }
}

fn assignment(cursor: &mut Cursor<'_, '_, '_>) -> Result<Pair, Stop> {
    let span = cursor.span();
    let Kind::Path(path) = &cursor.peek().kind else {
        let hint = meant::path(cursor);
        return Err(cursor.expected("a path such as .name or @name", hint));
    };
    let path = path.clone();
    cursor.skip();
    pair(cursor, path, span)
}

fn parameter(cursor: &mut Cursor<'_, '_, '_>) -> Result<Pair, Stop> {
    let start = cursor.span();
    let word = cursor.word();
    match cursor.peek().kind {
        Kind::Word => cursor.skip(),
        Kind::Keyword(_) => {
            return Err(cursor.expected("a parameter's name", Some("this word is a keyword".to_owned())));
        }
        Kind::Path(_) => {
            let hint = "the name of a parameter begins without a dot".to_owned();
            return Err(cursor.expected("a parameter's name", Some(hint)));
        }
        Kind::Text(_) => {
            let hint = "the name of a parameter stands without quotes".to_owned();
            return Err(cursor.expected("a parameter's name", Some(hint)));
        }
        _ => return Err(cursor.expected("a parameter's name", None)),
    }
    let mut segments = vec![word.to_owned()];
    if let Kind::Path(rest) = &cursor.peek().kind
        && !cursor.word().starts_with('@')
    {
        segments.extend(rest.segments().iter().map(|s| s.as_str().to_owned()));
        cursor.skip();
    }
    let span = start.start..cursor.last_end();
    let Ok(path) = Path::from_segments(segments) else {
        cursor.findings.refuse(Problem::at(&span, "this parameter's name has too many segments"));
        return Err(Stop);
    };
    if !cursor.is(Symbol::Assign) {
        let hint = match (cursor.peek().kind.clone(), meant::keyword(word)) {
            (_, Some(keyword)) => Some(format!("did you mean {keyword} instead of {word}?")),
            (Kind::Symbol(Symbol::Unused('-')) | Kind::Number, None) => Some(
                "a name begins with letters, digits and _; only behind its first dot may it have -"
                    .to_owned(),
            ),
            _ => meant::assignment(cursor).map(str::to_owned),
        };
        let problem = Problem::at(&span, format!("expected `=` after this name, found {}", cursor.found()));
        return Err(cursor.stop(problem.hint_if(hint)));
    }
    pair(cursor, path, span)
}

fn pair(cursor: &mut Cursor<'_, '_, '_>, path: Path, span: Span) -> Result<Pair, Stop> {
    let line = cursor.findings.line(span.start);
    if !cursor.take(Symbol::Assign) {
        let hint = meant::assignment(cursor).map(str::to_owned);
        return Err(cursor.expected("`=`", hint));
    }
    let start = cursor.span().start;
    let value = value(cursor)?;
    Ok(Pair { path, span, value, value_span: start..cursor.last_end(), line })
}

fn select(cursor: &mut Cursor<'_, '_, '_>) -> Result<Vec<Selected>, Stop> {
    if cursor.take(Symbol::Star) {
        if cursor.is(Symbol::Comma) {
            return Err(cursor.stop(Problem::at(&cursor.span(), "SELECT * cannot be combined with paths")));
        }
        return Ok(Vec::new());
    }
    let mut items = Vec::new();
    loop {
        let Kind::Path(source) = &cursor.peek().kind else {
            let hint = meant::path(cursor);
            return Err(cursor.expected("`*` or a path such as .name or @name", hint));
        };
        let (source, line) = (source.clone(), cursor.findings.line(cursor.span().start));
        cursor.skip();
        let mut target = source.clone();
        if cursor.peek().kind == Kind::Keyword(Keyword::As) {
            cursor.skip();
            let Kind::Path(path) = &cursor.peek().kind else {
                let hint = meant::path(cursor);
                return Err(cursor.expected("a path after AS", hint));
            };
            target = path.clone();
            cursor.skip();
        }
        let mut default = None;
        if cursor.peek().kind == Kind::Keyword(Keyword::Default) {
            cursor.skip();
            default = Some(value(cursor)?);
        }
        items.push(Selected { source, target, default, line });
        if !cursor.take(Symbol::Comma) {
            return Ok(items);
        }
    }
}

fn priority(cursor: &mut Cursor<'_, '_, '_>) -> Result<i64, Stop> {
    if let Kind::Text(text) = &cursor.peek().kind
        && let Ok(n) = text.parse()
    {
        let problem = Problem::at(&cursor.span(), "PRIORITY takes a number, not a text");
        cursor.findings.tolerate(problem.hint(format!("write PRIORITY {n}")));
        cursor.skip();
        return Ok(n);
    }
    let span = cursor.span();
    if cursor.peek().kind != Kind::Number {
        let hint = "the rule with the highest number runs alone: PRIORITY 5".to_owned();
        return Err(cursor.expected("a whole number after PRIORITY", Some(hint)));
    }
    match number(cursor)? {
        Number::Int(n) => Ok(n),
        Number::Float(_) => {
            cursor.findings.refuse(Problem::at(&span, "PRIORITY takes a whole number"));
            Err(Stop)
        }
    }
}

fn exec(cursor: &mut Cursor<'_, '_, '_>) -> Result<(String, Span), Stop> {
    let span = cursor.span();
    let Kind::Text(text) = &cursor.peek().kind else {
        let hint = match cursor.peek().kind {
            Kind::Path(_) | Kind::Function => {
                "EXEC takes a literal; for http(s), WITH url = … overrides it per request"
            }
            Kind::Word => "what is run stands in double quotes: EXEC \"txco://noop\"",
            _ => "for instance EXEC \"txco://hmac-sign\" or EXEC \"https://api.example.com/\"",
        };
        return Err(cursor.expected("a quoted text after EXEC", Some(hint.to_owned())));
    };
    let text = text.clone();
    cursor.skip();
    Ok((text, span))
}
