//! No Rust file is longer than 600 lines: past 400 it is asked which two things it is.

use crate::tree;

const MOST: usize = 600;

fn complaint(text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MOST).then(|| format!("{lines} lines, at most {MOST}"))
}

#[test]
fn no_file_is_too_long() {
    let files: Vec<_> =
        ["host", "tests", "guest-sdk", "builtin-ops"].iter().flat_map(|f| tree::written(f)).collect();
    assert!(files.len() > 50, "only {} files were checked", files.len());
    let all: Vec<_> =
        files.iter().filter_map(|f| Some(format!("{}: {}", f.path, complaint(f.text())?))).collect();
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn the_check_complains() {
    assert!(complaint(&"x\n".repeat(601)).is_some());
    assert!(complaint(&"x\n".repeat(600)).is_none());
}
