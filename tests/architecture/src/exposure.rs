//! The bytes of a secret are exposed only in the files pinned here.

use crate::tree;

/// Where `.expose(` may stand. A line more needs a decision record (house rule 3 for secret types).
const PINNED: [&str; 7] = [
    "host/crates/egress/src/splice.rs",
    "host/crates/sandbox/src/cache.rs",
    "host/crates/sandbox/src/hostcalls.rs",
    "host/crates/vault/src/key.rs",
    "host/crates/vault/src/pem.rs",
    "host/crates/vault/src/seal.rs",
    "host/crates/vault/src/signature.rs",
];

fn exposes(text: &str) -> bool {
    tree::code(text).contains(".expose(")
}

#[test]
fn secrets_are_exposed_in_pinned_files_only() {
    let mut files = tree::rust("host");
    files.retain(|file| !tree::is_test(&file.path));
    assert!(files.len() > 50, "only {} files were checked", files.len());
    let exposing: Vec<_> = files.iter().filter(|f| exposes(f.text())).map(|f| f.path.as_str()).collect();
    assert_eq!(exposing, PINNED, "files that expose (left) and the pinned ones (right)");
}

#[test]
fn the_check_complains() {
    assert!(exposes("let bytes = cleartext.expose();"));
    assert!(!exposes("/// ```compile_fail\n/// x.expose()\n#[cfg(test)]\nmod tests {\n    x.expose();\n}\n"));
}
