//! Lists the files of the SDK, so that every txco carries the one it was built with.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What of `guest-sdk/` a build of it reads.
const PARTS: [&str; 6] = ["Cargo.toml", "README.md", "c", "macros", "src", "wit"];
/// What of that it does not: its own tests, and what was made there.
const LEFT_OUT: [&str; 4] = ["tests", "tests.rs", "target", "Cargo.lock"];

fn main() -> Result<(), Box<dyn Error>> {
    // Asked when it runs: the folder may be another one than it was compiled in.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?;
    let root = PathBuf::from(here).join("../../../guest-sdk").canonicalize()?;
    let mut files = Vec::new();
    let mut tell = std::io::stdout();
    for part in PARTS {
        let path = root.join(part);
        writeln!(tell, "cargo::rerun-if-changed={}", path.display())?;
        collect(&path, &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let below = file.strip_prefix(&root)?;
        list.push_str(&format!("    ({:?}, include_str!({:?})),\n", below.display().to_string(), file));
    }
    list.push_str("]\n");
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    Ok(fs::write(PathBuf::from(out).join("sdk.rs"), list)?)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if LEFT_OUT.contains(&&*name) || name.starts_with('.') {
        return Ok(());
    }
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.is_file() {
        files.push(path.to_owned());
    }
    Ok(())
}
