//! What is wrong with a rule file, where, and what to do about it.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A range of bytes in a rule file.
pub(crate) type Span = Range<usize>;

/// More findings than this in one file are counted, not listed.
const MAX_FINDINGS: usize = 100;

/// One rule file, as it is handed to [`compile()`](crate::compile()).
#[derive(Debug, Clone, Copy)]
pub struct RuleFile<'a> {
    /// The path to show in diagnostics.
    pub path: &'a str,
    /// The name of its rule: the file name without `.txcl`.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

/// How mistakes are taken that the existing chassis lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They are errors.
    #[default]
    Strict,
    /// They are noted, and mean what they mean there: for imported workspaces.
    Lenient,
}

/// Whether [`Diagnostics::render`] colours its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// No escape codes.
    #[default]
    Plain,
    /// ANSI escape codes.
    Coloured,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; [`Mode::Lenient`] let something pass, or a request will fail.
    Warning,
}

impl Severity {
    /// As in the JSON form and in rendered text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Line of its beginning, from 1.
    pub line: usize,
    /// Column of its beginning in characters, from 1.
    pub column: usize,
    /// The bytes of the file it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What was found in one rule file, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    path: String,
    text: String,
    items: Vec<Diagnostic>,
    unlisted: usize,
}

impl Diagnostics {
    /// The findings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many are as bad as this; those that are only counted are errors where there is one.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let listed = self.items.iter().filter(|d| d.severity == severity).count();
        let worst = if self.has_errors() { Severity::Error } else { Severity::Warning };
        listed + if severity == worst { self.unlisted } else { 0 }
    }

    /// Whether one of them refuses the file.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|d| d.severity == Severity::Error)
    }

    /// The path of the file, as it was handed in.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// For people: each finding with its line of the file and a caret under it.
    #[must_use]
    pub fn render(&self, color: Color) -> String {
        let renderer = match color {
            Color::Plain => Renderer::plain(),
            Color::Coloured => Renderer::styled(),
        };
        let mut out = String::new();
        for item in &self.items {
            let level = match item.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let snippet = Snippet::source(self.text.as_str())
                .path(self.path.as_str())
                .annotation(AnnotationKind::Primary.span(item.span.clone()));
            let mut group = level.primary_title(item.message.as_str()).element(snippet);
            if let Some(hint) = &item.hint {
                group = group.element(Level::HELP.message(hint.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push_str("\n\n");
        }
        if self.unlisted > 0 {
            out.push_str(&format!("{}: {} more findings\n\n", self.path, self.unlisted));
        }
        out
    }

    /// For machines: an array of objects with `path`, `severity`, `line`, `column`,
    /// `start`, `end`, `message` and `hint`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let items = self.items.iter().map(|d| {
            serde_json::json!({
                "path": self.path, "severity": d.severity.as_str(), "line": d.line, "column": d.column,
                "start": d.span.start, "end": d.span.end, "message": d.message, "hint": d.hint,
            })
        });
        serde_json::Value::Array(items.collect())
    }
}

/// One line per finding: `path:line:column: error: message (hint)`.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, d) in self.items.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n" };
            write!(f, "{gap}{}:{}:{}: {}: {}", self.path, d.line, d.column, d.severity.as_str(), d.message)?;
            if let Some(hint) = &d.hint {
                write!(f, " ({hint})")?;
            }
        }
        if self.unlisted > 0 {
            write!(f, "\n{}: {} more findings", self.path, self.unlisted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// A mistake before it is known how strictly it is taken.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    span: Span,
    message: String,
    hint: Option<String>,
}

impl Problem {
    pub(crate) fn at(span: &Span, message: impl Into<String>) -> Self {
        Self { span: span.clone(), message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn hint_if(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }
}

/// Collects the problems of one file while it is compiled.
pub(crate) struct Findings<'a> {
    file: RuleFile<'a>,
    mode: Mode,
    line_starts: Vec<usize>,
    items: Vec<Diagnostic>,
    unlisted: usize,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(file: RuleFile<'a>, mode: Mode) -> Self {
        let breaks = file.text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { file, mode, line_starts, items: Vec::new(), unlisted: 0 }
    }

    /// Files a problem that refuses the file in every mode.
    pub(crate) fn refuse(&mut self, problem: Problem) {
        self.file_as(Severity::Error, problem);
    }

    /// Files a problem that the existing chassis lets pass.
    pub(crate) fn tolerate(&mut self, problem: Problem) {
        let severity = match self.mode {
            Mode::Strict => Severity::Error,
            Mode::Lenient => Severity::Warning,
        };
        self.file_as(severity, problem);
    }

    /// Files what is worth knowing, and refuses nothing in any mode.
    pub(crate) fn remark(&mut self, problem: Problem) {
        self.file_as(Severity::Warning, problem);
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The line of a byte of the file, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    pub(crate) fn finish(mut self) -> Diagnostics {
        self.items.sort_by_key(|d| d.span.start);
        Diagnostics {
            path: self.file.path.to_owned(),
            text: self.file.text.to_owned(),
            items: self.items,
            unlisted: self.unlisted,
        }
    }

    fn file_as(&mut self, severity: Severity, problem: Problem) {
        if self.items.len() >= MAX_FINDINGS {
            // An error behind the limit must still refuse the file.
            self.unlisted += 1;
            if severity != Severity::Error || self.items.iter().any(|d| d.severity == Severity::Error) {
                return;
            }
            self.items.pop();
        }
        let line = self.line(problem.span.start);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = self.file.text.get(start..problem.span.start).unwrap_or_default();
        self.items.push(Diagnostic {
            severity,
            line,
            column: before.chars().count() + 1,
            span: problem.span,
            message: problem.message,
            hint: problem.hint,
        });
    }
}
