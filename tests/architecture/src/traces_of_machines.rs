//! No file tells on the machine it was written on: no home path, no local registry.

use crate::tree;

/// Beginnings of paths that only a machine puts into a file: a name follows them.
const HOMES: [&str; 2] = ["/root/", "/home/"];

/// The first thing in the text that tells: somebody's home, or the folder of this very tree.
fn tell<'a>(text: &'a str, tree: &str) -> Option<&'a str> {
    let named = |(at, found): (usize, &str)| {
        let next = text[at + found.len()..].chars().next();
        next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.').then_some(at)
    };
    let home = HOMES.iter().find_map(|home| text.match_indices(home).find_map(named));
    let at = home.or_else(|| text.find(tree))?;
    text[at..].split(|c: char| c.is_whitespace() || c == '"').next()
}

fn complaint(path: &str, bytes: &[u8], tree: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    Some(format!("{path} contains {:?}", tell(&text, tree)?))
}

#[test]
fn no_file_names_a_machine() {
    let tree = format!("{}/", tree::root().display());
    let files = tree::files("");
    assert!(files.len() > 80, "only {} files were checked", files.len());
    let all: Vec<_> = files.iter().filter_map(|f| complaint(&f.path, &f.bytes, &tree)).collect();
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn the_committed_ops_were_seen() {
    let ops = tree::files("builtin-ops/dist");
    assert!(
        ops.iter().any(|f| f.path.ends_with(".wasm") && f.bytes.starts_with(b"\0asm")),
        "no op in builtin-ops/dist"
    );
}

/// A lock file that names another registry would make a stranger's build fail.
#[test]
fn every_package_comes_from_the_public_registry() {
    let mut seen = 0;
    for file in tree::files("").iter().filter(|f| f.path.ends_with("Cargo.lock")) {
        for line in file.text().lines().filter(|line| line.starts_with("source = ")) {
            seen += 1;
            let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
            assert_eq!(line, public, "{}", file.path);
        }
    }
    assert!(seen > 100, "only {seen} packages were checked");
}

#[test]
fn the_check_complains() {
    let complain = |bytes: &[u8]| complaint("x.wasm", bytes, "/some/where/");
    let home = ["/ro", "ot/.cargo/x"].concat();
    let wasm = format!("\0asm {home} \0");
    assert_eq!(complain(wasm.as_bytes()), Some(format!("x.wasm contains {home:?}")));
    assert!(complain(b"in /some/where/else").is_some());
    assert_eq!(complain(b"a check for \"/home/\" and /some"), None);
}
