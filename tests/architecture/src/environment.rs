//! The environment is read in one file, so that flag, variable and default have one order.

use crate::tree;

const READER: &str = "host/src/config/env.rs";

fn reads(text: &str) -> bool {
    let code = tree::code(text);
    ["env::var(", "env::vars(", "env::var_os(", "env::vars_os(", "std::env::{var"]
        .iter()
        .any(|call| code.contains(call))
}

#[test]
fn the_environment_is_read_in_one_file() {
    let mut files = tree::rust("host");
    // A build script is told by cargo where to write, and is no part of the program.
    files.retain(|file| !tree::is_test(&file.path) && !file.path.ends_with("/build.rs"));
    let readers: Vec<_> = files.iter().filter(|f| reads(f.text())).map(|f| f.path.as_str()).collect();
    assert_eq!(readers, [READER]);
}

#[test]
fn the_check_complains() {
    assert!(reads("let x = std::env::var(\"X\");"));
    assert!(reads("let x = env::vars_os();"));
    assert!(!reads("let x = env!(\"X\"); std::env::args();"));
}
