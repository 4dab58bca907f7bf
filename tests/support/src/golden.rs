//! Comparing a text with a file that says what it must be.

use std::fs;
use std::path::Path;

/// Compares `actual` with the file at `path`; when they differ, `actual` is put beside the file as
/// `….actual` (not in git) so that accepting it is one `mv`.
#[track_caller]
pub fn golden(path: &Path, actual: &str) {
    let expected = fs::read_to_string(path).unwrap_or_default();
    let beside = path.with_extension("actual");
    if expected == actual {
        fs::remove_file(beside).ok();
        return;
    }
    fs::write(&beside, actual).unwrap();
    let line = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    panic!(
        "{} differs from line {} on:\n  expected: {:?}\n  actual:   {:?}\n  whole: {}",
        path.display(),
        line + 1,
        expected.lines().nth(line),
        actual.lines().nth(line),
        beside.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("help.txt");
        fs::write(&path, "one\ntwo\n").unwrap();
        golden(&path, "one\ntwo\n");
        let failed = std::panic::catch_unwind(|| golden(&path, "one\nthree\n")).unwrap_err();
        assert!(failed.downcast_ref::<String>().unwrap().contains("line 2"));
        assert_eq!(fs::read_to_string(path.with_extension("actual")).unwrap(), "one\nthree\n");
    }
}
