//! Commands shown to a person as they can be typed where that person is.

use std::path::{Path, PathBuf};

/// This program as it was called, as short as it can be typed here.
pub(super) fn program() -> String {
    let called = std::env::args_os().next().map_or_else(|| "txco".into(), PathBuf::from);
    let here = std::env::current_dir().unwrap_or_default();
    // Below the current folder there is always a `/` left: `target/release/txco`, `./txco`.
    let shown = match called.strip_prefix(&here) {
        Ok(below) if below.components().count() > 1 => below.to_owned(),
        Ok(below) => Path::new(".").join(below),
        Err(_) => called.clone(),
    };
    quoted(&shown.to_string_lossy())
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_can_be_typed() {
        assert_eq!(quoted("target/release/txco"), "target/release/txco");
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
