//! The manual compiles: every example of `host/docs/txcl.md`, and its list of functions.

use super::{check, file};
use crate::diagnostic::{Color, Mode};
use crate::function::FUNCTIONS;
use crate::ops::AnyOps;

const MANUAL: &str = include_str!("../../../../../docs/txcl.md");

/// The fenced blocks that begin with ```` ```txcl ````: what follows on that line, and the text.
fn examples() -> Vec<(&'static str, &'static str)> {
    MANUAL
        .split("\n```txcl")
        .skip(1)
        .filter_map(|rest| rest.split_once('\n'))
        .map(|(kind, rest)| (kind.trim(), rest.split("\n```").next().unwrap()))
        .collect()
}

#[test]
fn every_example_is_what_it_says() {
    let examples = examples();
    assert!(examples.iter().filter(|(kind, _)| kind.is_empty()).count() >= 8);
    assert!(examples.iter().filter(|(kind, _)| !kind.is_empty()).count() >= 2);
    for (kind, text) in examples {
        let (rules, findings) = check(&file(text), Mode::Strict, &AnyOps);
        match kind {
            "" => {
                crate::format::tests::holds(text);
                assert!(findings.is_empty() && !rules.is_empty(), "{text}\n{}", findings.render(Color::Plain))
            }
            "refused" => assert!(findings.has_errors(), "accepted: {text}"),
            other => panic!("unknown kind of example: {other}"),
        }
    }
}

#[test]
fn every_function_is_listed() {
    for function in FUNCTIONS {
        assert!(
            MANUAL
                .lines()
                .any(|line| line.starts_with("| `&") && line.contains(&format!("`&{}(", function.name))),
            "&{} is not in the table",
            function.name
        );
    }
}
