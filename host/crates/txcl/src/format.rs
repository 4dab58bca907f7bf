//! The formatter: one layout for every rule file, comments kept, meaning untouched.
#![expect(clippy::wildcard_enum_match_arm, reason = "most words are printed as they are, whatever they are")]

use crate::compile::groups;
use crate::diagnostic::{Diagnostics, Findings, Mode, RuleFile};
use crate::gap::Gap;
use crate::lexer;
use crate::token::{Keyword, Kind, Symbol, Token};

/// A condition longer than this is broken at its operators.
const WIDE: usize = 100;
/// A SELECT longer than this is broken at its commas.
const WIDE_SELECT: usize = 80;
/// How much deeper what had to be broken goes on.
const DEEPER: usize = 4;

/// Lays a rule file out anew: every clause on a line of its own, every item of SET, EMIT and
/// WITH on a line of its own below the first, keywords in capitals, one blank between words.
/// Texts, regexes, paths and comments stay as they are; at most one empty line stays between
/// clauses, and one is put between rules. Formatting twice changes nothing more.
///
/// # Errors
/// What does not parse strictly is not formatted: its mistakes.
pub fn format(file: &RuleFile<'_>) -> Result<String, Diagnostics> {
    let mut findings = Findings::new(*file, Mode::Strict);
    let rules = groups(file, &mut findings);
    let findings = findings.finish();
    if findings.has_errors() {
        return Err(findings);
    }
    let starts: Vec<usize> = rules.iter().filter_map(|rule| rule.first()).map(|c| c.span.start).collect();
    let tokens = lexer::lex(file.text, &mut Findings::new(*file, Mode::Strict));
    let words = words(file.text, &tokens, starts.get(1..).unwrap_or_default());
    let mut page = Page::default();
    for (at, word) in words.iter().enumerate() {
        let rest = words.get(at..).unwrap_or_default();
        page.put(word, rest);
    }
    Ok(page.text)
}

/// A token as it is printed, with what stands before it.
struct Word<'t> {
    text: String,
    kind: &'t Kind,
    gap: Gap<'t>,
    /// Brackets it stands in; those themselves stand outside.
    depth: usize,
    /// It begins an item of a list; not the first of a clause.
    next_item: bool,
    /// It begins a rule, not the first.
    next_rule: bool,
}

impl Word<'_> {
    fn clause(&self) -> Option<Keyword> {
        match self.kind {
            Kind::Keyword(keyword) if keyword.begins_clause() => Some(*keyword),
            _ => None,
        }
    }

    fn ends_clause(&self) -> bool {
        self.clause().is_some() || *self.kind == Kind::End
    }

    fn is(&self, symbol: Symbol) -> bool {
        *self.kind == Kind::Symbol(symbol)
    }
}

/// The tokens without the commas that separate items: the page puts its own.
fn words<'t>(text: &'t str, tokens: &'t [Token], rules: &[usize]) -> Vec<Word<'t>> {
    let mut words: Vec<Word<'t>> = Vec::new();
    let (mut clause, mut depth, mut end, mut in_clause) = (None, 0_usize, 0, 0_usize);
    let mut before: Option<Gap<'t>> = None;
    let mut comma = false;
    for (at, token) in tokens.iter().enumerate() {
        let gap = Gap::read(text.get(end..token.span.start).unwrap_or_default(), at == 0);
        let mut gap = match before.take() {
            Some(before) => before.then(gap),
            None => gap,
        };
        end = token.span.end;
        let next = tokens.get(at + 1).map(|t| &t.kind);
        let list = !matches!(clause, None | Some(Keyword::When));
        if token.kind == Kind::Symbol(Symbol::Comma) {
            before = Some(std::mem::take(&mut gap));
            if (depth == 0 && list) || next == Some(&Kind::Symbol(Symbol::CloseArray)) {
                comma = true;
                continue;
            }
        }
        if matches!(token.kind, Kind::Symbol(Symbol::Close | Symbol::CloseArray)) {
            depth = depth.saturating_sub(1);
        }
        let begins = depth == 0
            && match (clause, &token.kind) {
                (Some(Keyword::Set | Keyword::Emit), Kind::Path(_)) => {
                    next == Some(&Kind::Symbol(Symbol::Assign))
                }
                (Some(Keyword::With), Kind::Word) => true,
                (Some(Keyword::Select), Kind::Path(_)) => comma,
                _ => false,
            };
        let next_rule = rules.contains(&token.span.start);
        let printed = printed(&token.kind, text.get(token.span.clone()).unwrap_or_default());
        let next_item = begins && in_clause > 0;
        words.push(Word { text: printed, kind: &token.kind, gap, depth, next_item, next_rule });
        comma = false;
        in_clause += 1;
        if let Some(keyword) = words.last().and_then(Word::clause) {
            (clause, in_clause) = (Some(keyword), 0);
        }
        if matches!(token.kind, Kind::Symbol(Symbol::Open | Symbol::OpenArray)) {
            depth += 1;
        }
    }
    words
}

