//! A place in the tokens of a file, and how parsing goes on after a mistake.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a token that is not expected is a mistake, whatever it is"
)]

use crate::budget::Budget;
use crate::diagnostic::{Findings, Mode, Problem, Span};
use crate::token::{Keyword, Kind, Symbol, Token};

/// How deep brackets, `!` and calls may nest.
pub(crate) const MAX_NESTING: usize = 64;

/// Parsing of an item stopped; what is wrong has been filed.
#[derive(Debug)]
pub(crate) struct Stop;

/// The tokens of one file.
pub(crate) struct Cursor<'t, 'f, 'a> {
    text: &'t str,
    tokens: Vec<Token>,
    end: Token,
    at: usize,
    nesting: usize,
    /// What calls of literals, tried at load, may make.
    pub(crate) budget: Budget,
    /// How many regexes there are already.
    pub(crate) regexes: usize,
    pub(crate) findings: &'f mut Findings<'a>,
}

impl<'t, 'f, 'a> Cursor<'t, 'f, 'a> {
    pub(crate) fn new(text: &'t str, tokens: Vec<Token>, findings: &'f mut Findings<'a>) -> Self {
        let end = Token { kind: Kind::End, span: text.len()..text.len() };
        Self { text, tokens, end, at: 0, nesting: 0, budget: Budget::default(), regexes: 0, findings }
    }

    pub(crate) fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&self.end)
    }

    /// Whether the clause ends behind the next token.
    pub(crate) fn ends_behind_next(&self) -> bool {
        let next = self.tokens.get(self.at + 1).unwrap_or(&self.end);
        match next.kind {
            Kind::Keyword(keyword) => keyword.begins_clause(),
            _ => next.kind == Kind::End,
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.peek().span.clone()
    }

    /// The text under the next token.
    pub(crate) fn word(&self) -> &'t str {
        self.text.get(self.span()).unwrap_or_default()
    }

    /// The end of the token before.
    pub(crate) fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |t| t.span.end)
    }

    /// What the token before is.
    pub(crate) fn before(&self) -> Option<&Kind> {
        Some(&self.tokens.get(self.at.checked_sub(1)?)?.kind)
    }

    /// Whether the token before is this symbol.
    pub(crate) fn follows(&self, symbol: Symbol) -> bool {
        self.before() == Some(&Kind::Symbol(symbol))
    }

    /// Whether the token before is a text over several lines, as one is whose end was forgotten.
    pub(crate) fn follows_long_text(&self) -> bool {
        matches!(self.before(), Some(Kind::Text(text)) if text.contains('\n'))
    }

    /// The text behind the next token.
    pub(crate) fn rest(&self) -> &'t str {
        self.text.get(self.span().end..).unwrap_or_default()
    }

    /// The text from `start` to the end of the token before.
    pub(crate) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.last_end()).unwrap_or_default()
    }

    pub(crate) fn skip(&mut self) {
        self.at += 1;
    }

    /// Takes the next token when it is this symbol.
    pub(crate) fn take(&mut self, symbol: Symbol) -> bool {
        let taken = self.peek().kind == Kind::Symbol(symbol);
        if taken {
            self.skip();
        }
        taken
    }

    /// Whether the next token is this symbol.
    pub(crate) fn is(&self, symbol: Symbol) -> bool {
        self.peek().kind == Kind::Symbol(symbol)
    }

    pub(crate) fn clause_keyword(&self) -> Option<Keyword> {
        match self.peek().kind {
            Kind::Keyword(keyword) if keyword.begins_clause() => Some(keyword),
            _ => None,
        }
    }

    /// Whether a clause may end here.
    pub(crate) fn clause_ends(&self) -> bool {
        self.clause_keyword().is_some() || self.peek().kind == Kind::End
    }

    /// The next token as a message shows it.
    pub(crate) fn found(&self) -> String {
        match &self.peek().kind {
            Kind::End => "the end of the file".to_owned(),
            Kind::Text(_) => "a text".to_owned(),
            _ => format!("`{}`", self.word().chars().take(40).collect::<String>()),
        }
    }

    /// Files a problem about the next token, unless the lexer has.
    pub(crate) fn stop(&mut self, problem: Problem) -> Stop {
        if self.peek().kind != Kind::Illegal || self.findings.mode() == Mode::Lenient {
            self.findings.refuse(problem);
        }
        Stop
    }

    /// Files "expected …, found …" about the next token.
    pub(crate) fn expected(&mut self, what: &str, hint: Option<String>) -> Stop {
        let problem = Problem::at(&self.span(), format!("expected {what}, found {}", self.found()));
        self.stop(problem.hint_if(hint))
    }

    /// Runs `inner` one level deeper.
    pub(crate) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.nesting >= MAX_NESTING {
            let problem = Problem::at(&self.span(), format!("nested deeper than {MAX_NESTING} levels"));
            self.findings.refuse(problem);
            return Err(Stop);
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    /// Goes to the next clause.
    pub(crate) fn skip_clause(&mut self) {
        while !self.clause_ends() {
            self.skip();
        }
    }

    /// Goes to the next item of a list: behind a comma outside of brackets, or to the
    /// next clause.
    pub(crate) fn skip_item(&mut self) {
        let mut open = 0_usize;
        while !self.clause_ends() {
            match self.peek().kind {
                Kind::Symbol(Symbol::Open | Symbol::OpenArray) => open += 1,
                Kind::Symbol(Symbol::Close | Symbol::CloseArray) => open = open.saturating_sub(1),
                Kind::Symbol(Symbol::Comma) if open == 0 => return,
                _ => {}
            }
            self.skip();
        }
    }
}
