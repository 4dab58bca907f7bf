//! The fuzz targets' corpora, replayed: what was once found stays found.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "these are tests; clippy knows only functions marked as tests"
)]

extern crate txco_txcl as txcl;

#[allow(unreachable_pub, reason = "the fuzz crate exports what is a module here")]
#[path = "../../../../fuzz/src/targets.rs"]
mod targets;

use std::path::PathBuf;

/// The inputs of a target, each with its name for messages.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(target);
    let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let inputs: Vec<_> = paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    assert!(inputs.len() >= 5, "{target} has only {} inputs", inputs.len());
    inputs
}

fn replay(target: &str, holds: fn(&[u8])) {
    for (path, data) in corpus(target) {
        println!("{}", path.display());
        holds(&data);
    }
}

#[test]
fn lexer() {
    replay("lexer", targets::lexer);
}

#[test]
fn parser() {
    replay("parser", targets::parser);
}

#[test]
fn evaluator() {
    replay("evaluator", targets::evaluator);
}

#[test]
fn format() {
    replay("format", targets::format);
}

#[test]
fn templates() {
    replay("templates", targets::templates);
}

#[test]
fn secrets() {
    replay("secrets", targets::secrets);
}

#[test]
fn paths() {
    replay("paths", targets::paths);
}
