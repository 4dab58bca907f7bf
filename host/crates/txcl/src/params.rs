//! Checks WITH against what the op knows: a parameter that does nothing is a mistake that
//! nobody would see.

use model::{OpManifest, Path};

use crate::clause::Pair;
use crate::diagnostic::{Findings, Problem, Span};
use crate::exec::Exec;
use crate::ops::{Known, Ops};
use crate::request::{self, HTTP_PARAMS};
use crate::secrets::Declared;
use crate::similar::closest;

/// Parameters of every op: the chassis acts on them, or says itself that it does not yet.
const OF_THE_CHASSIS: [&str; 7] =
    ["timeout", "redact", "omit", "mode", "continue_after", "join_at_scope", "max_duration"];

/// EXEC as it stands in the rule.
pub(crate) struct Named {
    pub(crate) exec: Exec,
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// The parameters that stay: those that the rule's op knows.
pub(crate) fn known(
    with: Vec<Pair>,
    declared: &[Declared],
    named: Option<&Named>,
    ops: &dyn Ops,
    findings: &mut Findings<'_>,
) -> Vec<Pair> {
    let Some(Named { exec, text, span: at }) = named else { return with };
    if matches!(exec, Exec::Http(_)) {
        let with = kept(with, &HTTP_PARAMS, "an http request", findings);
        request::check(&with, findings);
        return with;
    }
    match ops.known(exec) {
        Known::Nothing => with,
        Known::Absent(there) => {
            let problem = Problem::at(at, "there is no such op");
            findings.tolerate(problem.hint(match closest(text, there.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None if there.is_empty() => "this workspace has no ops of its own".to_owned(),
                None => format!("there are {}", there.join(", ")),
            }));
            with
        }
        Known::Op(manifest) => {
            check_slots(manifest, declared, at, findings);
            let names: Vec<&str> = manifest.params.keys().map(String::as_str).collect();
            kept(with, &names, manifest.name.as_str(), findings)
        }
    }
}

fn kept(with: Vec<Pair>, names: &[&str], whose: &str, findings: &mut Findings<'_>) -> Vec<Pair> {
    let mut kept = Vec::new();
    for pair in with {
        let name = pair.path.first().unwrap_or_default();
        if name == "secrets" || names.contains(&name) || OF_THE_CHASSIS.contains(&name) {
            kept.push(pair);
            continue;
        }
        let problem = Problem::at(&pair.span, format!("{whose} has no parameter {name}"));
        findings.tolerate(problem.hint(match closest(name, names.iter().copied().chain(["secrets"])) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => "it has none".to_owned(),
            None => format!("there are {}", names.join(", ")),
        }));
    }
    kept
}

/// Each secret has a place that the op knows, and each place that it needs has a secret.
fn check_slots(manifest: &OpManifest, declared: &[Declared], at: &Span, findings: &mut Findings<'_>) {
    let slots: Vec<(&String, Path)> =
        manifest.slots.keys().filter_map(|name| Some((name, Path::parse_sugared(name).ok()?))).collect();
    for Declared { secret, span } in declared {
        if !slots.iter().any(|(_, path)| path == secret.slot.path()) {
            let place = secret.slot.to_string();
            let problem = Problem::at(span, format!("{} takes no secret at {place}", manifest.name));
            let names: Vec<&str> = slots.iter().map(|(name, _)| name.as_str()).collect();
            findings.refuse(problem.hint(match closest(&place, names.iter().copied()) {
                Some(near) => format!("did you mean secrets.{near}?"),
                None if names.is_empty() => "it takes none".to_owned(),
                None => format!("there is secrets.{}", names.join(", secrets.")),
            }));
        }
    }
    for (name, path) in &slots {
        let optional = manifest.slots.get(*name).is_some_and(|slot| slot.optional);
        if !optional && !declared.iter().any(|d| d.secret.slot.path() == path) {
            let problem = Problem::at(at, format!("{} needs a secret at {name}", manifest.name));
            findings.tolerate(problem.hint(format!("add WITH secrets.{name}.secret = \"SECRET_NAME\"")));
        }
    }
}