fn printed(kind: &Kind, text: &str) -> String {
    match kind {
        Kind::Keyword(keyword) if *keyword == Keyword::Null => text.to_ascii_lowercase(),
        Kind::Keyword(Keyword::True | Keyword::False) => text.to_owned(),
        Kind::Keyword(_) => text.to_ascii_uppercase(),
        _ => text.to_owned(),
    }
}

/// Whether `next` follows `word` without a blank.
fn glued(word: &Word<'_>, next: &Word<'_>) -> bool {
    let opens = word.is(Symbol::Open) || word.is(Symbol::OpenArray) || word.is(Symbol::Not);
    let closes = next.is(Symbol::Close) || next.is(Symbol::CloseArray) || next.is(Symbol::Comma);
    let called = *word.kind == Kind::Function && next.is(Symbol::Open);
    // `headers.x`: the name of a parameter is a word and a path.
    let named = *word.kind == Kind::Word && matches!(next.kind, Kind::Path(_));
    opens || closes || called || named
}

/// The words of the clause that the first of `words` begins, without its keyword.
fn inside<'w, 't>(words: &'w [Word<'t>]) -> &'w [Word<'t>] {
    let after = words.get(1..).unwrap_or_default();
    let end = after.iter().position(Word::ends_clause).unwrap_or(after.len());
    after.get(..end).unwrap_or_default()
}

/// How long a clause is on one line; more than any limit when it cannot be on one.
fn width(words: &[Word<'_>]) -> usize {
    let inside = inside(words);
    if inside.iter().any(|w| w.gap.has_comment() || w.text.contains('\n')) {
        return usize::MAX;
    }
    let pairs = words.iter().zip(inside);
    let together: usize = pairs
        .map(|(before, w)| w.text.chars().count() + usize::from(!glued(before, w)) + usize::from(w.next_item))
        .sum();
    together + words.first().map_or(0, |w| w.text.len())
}

/// The clause that is being printed.
#[derive(Default)]
struct Now {
    /// Where its items stand.
    indent: usize,
    /// Whether it is broken at operators or items.
    broken: bool,
    /// Whether it has alternatives, so that what is joined by `&&` stands deeper.
    alternatives: bool,
    condition: bool,
}

/// The text as far as it is printed.
#[derive(Default)]
struct Page {
    text: String,
    now: Now,
    /// No blank before the next word.
    glue: bool,
}

impl Page {
    fn put(&mut self, word: &Word<'_>, rest: &[Word<'_>]) {
        let ends = word.ends_clause();
        if word.next_item {
            self.text.push(',');
        }
        let (breaks, indent) = match (ends, word.next_item && self.now.broken, self.operator(word)) {
            (true, _, _) => (true, 0),
            (false, true, _) => (true, self.now.indent),
            (false, false, Some(indent)) => (true, indent),
            (false, false, None) => (false, self.now.indent + DEEPER),
        };
        let commented = word.gap.has_comment();
        self.comments(word, indent, breaks);
        if *word.kind == Kind::End {
            self.line(0);
            return;
        }
        let apart = word.gap.apart || (word.next_rule && word.gap.above.is_empty());
        if breaks && apart && (ends || word.next_item) {
            self.empty_line();
        }
        if breaks || commented {
            self.line(indent);
        } else if !self.glue {
            self.text.push(' ');
        }
        self.text.push_str(&word.text);
        self.glue = rest.get(1).is_some_and(|next| glued(word, next));
        if let Some(keyword) = word.clause() {
            self.now = Now::of(keyword, rest);
        }
    }

    /// Where an operator of a broken condition stands.
    fn operator(&self, word: &Word<'_>) -> Option<usize> {
        let now = &self.now;
        if !now.condition || !now.broken || word.depth > 0 {
            return None;
        }
        let and = if now.alternatives { DEEPER } else { DEEPER / 2 };
        match word.kind {
            Kind::Symbol(Symbol::Or) => Some(DEEPER / 2),
            Kind::Symbol(Symbol::And) => Some(and),
            _ => None,
        }
    }

    fn comments(&mut self, word: &Word<'_>, indent: usize, breaks: bool) {
        if let Some(text) = word.gap.behind {
            self.text.push_str("  ");
            self.text.push_str(text);
        }
        for (at, comment) in word.gap.above.iter().enumerate() {
            if breaks && (comment.apart || (at == 0 && word.next_rule)) {
                self.empty_line();
            }
            self.line(indent);
            self.text.push_str(comment.text);
        }
    }

    /// Begins a line, unless nothing is printed yet.
    fn line(&mut self, indent: usize) {
        if !self.text.is_empty() {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(' ', indent));
        }
        self.glue = true;
    }

    fn empty_line(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }
}

impl Now {
    fn of(keyword: Keyword, words: &[Word<'_>]) -> Self {
        let condition = keyword == Keyword::When;
        let limit = match keyword {
            Keyword::When => WIDE,
            Keyword::Select => WIDE_SELECT,
            _ => 0,
        };
        Self {
            indent: words.first().map_or(0, |w| w.text.len() + 1),
            broken: width(words) > limit,
            alternatives: inside(words).iter().any(|w| w.depth == 0 && w.is(Symbol::Or)),
            condition,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
