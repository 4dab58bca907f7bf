//! What a rule's EXEC asks for.

use model::{Destination, OpName};

use crate::diagnostic::{Problem, Span};

/// Schemes that the language knows and this chassis may not serve yet; it answers those
/// itself, with a fault that names the scheme.
const KNOWN_ELSEWHERE: &[&str] = &["compute", "ai", "mcp+http", "mcp+https"];

/// The operand of EXEC. It is a literal: what a rule can start is known before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exec {
    /// `txco://NAME` or `txco://NAME/REST`.
    Builtin {
        /// The built-in's name.
        name: OpName,
        /// What follows the name and a slash; empty when nothing does.
        rest: String,
    },
    /// `op://NAME`: an op of the tenant, found and pinned when the rules are loaded.
    Op {
        /// The op's name.
        name: OpName,
        /// The whole operand as written.
        text: String,
    },
    /// `http://…` or `https://…`.
    Http(
        /// The URL as written.
        String,
    ),
    /// A stage to go to: `stack/…/10`.
    Stage(
        /// The stage as written.
        String,
    ),
    /// `txco://noop`: nothing runs; the output is empty.
    Noop,
    /// Something the chassis has to answer for: a mock, a scheme of later issues.
    Other {
        /// The scheme, lower-case; empty when the text has none.
        scheme: String,
        /// The whole operand as written.
        text: String,
    },
}

/// How sure it is that an operand cannot work.
pub(crate) enum Refusal {
    /// Nothing can make sense of it.
    Always(Problem),
    /// The existing chassis takes it and fails when the rule runs.
    WhenRun(Problem, Exec),
}

impl Exec {
    /// The operand as written.
    #[must_use]
    pub fn operand(&self) -> String {
        match self {
            Self::Builtin { name, rest } if rest.is_empty() => format!("txco://{name}"),
            Self::Builtin { name, rest } => format!("txco://{name}/{rest}"),
            Self::Op { text, .. } | Self::Http(text) | Self::Stage(text) | Self::Other { text, .. } => {
                text.clone()
            }
            Self::Noop => "txco://noop".to_owned(),
        }
    }

    /// Its scheme, when the language knows it and this chassis does not serve it.
    pub(crate) fn elsewhere(&self) -> Option<&str> {
        let Self::Other { scheme, .. } = self else { return None };
        KNOWN_ELSEWHERE.contains(&scheme.as_str()).then_some(scheme)
    }

    /// Reads an operand.
    pub(crate) fn read(text: &str, span: &Span) -> Result<Self, Box<Refusal>> {
        let text = text.trim();
        if text.is_empty() {
            let problem = Problem::at(span, "EXEC names nothing to run");
            return Err(Box::new(Refusal::Always(
                problem.hint("leave EXEC out, or write EXEC \"txco://noop\""),
            )));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Self::stage(text, span);
        };
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "txco" => Self::builtin(text, rest, span),
            "op" => match OpName::parse(rest) {
                Ok(name) => Ok(Self::Op { name, text: text.to_owned() }),
                Err(e) => Err(Box::new(Refusal::Always(Problem::at(span, e.to_string())))),
            },
            "http" | "https" => match Destination::of(text) {
                Ok(_) => Ok(Self::Http(text.to_owned())),
                Err(e) => Err(Box::new(Refusal::WhenRun(
                    Problem::at(span, format!("EXEC cannot call this URL: {e}")),
                    Self::Http(text.to_owned()),
                ))),
            },
            // There it is taken, and does nothing (E8).
            "goto" => Err(Box::new(Refusal::WhenRun(
                Problem::at(span, "goto:// does nothing")
                    .hint("write EXEC \"stack/10\", or EMIT @goto = \"stack/10\""),
                Self::Noop,
            ))),
            known if KNOWN_ELSEWHERE.contains(&known) => Ok(Self::Other { scheme, text: text.to_owned() }),
            _ => Err(Self::unsupported(scheme, text, span)),
        }
    }

    fn builtin(text: &str, rest: &str, span: &Span) -> Result<Self, Box<Refusal>> {
        let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
        match (OpName::parse(name), name) {
            (_, "noop") => Ok(Self::Noop),
            (_, "mock") => Ok(Self::Other { scheme: "txco".to_owned(), text: text.to_owned() }),
            (Ok(name), _) => Ok(Self::Builtin { name, rest: rest.to_owned() }),
            (Err(e), _) => Err(Box::new(Refusal::Always(Problem::at(span, e.to_string())))),
        }
    }

    fn stage(text: &str, span: &Span) -> Result<Self, Box<Refusal>> {
        match text.rsplit_once('/') {
            Some((stack, scope))
                if !stack.is_empty() && !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Ok(Self::Stage(text.to_owned()))
            }
            _ => Err(Self::unsupported(String::new(), text, span)),
        }
    }

    fn unsupported(scheme: String, text: &str, span: &Span) -> Box<Refusal> {
        let problem = Problem::at(span, "unsupported EXEC value")
            .hint("use \"txco://NAME\", \"http(s)://…\", \"op://NAME\", or a stage like \"stack/10\"");
        Box::new(Refusal::WhenRun(problem, Self::Other { scheme, text: text.to_owned() }))
    }
}
