//! No file tells on the machine it was written on: no home path, no local registry.

use crate::tree;

/// Texts that only a machine puts into a file; composed here so that this file does not contain them.
fn tells() -> Vec<String> {
    let mut tells = vec![["/ro", "ot/"].concat(), ["/ho", "me/"].concat(), [".cargo/regis", "try"].concat()];
    tells.push(format!("{}/", tree::root().display()));
    tells
}

fn complaint(path: &str, bytes: &[u8], tells: &[String]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let tell = tells.iter().find(|tell| text.contains(tell.as_str()))?;
    Some(format!("{path} contains {tell:?}"))
}

#[test]
fn no_file_names_a_machine() {
    let tells = tells();
    let files = tree::files("");
    assert!(files.len() > 80, "only {} files were checked", files.len());
    let all: Vec<_> = files.iter().filter_map(|f| complaint(&f.path, &f.bytes, &tells)).collect();
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
    let tells = ["/somewhere/".to_owned()];
    assert!(complaint("x.wasm", b"\0asm /somewhere/src", &tells).is_some());
    assert!(complaint("x.wasm", b"\0asm somewhere", &tells).is_none());
}
