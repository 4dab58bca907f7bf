//! Every Rust file opens with one sentence that says what the file is for.

use crate::tree;

const FOLDERS: [&str; 4] = ["host", "tests", "guest-sdk", "builtin-ops"];

fn complaint(text: &str) -> Option<&'static str> {
    let opening: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
    let sentence = opening.join(" ");
    if opening.is_empty() {
        Some("does not open with `//! `")
    } else if !sentence.ends_with('.') {
        Some("its opening is no sentence: no full stop")
    } else if sentence.trim_end_matches('.').contains(". ") {
        Some("its opening is more than one sentence")
    } else {
        None
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let files: Vec<_> = FOLDERS.iter().flat_map(|folder| tree::written(folder)).collect();
    assert!(files.len() > 50, "only {} files were checked", files.len());
    let all: Vec<_> =
        files.iter().filter_map(|f| Some(format!("{}: {}", f.path, complaint(f.text())?))).collect();
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn the_check_complains() {
    assert_eq!(complaint("use a;\n"), Some("does not open with `//! `"));
    assert_eq!(complaint("//! Things\n"), Some("its opening is no sentence: no full stop"));
    assert_eq!(complaint("//! One. Two.\n"), Some("its opening is more than one sentence"));
    assert_eq!(complaint("//! One that goes\n//! on.\n//!\n//! More. And more.\n"), None);
}
