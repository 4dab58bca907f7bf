//! WITH mode: who waits for an op that takes long.

use std::time::Duration;

use model::Value;

use crate::clause::Pair;
use crate::diagnostic::{Findings, Problem};
use crate::exec::Exec;
use crate::request::duration;
use crate::similar::closest;

/// The parameters that are for the chassis alone; `timeout` is also the op's.
pub(crate) const PARAMS: [&str; 4] = ["mode", "continue_after", "max_duration", "join_at_scope"];

const MODES: [&str; 2] = ["async", "continuable"];

/// How a rule's op is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Waits {
    /// The request and its client wait for it.
    #[default]
    Here,
    /// A worker takes the job and calls back: the request is kept until then, at most so long.
    Worker {
        /// `max_duration`, when the rule says it.
        most: Option<Duration>,
        /// `join_at_scope`: the request goes on meanwhile, and waits at this scope.
        joins: Option<u32>,
    },
    /// The request waits for it; its client only so long.
    Promised {
        /// `continue_after`, when the rule says it.
        after: Option<Duration>,
    },
}

impl Waits {
    /// Whether a worker calls back.
    #[must_use]
    pub const fn for_worker(self) -> bool {
        matches!(self, Self::Worker { .. })
    }

    /// The scope at which its output joins the request, when the request goes on until then.
    #[must_use]
    pub const fn joins_at(self) -> Option<u32> {
        match self {
            Self::Worker { joins, .. } => joins,
            Self::Here | Self::Promised { .. } => None,
        }
    }
}

/// Reads them. What a request does while nobody waits for it is known before it runs, so they
/// are literal.
pub(crate) fn read(with: &[Pair], exec: Option<&Exec>, findings: &mut Findings<'_>) -> Waits {
    let param = |name: &str| with.iter().find(|pair| pair.path.first() == Some(name));
    let joins = param("join_at_scope").and_then(|pair| match literal(pair).and_then(scope) {
        Ok(scope) => Some(scope),
        Err(why) => {
            findings.refuse(Problem::at(&pair.value_span, why));
            None
        }
    });
    let mut time = |name: &str| {
        let pair = param(name)?;
        match literal(pair).and_then(|value| duration(value).map_err(|why| why.replace("timeout", name))) {
            Ok(time) => Some(time),
            Err(why) => {
                findings.refuse(Problem::at(&pair.value_span, why));
                None
            }
        }
    };
    let (after, most) = (time("continue_after"), time("max_duration"));
    let mode = param("mode").map(|pair| (pair, literal(pair)));
    let waits = match mode {
        None => Waits::Here,
        Some((pair, Ok(Value::String(mode)))) if mode == "async" => {
            check_worker(with, pair, exec, findings);
            Waits::Worker { most, joins }
        }
        Some((pair, Ok(Value::String(mode)))) if mode == "continuable" => {
            if matches!(exec, None | Some(Exec::Noop | Exec::Stage(_))) {
                let problem = Problem::at(&pair.span, "there is nothing that could take long");
                findings.refuse(problem.hint("mode is about what EXEC runs"));
            }
            let timeout = param("timeout").and_then(|pair| duration(pair.value.literal()?).ok());
            if let (Some(after), Some(timeout), Some(at)) = (after, timeout, param("continue_after"))
                && after >= timeout
            {
                let problem = Problem::at(&at.value_span, "continue_after is not below timeout");
                findings.refuse(problem.hint("the client is told to come back before the op is given up"));
            }
            Waits::Promised { after }
        }
        Some((pair, said)) => {
            let text = said.ok().and_then(Value::as_str).unwrap_or_default();
            let problem = Problem::at(&pair.value_span, "mode is not one of its words");
            findings.refuse(problem.hint(match closest(text, MODES) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are \"{}\"", MODES.join("\", \"")),
            }));
            Waits::Here
        }
    };
    let understood = param("mode").is_none() || waits != Waits::Here;
    for (name, means) in
        [("continue_after", "continuable"), ("max_duration", "async"), ("join_at_scope", "async")]
    {
        let used = match waits {
            Waits::Here => false,
            Waits::Worker { .. } => means == "async",
            Waits::Promised { .. } => means == "continuable",
        };
        if let Some(pair) = param(name).filter(|_| !used && understood) {
            let problem = Problem::at(&pair.span, format!("{name} does nothing here"));
            findings.refuse(problem.hint(format!("it belongs to mode = \"{means}\"")));
        }
    }
    waits
}

