//! Whole rule files as their authors write them, `tests/vectors/txcl/tables/rules.json`: what each
//! means over envelopes, and that `txco fmt` keeps it, comments and all.

use serde::Deserialize;
use serde_json::Value as Json;

use model::{Envelope, Value};

use super::{AnyOps, Mode, compile, file};
use crate::clock::Clock;
use crate::rule::Rule;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    /// Its lines.
    text: Vec<String>,
    /// Words of the reason why it is refused.
    refused: Option<String>,
    /// How many rules it is; one when absent.
    rules: Option<usize>,
    #[serde(default)]
    runs: Vec<Run>,
}

/// What becomes of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    on: Json,
    holds: Option<bool>,
    /// What the op is given, whole.
    input: Option<Json>,
    /// Members of it.
    input_has: Option<Json>,
    params: Option<Json>,
    /// What the op gives; an empty object when absent.
    op: Option<Json>,
    /// What the rule makes of that.
    gives: Option<Json>,
    /// The envelope behind a SET that follows SELECT.
    after: Option<Json>,
    priority: Option<i64>,
    /// Words of why it fails.
    fails: Option<String>,
}

fn all() -> Vec<Written> {
    let path = super::corpus::vectors().join("tables/rules.json");
    let all: Vec<Written> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(all.len() > 100, "only {}", all.len());
    all
}

fn json(value: &Value) -> Json {
    serde_json::from_str(&value.to_json()).unwrap()
}

/// What is other than the table says; nothing when all is as it says.
fn odd(rule: &Rule, run: &Run) -> Option<String> {
    let clock = Clock { now: jiff::Timestamp::from_second(1_000).unwrap() };
    let mut envelope = Envelope::new(Value::from(run.on.clone())).unwrap();
    let (held, wanted) = (rule.matches(&envelope, &clock), run.holds.unwrap_or(true));
    if held != Ok(wanted) {
        return Some(format!("holds: {held:?}"));
    }
    if let Some(priority) = run.priority.filter(|priority| *priority != rule.priority()) {
        return Some(format!("priority: {} is not {priority}", rule.priority()));
    }
    let op = Value::from(run.op.clone().unwrap_or_else(|| serde_json::json!({})));
    let ran = rule.prepare(&envelope, &clock).and_then(|prepared| {
        let given = rule.overlay(op, &prepared, &clock)?;
        let input = json(prepared.input.document());
        Ok((input, json(&prepared.params), json(&given)))
    });
    let (input, params, given) = match (ran, &run.fails) {
        (Ok(ran), None) => ran,
        (Err(failure), Some(words)) if failure.detail.contains(words.as_str()) => return None,
        (ran, _) => return Some(format!("{ran:?}")),
    };
    let has = run.input_has.as_ref().map(|has| {
        let members = has.as_object().unwrap().keys().map(|name| (name.clone(), input[name].clone()));
        members.collect::<Json>()
    });
    let after = run.after.as_ref().map(|_| match rule.after(&mut envelope, &clock) {
        Ok(_) => json(envelope.document()),
        Err(failure) => failure.detail.into(),
    });
    for (what, is, wanted) in [
        ("input", Some(input), &run.input),
        ("input", has, &run.input_has),
        ("params", Some(params), &run.params),
        ("gives", Some(given), &run.gives),
        ("after", after, &run.after),
    ] {
        if wanted.is_some() && is != *wanted {
            return Some(format!("{what}: {}", is.unwrap_or_default()));
        }
    }
    None
}

#[test]
fn files_mean_what_their_authors_meant() {
    let mut wrong = Vec::new();
    for Written { name, text, refused, rules: count, runs } in all() {
        let text = text.join("\n");
        let rules = match (compile(&file(&text), Mode::Strict, &AnyOps), &refused) {
            (Ok(rules), None) => rules,
            (Err(_), Some(words)) if words.is_empty() => {
                wrong.push(format!("{name}: no words of its refusal are given"));
                continue;
            }
            (Err(findings), Some(words)) if findings.iter().any(|d| d.message.contains(words.as_str())) => {
                continue;
            }
            (Ok(_), Some(_)) => {
                wrong.push(format!("{name}: accepted"));
                continue;
            }
            (Err(findings), _) => {
                wrong.push(format!("{name}: {findings}"));
                continue;
            }
        };
        if rules.len() != count.unwrap_or(1) {
            wrong.push(format!("{name}: {} rules", rules.len()));
        }
        for run in &runs {
            wrong.extend(odd(&rules[0], run).map(|why| format!("{name}: on {}: {why}", run.on)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_mean_the_same_when_they_are_laid_out() {
    for Written { text, .. } in all() {
        crate::format::tests::holds(&text.join("\n"));
        crate::format::tests::holds(&text.join("\r\n"));
    }
}
