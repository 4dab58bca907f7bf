//! The signer in the README is the example, which is built and tested.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;

#[test]
fn the_readme_shows_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let shown = readme.split_once("```rust\n").unwrap().1.split_once("```").unwrap().0;
    let example = fs::read_to_string(root.join("../examples/ops/rust/src/lib.rs")).unwrap();
    let (title, example) = example.split_once('\n').unwrap();
    assert!(title.starts_with("//!"), "{title}");
    let (example, _) = example.split_once("#[cfg(test)]").unwrap();
    assert_eq!(shown.trim(), example.trim());
}
