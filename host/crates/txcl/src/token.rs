//! The words of the language, each with its place in the text.

use model::Path;

use crate::diagnostic::Span;

/// A keyword, written all in lower or all in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    When,
    Set,
    Select,
    With,
    Priority,
    Exec,
    Emit,
    As,
    Default,
    Null,
    True,
    False,
    /// Kept for later: `return fn let if else`.
    Reserved,
}

impl Keyword {
    /// The clauses, as a hint lists them.
    pub(crate) const CLAUSES: &[&str] = &["WHEN", "SET", "SELECT", "WITH", "PRIORITY", "EXEC", "EMIT"];

    /// Reads a word; mixed case is no keyword.
    pub(crate) fn read(word: &str) -> Option<Self> {
        Some(match word {
            "when" | "WHEN" => Self::When,
            "set" | "SET" => Self::Set,
            "select" | "SELECT" => Self::Select,
            "with" | "WITH" => Self::With,
            "priority" | "PRIORITY" => Self::Priority,
            "exec" | "EXEC" => Self::Exec,
            "emit" | "EMIT" => Self::Emit,
            "as" | "AS" => Self::As,
            "default" | "DEFAULT" => Self::Default,
            "null" | "NULL" => Self::Null,
            "true" => Self::True,
            "false" => Self::False,
            "return" | "RETURN" | "fn" | "let" | "if" | "else" => Self::Reserved,
            _ => return None,
        })
    }

    /// Whether it begins a clause.
    pub(crate) fn begins_clause(self) -> bool {
        match self {
            Self::When | Self::Set | Self::Select | Self::With | Self::Priority | Self::Exec | Self::Emit => {
                true
            }
            Self::As | Self::Default | Self::Null | Self::True | Self::False | Self::Reserved => false,
        }
    }
}

/// An operator or separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    Equal,
    NotEqual,
    Match,
    NoMatch,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Assign,
    Not,
    And,
    Or,
    Comma,
    Open,
    Close,
    OpenArray,
    CloseArray,
    Star,
    /// Lexed, and used by nothing: `+ - / ; : { }`.
    Unused(char),
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Keyword(Keyword),
    /// A name that is no keyword.
    Word,
    /// A run that begins like a number; `number` reads it.
    Number,
    Text(String),
    Path(Path),
    Regex(String),
    /// `&name`.
    Function,
    Symbol(Symbol),
    /// Reported by the lexer already.
    Illegal,
    End,
}

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}
