//! `unsafe` stands only in the files pinned here, and every other crate forbids it.

use crate::tree;

/// The files that may say `unsafe`, each for one reason.
const PINNED: [(&str, &str); 6] = [
    ("host/crates/pages/src/inherited.rs", "a key in the environment is overwritten where the kernel put it"),
    ("host/crates/pages/src/region.rs", "mmap and the slices over it"),
    ("host/crates/pages/src/stack.rs", "reads what former calls left on the stack"),
    ("host/crates/sandbox/src/cache.rs", "wasmtime trusts compiled code that it loads"),
    ("host/crates/sandbox/src/memory.rs", "wasmtime's traits for host memory are unsafe to implement"),
    ("host/crates/store/src/wal_index.rs", "SQLite lends the index of its log as a pointer"),
];

/// The crates whose roots cannot forbid it, because of the files above (R23).
const CANNOT_FORBID: [&str; 3] =
    ["host/crates/pages/src/lib.rs", "host/crates/sandbox/src/lib.rs", "host/crates/store/src/lib.rs"];

/// Whether the code says `unsafe` as a word of its own: not in `unsafe_code`, not in a comment.
fn says_unsafe(text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices("unsafe").any(|(at, found)| {
            !line[..at].ends_with(word)
                && !line[at + found.len()..].starts_with(word)
                && !line[..at].contains("//")
        })
    })
}

#[test]
fn unsafe_stands_in_pinned_files_only() {
    let files: Vec<_> = ["host", "tests/support", "tests/blackbox", "tests/adversary"]
        .iter()
        .flat_map(|folder| tree::rust(folder))
        .collect();
    let unsafe_files: Vec<_> =
        files.iter().filter(|f| says_unsafe(f.text())).map(|f| f.path.as_str()).collect();
    let pinned: Vec<_> = PINNED.iter().map(|(path, _)| *path).collect();
    assert_eq!(unsafe_files, pinned, "files with `unsafe` (left) and the pinned ones (right)");
}

#[test]
fn every_other_crate_forbids_it() {
    let mut seen = 0;
    for file in tree::rust("host").into_iter().chain(tree::rust("tests")) {
        let program = ["tests/blackbox/main.rs", "tests/adversary/main.rs"].contains(&file.path.as_str());
        if !program && !file.path.ends_with("/src/lib.rs") && !file.path.ends_with("/src/main.rs") {
            continue;
        }
        seen += 1;
        let forbids = file.text().contains("#![forbid(unsafe_code)]");
        assert_eq!(forbids, !CANNOT_FORBID.contains(&file.path.as_str()), "{}", file.path);
    }
    assert!(seen >= 12, "only {seen} crate roots were checked");
}

#[test]
fn the_check_complains() {
    assert!(says_unsafe("fn f() { unsafe { g() } }"));
    assert!(says_unsafe("unsafe impl Send for X {}"));
    assert!(!says_unsafe("#![deny(unsafe_code)]\n// SAFETY: unsafe is fine\nlet x = 1; // unsafe"));
}
