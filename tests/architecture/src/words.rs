//! Names are words of the domain, and nothing is left for later in the code.

use crate::tree;

/// Ends of type and module names that say nothing about the thing.
const EMPTY: [&str; 5] = ["Manager", "Helper", "Helpers", "Util", "Utils"];

/// Words that say that something is not done.
const LATER: [&str; 5] = ["todo!", "unimplemented!", "TODO", "FIXME", "#[ignore"];

fn complaints(text: &str) -> Vec<String> {
    let code = tree::code(text);
    let mut all: Vec<String> =
        LATER.iter().filter(|word| text.contains(**word)).map(|word| format!("says {word}")).collect();
    let words: Vec<&str> =
        code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    for pair in words.windows(2) {
        let (what, name) = (pair[0], pair[1]);
        let empty = EMPTY.iter().any(|end| name.ends_with(end) || name == end.to_lowercase());
        if matches!(what, "struct" | "enum" | "trait" | "mod" | "type") && empty {
            all.push(format!("{what} {name}"));
        }
        if what == "fn" && name.starts_with("get_") {
            all.push(format!("fn {name}"));
        }
    }
    all
}

#[test]
fn names_are_words_of_the_domain() {
    let folders = ["host", "tests", "guest-sdk", "builtin-ops"];
    let mut files: Vec<_> = folders.iter().flat_map(|folder| tree::rust(folder)).collect();
    // This file names what it forbids.
    files.retain(|file| file.path != "tests/architecture/src/words.rs");
    assert!(files.len() > 50, "only {} files were checked", files.len());
    for file in files {
        let all = complaints(file.text());
        assert!(all.is_empty(), "{}: {all:?}", file.path);
    }
}

#[test]
fn the_check_complains() {
    assert_eq!(
        complaints("struct KeyManager; mod util; fn get_x() {}"),
        ["struct KeyManager", "mod util", "fn get_x"]
    );
    assert_eq!(complaints("// TODO: later"), ["says TODO"]);
    assert!(complaints("fn target() {} struct Utility;").is_empty());
}
