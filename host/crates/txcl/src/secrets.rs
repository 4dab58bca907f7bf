//! The `secrets` tree of WITH: which secrets a rule wants, known before it ever runs.

use std::collections::BTreeMap;

use model::{FormatTemplate, Path, SecretName, SecretRef, Slot, Value};

use crate::clause::Pair;
use crate::diagnostic::{Findings, Problem, Span};
use crate::exec::Exec;
use crate::header;

/// A secret a rule declares, with its place in the text.
pub(crate) struct Declared {
    pub(crate) secret: SecretRef,
    pub(crate) span: Span,
}

/// What is known of one slot while the pairs are read.
#[derive(Default)]
struct Leaf<'p> {
    secret: Option<&'p Pair>,
    format: Option<&'p Pair>,
}

/// Reads the pairs of WITH whose name begins with `secrets`.
pub(crate) fn declared(pairs: &[Pair], exec: Option<&Exec>, findings: &mut Findings<'_>) -> Vec<Declared> {
    let mut leaves: Vec<(Path, Leaf<'_>)> = Vec::new();
    let mut at: BTreeMap<Path, usize> = BTreeMap::new();
    let mut others: Vec<(&Pair, Path)> = Vec::new();
    for pair in pairs {
        let Some(below) = pair.path.strip_prefix(&["secrets"]) else { continue };
        let Some((last, slot)) = below.segments().split_last() else {
            let problem = Problem::at(&pair.span, "secrets is a tree, not a value");
            findings.refuse(problem.hint("write secrets.headers.NAME.secret = \"SECRET_NAME\""));
            continue;
        };
        let slot = Path::from_segments(slot.iter().map(|s| s.as_str())).unwrap_or_default();
        if !matches!(last.as_str(), "secret" | "format") {
            others.push((pair, slot));
            continue;
        }
        if slot.is_empty() {
            let problem = Problem::at(&pair.span, format!("`{}` needs a place before it", last.as_str()));
            findings.refuse(problem.hint("write secrets.PLACE.secret, such as secrets.key.secret"));
            continue;
        }
        let index = *at.entry(slot.clone()).or_insert_with(|| {
            leaves.push((slot, Leaf::default()));
            leaves.len() - 1
        });
        if let Some((_, leaf)) = leaves.get_mut(index) {
            let member = if last.as_str() == "secret" { &mut leaf.secret } else { &mut leaf.format };
            *member = Some(pair);
        }
    }
    for (pair, slot) in others {
        if at.contains_key(&slot) {
            let problem = Problem::at(&pair.span, "a secret has only the members `secret` and `format`");
            findings.tolerate(problem);
        } else {
            let problem = Problem::at(&pair.span, format!("bare value at \"{}\"", pair.path));
            findings.refuse(problem.hint(format!("write {}.secret = \"SECRET_NAME\"", pair.path)));
        }
    }
    let declared: Vec<Declared> =
        leaves.into_iter().filter_map(|(slot, leaf)| declare(slot, &leaf, findings)).collect();
    check_places(&declared, exec, findings);
    declared
}

fn declare(slot: Path, leaf: &Leaf<'_>, findings: &mut Findings<'_>) -> Option<Declared> {
    let format = match leaf.format {
        Some(pair) => Some(template(pair, findings)?),
        None => None,
    };
    let Some(pair) = leaf.secret else {
        if let Some(pair) = leaf.format {
            let problem = Problem::at(&pair.span, format!("a format without a secret at \"{slot}\""));
            findings.refuse(problem.hint(format!("add secrets.{slot}.secret = \"SECRET_NAME\"")));
        }
        return None;
    };
    let name = name(pair, findings)?;
    let slot = Slot::new(slot).ok()?;
    Some(Declared { secret: SecretRef { slot, name, format }, span: pair.span.clone() })
}

fn literal_text<'p>(pair: &'p Pair, what: &str, findings: &mut Findings<'_>) -> Option<&'p str> {
    match pair.value.literal() {
        Some(Value::String(text)) => return Some(text),
        Some(_) => findings.refuse(Problem::at(&pair.value_span, format!("{what} is a text"))),
        None => {
            let problem = Problem::at(&pair.value_span, format!("{what} must be a literal text"));
            findings.refuse(problem.hint("which secrets a rule can use is known before it runs"));
        }
    }
    None
}

fn name(pair: &Pair, findings: &mut Findings<'_>) -> Option<SecretName> {
    let text = literal_text(pair, "the name of a secret", findings)?;
    match SecretName::parse(text) {
        Ok(name) => Some(name),
        Err(e) => {
            findings.refuse(Problem::at(&pair.value_span, e.to_string()));
            None
        }
    }
}

fn template(pair: &Pair, findings: &mut Findings<'_>) -> Option<FormatTemplate> {
    let text = literal_text(pair, "a format", findings)?;
    match FormatTemplate::parse(text) {
        Ok(template) => Some(template),
        Err(e) => {
            findings.refuse(Problem::at(&pair.value_span, e.to_string()).hint("for instance \"Bearer {}\""));
            None
        }
    }
}

fn check_places(declared: &[Declared], exec: Option<&Exec>, findings: &mut Findings<'_>) {
    match exec {
        Some(Exec::Http(_)) => {
            for Declared { secret, span } in declared {
                if let Err(problem) = http_place(secret, span) {
                    findings.refuse(problem);
                }
            }
        }
        Some(Exec::Builtin { .. } | Exec::Op { .. } | Exec::Other { .. }) => {}
        Some(Exec::Noop | Exec::Stage(_)) | None => {
            if let Some(first) = declared.first() {
                let problem = Problem::at(&first.span, "nothing in this rule can receive a secret");
                findings.tolerate(problem.hint("a secret goes to the op that EXEC names"));
            }
        }
    }
}

fn http_place(secret: &SecretRef, span: &Span) -> Result<(), Problem> {
    let path = secret.slot.path();
    match path.segments() {
        [kind, name] if kind.as_str() == "headers" => {
            header::canonical(name.as_str(), span)?;
            let format = secret.format.as_ref();
            if format.is_some_and(|f| !header::is_value(f.before()) || !header::is_value(f.after())) {
                return Err(Problem::at(
                    span,
                    "this format has a control character, which no header may have",
                ));
            }
            Ok(())
        }
        [kind] if matches!(kind.as_str(), "headers" | "body") => {
            let problem = Problem::at(span, format!("secrets.{0} needs a name below `{0}`", kind.as_str()));
            Err(problem.hint("secrets.headers.NAME.secret or secrets.body.PATH.secret"))
        }
        [kind, ..] if kind.as_str() == "headers" => Err(Problem::at(span, "a header has one name")
            .hint("a name with dots stands in quotes: secrets.headers.\"x.y\".secret")),
        [kind, ..] if kind.as_str() == "body" => Ok(()),
        _ => Err(Problem::at(span, format!("an http(s) request has no place for a secret at \"{path}\""))
            .hint(
                "a secret goes into a header (secrets.headers.NAME) or the JSON body (secrets.body.PATH), \
                   never into a URL or query, where it would be logged",
            )),
    }
}
