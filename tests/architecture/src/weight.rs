//! Nothing over 200 KB lies in the tree, so a clone stays small for ever.

use crate::tree;

const MOST: usize = 200 * 1024;

fn complaint(path: &str, size: usize) -> Option<String> {
    (size > MOST).then(|| format!("{path} has {size} bytes, at most {MOST}"))
}

#[test]
fn nothing_is_heavy() {
    let files = tree::files("");
    assert!(files.len() > 80, "only {} files were checked", files.len());
    let all: Vec<_> = files.iter().filter_map(|f| complaint(&f.path, f.bytes.len())).collect();
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn the_check_complains() {
    assert!(complaint("big.wasm", MOST + 1).is_some());
    assert!(complaint("small.wasm", MOST).is_none());
}
