//! Which rule files a command line means: those it names, and all below the folders it names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::output::Complaint;

/// The deepest folder that is looked into.
const MAX_DEPTH: usize = 32;

/// The rule files at and below `paths`, in the order of their names.
pub(super) fn below(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Complaint> {
    let mut files = Vec::new();
    for path in paths {
        let kind = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if kind.is_dir() {
            folder(path, 0, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Links to folders are not followed: they may lead in a circle.
fn folder(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Complaint> {
    if depth > MAX_DEPTH {
        return Err(Complaint::failed(format!("{} lies more than {MAX_DEPTH} folders deep", path.display())));
    }
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), &error))?;
        if kind.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            folder(&entry.path(), depth + 1, files)?;
        } else if !kind.is_dir() && entry.path().extension().is_some_and(|e| e == "txcl") {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The text of a rule file.
pub(super) fn read(path: &Path) -> Result<String, Complaint> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Complaint {
    Complaint::failed(format!("{}: {error}", path.display()))
}

/// The name of the rule in a file.
pub(super) fn name(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