/// What only a reply could have, or only a request whose body is the rule's.
fn check_worker(with: &[Pair], mode: &Pair, exec: Option<&Exec>, findings: &mut Findings<'_>) {
    if !matches!(exec, Some(Exec::Http(_))) {
        let problem = Problem::at(&mode.span, "only an http(s) EXEC names a worker that can call back");
        findings.refuse(problem.hint("mode = \"continuable\" is for everything that takes long"));
    }
    for pair in with {
        let why = match (pair.path.first(), pair.value.literal()) {
            (Some("credential"), _) => "a worker's result is stored, which a credential never is",
            (Some("body_encoding"), Some(Value::String(how))) if how == "json" => continue,
            (Some("body_encoding"), _) => "what a worker is sent is JSON",
            (Some("method"), Some(Value::String(method)))
                if !matches!(method.trim().to_ascii_uppercase().as_str(), "POST" | "PUT" | "PATCH") =>
            {
                "a worker's job is the body of the request: POST, PUT or PATCH"
            }
            _ => continue,
        };
        findings.refuse(Problem::at(&pair.span, why));
    }
}

fn scope(value: &Value) -> Result<u32, String> {
    let scope = value.as_i64().and_then(|scope| u32::try_from(scope).ok());
    scope.ok_or_else(|| "join_at_scope is the number of a scope, such as 300".to_owned())
}

fn literal(pair: &Pair) -> Result<&Value, String> {
    if pair.path.segments().len() > 1 {
        return Err(format!("{} has no parts", pair.path.first().unwrap_or_default()));
    }
    pair.value.literal().ok_or_else(|| format!("{} is said literally", pair.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnyOps, Mode, RuleFile, check};

    fn said(with: &str) -> Result<Waits, String> {
        let text = format!("EXEC \"https://w.example/\"\nWITH {with}");
        let (rules, findings) =
            check(&RuleFile { path: "t.txcl", name: "t", text: &text }, Mode::Strict, &AnyOps);
        if findings.has_errors() { Err(findings.to_string()) } else { Ok(rules[0].waits()) }
    }

    #[test]
    fn the_modes() {
        assert_eq!(said("timeout = 5"), Ok(Waits::Here));
        assert_eq!(said("mode = \"async\""), Ok(Waits::Worker { most: None, joins: None }));
        let hour = Duration::from_secs(3600);
        assert_eq!(
            said("mode = \"async\", max_duration = \"1h\""),
            Ok(Waits::Worker { most: Some(hour), joins: None })
        );
        let joins = Ok(Waits::Worker { most: None, joins: Some(300) });
        assert_eq!(said("mode = \"async\", join_at_scope = 300"), joins);
        let second = Duration::from_secs(1);
        let all = "mode = \"continuable\", continue_after = \"1s\", timeout = \"10s\"";
        assert_eq!(said(all), Ok(Waits::Promised { after: Some(second) }));
    }

    #[test]
    fn what_cannot_be_is_told_where_it_stands() {
        for (with, want) in [
            ("mode = \"asinc\"", "did you mean \"async\"?"),
            ("mode = .how", "mode is not one of its words"),
            ("mode = \"async\", continue_after = 5", "continue_after does nothing here"),
            ("continue_after = 5", "continue_after does nothing here"),
            ("mode = \"continuable\", max_duration = 5", "max_duration does nothing here"),
            ("mode = \"continuable\", continue_after = 0", "continue_after is a number of milliseconds"),
            ("mode = \"continuable\", continue_after = .t", "continue_after is said literally"),
            ("mode = \"continuable\", continue_after = \"9s\", timeout = \"9s\"", "not below timeout"),
            ("mode = \"async\", join_at_scope = .n", "join_at_scope is said literally"),
            ("mode = \"async\", join_at_scope = -1", "is the number of a scope"),
            ("mode = \"async\", join_at_scope = \"end\"", "is the number of a scope"),
            ("mode = \"continuable\", join_at_scope = 300", "join_at_scope does nothing here"),
            ("join_at_scope = 300", "it belongs to mode = \"async\""),
            ("mode = \"async\", credential = \"token\"", "which a credential never is"),
            ("mode = \"async\", body_encoding = \"form\"", "what a worker is sent is JSON"),
            ("mode = \"async\", method = \"GET\"", "POST, PUT or PATCH"),
        ] {
            let told = said(with).unwrap_err();
            assert!(told.contains(want) && told.contains("t.txcl:2:"), "{with}: {told}");
        }
        let text = "EXEC \"txco://noop\" WITH mode = \"continuable\"";
        let file = RuleFile { path: "t.txcl", name: "t", text };
        assert!(check(&file, Mode::Strict, &AnyOps).1.to_string().contains("nothing that could take long"));
    }
}
