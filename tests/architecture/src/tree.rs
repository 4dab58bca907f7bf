//! The tree as the checks see it: its files, and Rust text without what the rules do not speak about.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are made, not written.
const MADE: [&str; 4] = ["target", ".git", ".txco", "node_modules"];

/// The folder with the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file: its path from the root with `/`, and its bytes.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or("")
    }
}

/// Every file below `folder` (from the root) that somebody wrote, in order of path.
pub(crate) fn files(folder: &str) -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries.map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            let name = entry.file_name().into_string().unwrap();
            if kind.is_dir() && !MADE.contains(&name.as_str()) {
                open.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                // Somebody may be saving it at this moment: a file that went away is not there.
                if let Ok(bytes) = fs::read(entry.path()) {
                    found.push(File { path, bytes });
                }
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The Rust files below `folder`.
pub(crate) fn rust(folder: &str) -> Vec<File> {
    let mut files = files(folder);
    files.retain(|file| file.path.ends_with(".rs"));
    files
}

/// What a generator writes; a test compares it.
const GENERATED: &str = "guest-sdk/src/bindings.rs";

/// The Rust files below `folder` that people write.
pub(crate) fn written(folder: &str) -> Vec<File> {
    let mut files = rust(folder);
    files.retain(|file| file.path != GENERATED);
    files
}

/// Whether the file is a test by its place: `tests.rs`, `foo/tests.rs`, or in a `tests` or `benches` folder.
pub(crate) fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
}

/// The code of a Rust file: without line comments and without `#[cfg(test)]` items.
pub(crate) fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let bare = line.trim_start();
        if bare.starts_with("#[cfg(test)]") {
            skip_item(&mut lines);
        } else if !bare.starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Skips one item: attributes, then up to its `;` or to the brace that closes it.
fn skip_item<'a>(lines: &mut impl Iterator<Item = &'a str>) {
    let mut depth = 0_i32;
    for line in lines {
        if depth == 0 && line.trim_start().starts_with("#[") {
            continue;
        }
        depth += i32::try_from(line.matches('{').count()).unwrap();
        depth -= i32::try_from(line.matches('}').count()).unwrap();
        // A module of tests stands last and closes at the margin; braces in its strings do not count.
        if line == "}" || (depth <= 0 && line.trim_end().ends_with([';', '}'])) {
            return;
        }
    }
}

#[test]
fn code_leaves_out_comments_and_tests() {
    let text = "//! Doc.\nuse a;\n#[cfg(test)]\nmod b;\nfn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() { \"{\" }\n}\n";
    assert_eq!(code(text), "use a;\nfn f() {}\n");
}

#[test]
fn the_tree_is_found() {
    assert!(rust("host").iter().any(|file| file.path == "host/src/lib.rs"));
    assert!(files("").iter().all(|file| !file.path.starts_with("target/")));
}
