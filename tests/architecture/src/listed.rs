//! No test file is forgotten: every file of a test folder is a module of its main.rs.

use crate::tree;

fn complaints(main: &str, names: &[&str]) -> Vec<String> {
    let listed = |name: &str| main.lines().any(|line| line.trim() == format!("mod {name};"));
    names.iter().filter(|name| !listed(name)).map(|name| format!("{name} is not listed in main.rs")).collect()
}

#[test]
fn every_test_file_is_listed() {
    for folder in ["tests/blackbox", "tests/adversary"] {
        let files = tree::rust(folder);
        let main = files.iter().find(|f| f.path == format!("{folder}/main.rs")).expect("a main.rs");
        let names: Vec<_> = files
            .iter()
            .filter_map(|f| f.path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".rs"))
            .filter(|name| *name != "main")
            .collect();
        assert!(!names.is_empty(), "{folder} has no tests");
        let all = complaints(main.text(), &names);
        assert!(all.is_empty(), "{folder}: {all:#?}");
    }
}

#[test]
fn the_check_complains() {
    assert_eq!(complaints("mod boot;\n", &["boot", "key_file"]), ["key_file is not listed in main.rs"]);
}
