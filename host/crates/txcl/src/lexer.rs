//! From text to tokens: total, byte-wise, with a place for every mistake.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Path;

use crate::diagnostic::{Findings, Problem};
use crate::token::{Keyword, Kind, Symbol, Token};

/// Cuts `text` into tokens; the last is always [`Kind::End`].
pub(crate) fn lex(text: &str, findings: &mut Findings<'_>) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), findings };
    if text.starts_with('\u{feff}') {
        lexer.at = '\u{feff}'.len_utf8();
    }
    while lexer.skip_blank() {
        let start = lexer.at;
        let kind = lexer.token();
        lexer.tokens.push(Token { kind, span: start..lexer.at });
    }
    lexer.tokens.push(Token { kind: Kind::End, span: text.len()..text.len() });
    lexer.tokens
}

struct Lexer<'t, 'f, 'a> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
    findings: &'f mut Findings<'a>,
}

fn is_letter(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_'
}

fn is_number_run(b: u8) -> bool {
    b.is_ascii_digit() || b == b'.' || b == b'-'
}

impl Lexer<'_, '_, '_> {
    /// Skips whitespace and comments; false at the end.
    fn skip_blank(&mut self) -> bool {
        loop {
            match self.byte(0) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'#') => self.at = self.run_end(|b| b != b'\n'),
                Some(_) => return true,
                None => return false,
            }
        }
    }

    fn token(&mut self) -> Kind {
        match (self.byte(0), self.byte(1)) {
            (Some(b'"'), _) => Kind::Text(self.quoted()),
            (Some(b'.'), Some(b)) if is_letter(b) => self.path(false),
            (Some(b'@'), Some(b)) if is_letter(b) => self.path(true),
            (Some(b'&'), Some(b)) if is_letter(b) => {
                self.at += 1;
                self.at = self.run_end(|b| is_letter(b) || b.is_ascii_digit());
                Kind::Function
            }
            (Some(b'/'), _) if self.after_match() => self.regex(),
            (Some(b'-'), Some(b)) if is_number_run(b) => self.number(),
            (Some(b), _) if b.is_ascii_digit() => self.number(),
            (Some(b), _) if is_letter(b) => self.word(),
            _ => self.symbol(),
        }
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        self.at = self.run_end(|b| is_letter(b) || b.is_ascii_digit());
        let word = self.text.get(start..self.at).unwrap_or_default();
        if word == "b64" && self.byte(0) == Some(b'"') {
            return Kind::Text(STANDARD.encode(self.quoted()));
        }
        Keyword::read(word).map_or(Kind::Word, Kind::Keyword)
    }

    /// The whole run, letters too: `5s` is one bad number, not a number and a word.
    fn number(&mut self) -> Kind {
        self.at = self.run_end(|b| is_number_run(b) || is_letter(b));
        Kind::Number
    }

    fn quoted(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return out;
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => out.push(c),
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, c)) => out.extend(['\\', c]),
                    None => out.push('\\'),
                },
                c => out.push(c),
            }
        }
        self.at = self.text.len();
        let problem = Problem::at(&(start..start + 1), "unterminated string literal");
        self.findings.tolerate(problem.hint("a text ends with a double quote; if this is the end of one, the quote of its beginning is missing, or another text before it was not ended"));
        out
    }

    fn path(&mut self, sugared: bool) -> Kind {
        let start = self.at;
        self.at += 1;
        let mut segments = vec![String::new()];
        let mut sound = true;
        while let Some(b) = self.byte(0) {
            match (b, segments.last_mut()) {
                (b'.', _) => {
                    segments.push(String::new());
                    self.at += 1;
                }
                (b'"', Some(segment)) if segment.is_empty() => {
                    let from = self.at + 1;
                    let tail = self.text.get(from..).unwrap_or_default();
                    let Some(end) =
                        tail.find(['"', '\n']).filter(|end| tail.as_bytes().get(*end) == Some(&b'"'))
                    else {
                        let problem = Problem::at(&(self.at..from), "unterminated quoted segment in a path");
                        self.findings.refuse(problem.hint("write .\"name\" with both quotes on one line"));
                        self.at = self.text.len() - tail.trim_start_matches(|c| c != '\n').len();
                        return Kind::Illegal;
                    };
                    segment.push_str(tail.get(..end).unwrap_or_default());
                    sound &= end > 0;
                    self.at = from + end + 1;
                    if !matches!(self.byte(0), Some(b'.')) {
                        break;
                    }
                }
                (b, Some(segment)) if is_letter(b) || b.is_ascii_digit() || b == b'-' => {
                    segment.push(char::from(b));
                    self.at += 1;
                }
                _ => break,
            }
        }
        // D4: `@_txc.a` is `@a`.
        if sugared && segments.first().is_some_and(|first| first != "_txc") {
            segments.insert(0, "_txc".to_owned());
        }
        let span = start..self.at;
        let problem = match Path::from_segments(segments) {
            Ok(path) if sound => return Kind::Path(path),
            Ok(_) => Problem::at(&span, "this path has an empty segment"),
            Err(model::PathError::TooDeep) => Problem::at(&span, "this path has too many segments"),
            Err(_) => Problem::at(&span, "this path has an empty segment"),
        };
        self.findings
            .refuse(problem.hint("a path is .name.name, with no dot at the end and no two dots in a row"));
        Kind::Illegal
    }

    fn after_match(&self) -> bool {
        matches!(self.tokens.last().map(|t| &t.kind), Some(Kind::Symbol(Symbol::Match | Symbol::NoMatch)))
    }

    fn regex(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.rest().char_indices().peekable();
        while let Some((offset, c)) = chars.next() {
            match (c, chars.peek()) {
                ('/', _) => {
                    self.at += offset + 1;
                    return Kind::Regex(out);
                }
                ('\\', Some((_, '/'))) => {
                    out.push('/');
                    chars.next();
                }
                ('\\', Some((_, next))) => {
                    out.extend(['\\', *next]);
                    chars.next();
                }
                (c, _) => out.push(c),
            }
        }
        self.at = self.text.len();
        let problem = Problem::at(&(start..start + 1), "unterminated regex literal");
        self.findings.tolerate(problem.hint("a regex ends with a slash; a slash inside it is written \\/"));
        Kind::Regex(out)
    }

    fn symbol(&mut self) -> Kind {
        let rest = self.rest();
        const SYMBOLS: &[(&str, Symbol)] = &[
            ("==", Symbol::Equal),
            ("!=", Symbol::NotEqual),
            ("=~", Symbol::Match),
            ("!~", Symbol::NoMatch),
            ("<=", Symbol::LessEqual),
            (">=", Symbol::GreaterEqual),
            ("&&", Symbol::And),
            ("||", Symbol::Or),
            ("<", Symbol::Less),
            (">", Symbol::Greater),
            ("=", Symbol::Assign),
            ("!", Symbol::Not),
            (",", Symbol::Comma),
            ("(", Symbol::Open),
            (")", Symbol::Close),
            ("[", Symbol::OpenArray),
            ("]", Symbol::CloseArray),
            ("*", Symbol::Star),
        ];
        if let Some((text, symbol)) = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text)) {
            self.at += text.len();
            return Kind::Symbol(*symbol);
        }
        let Some(c) = rest.chars().next() else { return Kind::End };
        let (start, regex) = (self.at, self.after_match());
        self.at += c.len_utf8();
        if matches!(c, '+' | '-' | '/' | ';' | ':' | '{' | '}') {
            return Kind::Symbol(Symbol::Unused(c));
        }
        let hint = match c {
            '&' => "conditions are joined by &&; a function is &name(…)",
            '|' => "alternatives are joined by ||",
            '@' => "@name is short for ._txc.name: a letter follows the @",
            '.' if self.byte(0) == Some(b'"') => {
                "a path begins with a plain name; a name in quotes stands behind one: .body.\"a b\""
            }
            '.' if self.byte(0).is_some_and(|next| next.is_ascii_digit()) => {
                "a path begins with a letter or _; a number begins with a digit: 0.5, not .5"
            }
            '.' => "a path is .name: a letter or _ follows the first dot",
            _ if regex => "a regex stands between slashes: =~ /…/",
            '\'' | '“' | '”' | '‘' | '’' | '`' => "texts stand in straight double quotes: \"…\"",
            '$' => "a path begins with a dot, and stands without braces: .name",
            '~' => "a regex is compared with =~ or !~",
            '?' | '%' | '^' | '\\' => "no operator has this character",
            _ => "outside of texts and comments rules are plain ASCII",
        };
        if regex {
            // A regex without its slashes is one mistake.
            self.at = self.run_end(|b| !b.is_ascii_whitespace());
        } else if let ending @ ('\'' | '`' | '”' | '’') = match c {
            '“' => '”',
            '‘' => '’',
            c => c,
        } {
            // The whole text in wrong quotes is one mistake; a long one is looked for no further.
            let line = self.rest().char_indices().take(200).take_while(|(_, c)| *c != '\n');
            let end = line.filter(|(_, c)| *c == ending).map(|(at, c)| at + c.len_utf8()).next();
            self.at += end.unwrap_or(0);
        }
        self.findings.tolerate(Problem::at(&(start..self.at), format!("unexpected {c:?}")).hint(hint));
        Kind::Illegal
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn run_end(&self, belongs: impl Fn(u8) -> bool) -> usize {
        let run = self.rest().bytes().take_while(|b| belongs(*b)).count();
        self.at + run
    }
}

#[cfg(test)]
mod tests;
