//! The tables of `tests/vectors/txcl/tables`: the specification's rows and others like them.

use model::{Envelope, Value};
use serde::Deserialize;

use super::{AnyOps, Mode, check, clock, compile, file};
use crate::clock::Clock;

fn table<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let path = super::corpus::vectors().join("tables").join(name);
    let rows: Vec<T> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(rows.len() > 50, "{name} has only {} rows", rows.len());
    rows
}

fn envelope(document: Option<serde_json::Value>) -> Envelope {
    Envelope::new(document.map_or_else(Value::object, Value::from)).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Called {
    call: String,
    on: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "present")]
    gives: Option<serde_json::Value>,
    fails: Option<String>,
}

/// `null` is a result too.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(from).map(Some)
}

#[test]
fn functions_give_what_the_table_says() {
    for Called { call, on, gives, fails } in table::<Called>("functions.json") {
        let text = format!("SET .result = {call}");
        let (rules, findings) = check(&file(&text), Mode::Lenient, &AnyOps);
        assert!(!findings.has_errors(), "{call}: {findings}");
        let prepared = rules[0].prepare(&envelope(on), &clock());
        match (gives, fails, prepared) {
            (Some(gives), None, Ok(prepared)) => {
                let result = prepared.input.document().as_object().unwrap().get("result").unwrap().to_json();
                assert_eq!(result, Value::from(gives).to_json(), "{call}");
            }
            (None, Some(words), Err(failure)) => {
                assert!(failure.detail.contains(&words), "{call}: {}", failure.detail);
            }
            (_, _, other) => panic!("{call}: {other:?}"),
        }
        crate::format::tests::holds(&text);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parsed {
    row: f64,
    text: String,
    strict: String,
    lenient: Option<String>,
}

#[test]
fn clauses_are_taken_or_refused_as_the_table_says() {
    for Parsed { row, text, strict, lenient } in table::<Parsed>("clauses.json") {
        for (mode, expected) in
            [(Mode::Strict, &strict), (Mode::Lenient, lenient.as_ref().unwrap_or(&strict))]
        {
            let (_, findings) = check(&file(&text), mode, &AnyOps);
            if expected == "taken" {
                assert!(!findings.has_errors(), "row {row}: {text}\n{findings}");
                // What was let pass is told.
                assert_eq!(findings.is_empty(), strict == "taken", "row {row}: {text}\n{findings}");
            } else {
                let told = findings.iter().any(|d| d.message.contains(expected.as_str()));
                assert!(findings.has_errors() && told, "row {row}: {text}\n{findings}");
            }
        }
        crate::format::tests::holds(&text);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    row: f64,
    when: String,
    on: serde_json::Value,
    holds: bool,
    mode: Option<String>,
}

#[test]
fn conditions_hold_as_the_table_says() {
    let clock = Clock { now: jiff::Timestamp::from_second(1_000).unwrap() };
    for Held { row, when, on, holds, mode } in table::<Held>("conditions.json") {
        let text = format!("WHEN {when}");
        let strict = compile(&file(&text), Mode::Strict, &AnyOps);
        assert_eq!(strict.is_err(), mode.is_some(), "row {row}: {text}");
        let rules = compile(&file(&text), Mode::Lenient, &AnyOps).unwrap_or_else(|d| panic!("{d}"));
        let held = rules[0].matches(&envelope(Some(on.clone())), &clock);
        assert_eq!(held, Ok(holds), "row {row}: {text} on {on}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistaken {
    text: String,
    at: usize,
    says: String,
    hint: Option<String>,
}

/// What authors write who come from other languages, in a hurry, or with a comma too many: where the
/// caret stands, what is said, and what to do.
#[test]
fn mistakes_are_told_with_what_was_meant() {
    let mut wrong = Vec::new();
    for Mistaken { text, at, says, hint } in table::<Mistaken>("mistakes.json") {
        let (_, findings) = check(&file(&text), Mode::Strict, &AnyOps);
        let told = findings.iter().next().map(|d| (d.column, d.message.clone(), d.hint.clone()));
        let wanted = (at, says, hint);
        if told.as_ref() != Some(&wanted) {
            wrong.push(format!("{text}\n  {told:?}\n  {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
