//! What an author may have meant who wrote what cannot stand there.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "most tokens need no word more than that they are not expected"
)]

use crate::cursor::Cursor;
use crate::function::Function;
use crate::similar::closest;
use crate::token::{Keyword, Kind, Symbol};

/// The keyword that a word nearly is.
pub(crate) fn keyword(word: &str) -> Option<&'static str> {
    closest(word, Keyword::CLAUSES.iter().copied())
}

/// Where a path begins.
pub(crate) fn path(cursor: &Cursor<'_, '_, '_>) -> Option<String> {
    matches!(cursor.peek().kind, Kind::Word).then(|| format!("a path begins with a dot: .{}", cursor.word()))
}

/// Where a condition begins.
pub(crate) fn condition(cursor: &Cursor<'_, '_, '_>) -> Option<String> {
    match cursor.peek().kind {
        Kind::Symbol(Symbol::Star) => Some("WHEN * stands alone".to_owned()),
        Kind::Word if cursor.word().eq_ignore_ascii_case("not") => {
            Some("negation is !, as in !(.name == 1)".to_owned())
        }
        Kind::Function => Some(
            "the left side is a path: EMIT what the function gives in an earlier scope, and compare that"
                .to_owned(),
        ),
        Kind::Number if cursor.follows(Symbol::Comma) => {
            Some("a comma joins conditions; numbers have a point: 1.5".to_owned())
        }
        _ => path(cursor),
    }
}

/// Where a comparison belongs.
pub(crate) fn comparison(cursor: &Cursor<'_, '_, '_>) -> &'static str {
    let word = match cursor.peek().kind {
        Kind::Symbol(Symbol::OpenArray) => return "an item of an array is .name.0",
        Kind::Word => cursor.word().to_ascii_lowercase(),
        _ => String::new(),
    };
    match word.as_str() {
        "in" => "join them, as in .name == 1 || .name == 2, or =~ /^(one|two)$/",
        "contains" | "like" | "matches" | "has" => "=~ /…/ searches in a text",
        "eq" | "equals" | "equal" => "equality is ==",
        "ne" => "inequality is !=",
        _ => "a condition is .path == value; to ask whether there is anything, .path != null",
    }
}

/// Where the right side of a comparison belongs.
pub(crate) fn operand(cursor: &Cursor<'_, '_, '_>) -> Option<String> {
    Some(match &cursor.peek().kind {
        Kind::Symbol(Symbol::Unused('/')) => "a regex is compared with =~ or !~".to_owned(),
        Kind::Path(_) => {
            "the right side is a literal; EMIT what the two paths have to do with each other in an \
                          earlier scope"
                .to_owned()
        }
        Kind::Symbol(Symbol::OpenArray) => "arrays cannot be compared".to_owned(),
        Kind::Symbol(Symbol::Assign) => "equality is ==, inequality !=".to_owned(),
        Kind::Symbol(Symbol::Greater) if cursor.follows(Symbol::Less) => "inequality is !=".to_owned(),
        Kind::Symbol(Symbol::Unused('+')) => "write the number without the +".to_owned(),
        Kind::Word => match cursor.word().to_ascii_lowercase().as_str() {
            "none" | "nil" | "undefined" => "what is absent is null".to_owned(),
            _ => return word(cursor, "texts stand in double quotes"),
        },
        _ => return None,
    })
}

/// Where a value belongs.
pub(crate) fn value(cursor: &Cursor<'_, '_, '_>) -> Option<String> {
    Some(match &cursor.peek().kind {
        Kind::Symbol(Symbol::Unused('{')) => {
            "objects have no literal form: write the members one by one, .x.a = 1, .x.b = 2, \
             or &json(\"{\\\"a\\\": 1}\")"
                .to_owned()
        }
        Kind::Keyword(Keyword::Null) => "null can only be compared with, in WHEN".to_owned(),
        Kind::Path(_) | Kind::Function => {
            "inside of an array there are only literals; &array(.name, 1) takes paths too".to_owned()
        }
        Kind::Symbol(Symbol::Unused('+')) => "write the number without the +".to_owned(),
        Kind::Word => {
            return word(cursor, "texts stand in double quotes; a path begins with a dot or an @");
        }
        _ => return None,
    })
}

/// A word where a literal belongs.
fn word(cursor: &Cursor<'_, '_, '_>, otherwise: &str) -> Option<String> {
    let lower = cursor.word().to_ascii_lowercase();
    Some(match lower.as_str() {
        "true" | "false" => format!("write {lower}"),
        "b64" => "write b64\"…\" without a space".to_owned(),
        name if Function::named(name).is_some() => format!("a function begins with &: &{name}(…)"),
        _ => otherwise.to_owned(),
    })
}

/// Where `=` belongs, behind a path or a name.
pub(crate) fn assignment(cursor: &Cursor<'_, '_, '_>) -> Option<&'static str> {
    match cursor.peek().kind {
        Kind::Symbol(Symbol::Equal) => Some("== compares, in WHEN; = writes"),
        Kind::Symbol(Symbol::Unused(':')) => Some("a value stands behind ="),
        Kind::Symbol(Symbol::OpenArray) => Some("an item of an array is .name.0"),
        _ => None,
    }
}

/// Where a clause begins, or the one before goes on.
pub(crate) fn clause(cursor: &Cursor<'_, '_, '_>) -> String {
    let said = match (&cursor.peek().kind, cursor.word()) {
        (Kind::Word, word) => match (keyword(word), word.to_ascii_lowercase().as_str()) {
            (Some(keyword), _) => return format!("did you mean {keyword}?"),
            (None, "and" | "or") => "conditions are joined by && and ||",
            (None, "if") => "a condition stands behind WHEN",
            (None, "then") => "what a rule does stands in clauses of its own: SET, EMIT, EXEC",
            _ if matches!(cursor.before(), Some(Kind::Regex(_))) => {
                "flags stand at the beginning of a regex: /(?i)…/"
            }
            _ if cursor.follows_long_text() => {
                "the text before this goes over several lines: is a double quote missing there?"
            }
            _ => "",
        },
        (Kind::Keyword(_), word) if word.eq_ignore_ascii_case("if") => "a condition stands behind WHEN",
        (Kind::Symbol(Symbol::Unused('/')), _) if cursor.rest().starts_with(['/', '*']) => {
            "a comment begins with #"
        }
        (Kind::Number, word) if word.starts_with("--") => "a comment begins with #",
        (Kind::Symbol(Symbol::Unused('+' | '-' | '/') | Symbol::Star), _) => {
            "there are functions for this: &add(a, b), &sub, &mul, &div; &concat(a, b) joins texts"
        }
        (Kind::Symbol(Symbol::Unused(';')), _) => "nothing stands between clauses",
        (Kind::Symbol(Symbol::Close), _) => "there is no ( that it closes",
        _ => "",
    };
    if said.is_empty() {
        return format!("here a clause begins: {}", Keyword::CLAUSES.join(", "));
    }
    said.to_owned()
}
