//! The SDK, embedded, so that a scaffolded op builds outside this repository.

use std::fs;
use std::path::Path;

use model::Digest;

use crate::Error;
use crate::source::write;

/// Where an op finds it, below its own folder.
pub(crate) const FOLDER: &str = ".txco/sdk";

/// Every file of `guest-sdk/` that a build of it reads, found by the build script.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The contract, as every language's generator of bindings reads it.
pub(crate) const WIT: &str = include_str!("../../../../guest-sdk/wit/op.wit");

/// The version of the contract.
pub(crate) fn version() -> &'static str {
    let package = WIT.lines().find_map(|line| line.strip_prefix("package txco:op@"));
    package.map_or("", |line| line.trim_end_matches(';'))
}

/// Writes the SDK below the op in `folder`, unless it is there already.
pub(crate) fn put(folder: &Path) -> Result<(), Error> {
    let sdk = folder.join(FOLDER);
    let same = |(path, text): &(&str, &str)| fs::read(sdk.join(path)).is_ok_and(|now| now == text.as_bytes());
    if FILES.iter().all(same) {
        return Ok(());
    }
    match fs::remove_dir_all(&sdk) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::file(&sdk)(error)),
        _ => {}
    }
    FILES.iter().try_for_each(|(path, text)| write(&sdk.join(path), text.as_bytes()))
}

/// Tells one SDK from another.
pub(crate) fn digest() -> Digest {
    let all: String = FILES.iter().flat_map(|(path, text)| [*path, "\0", *text, "\0"]).collect();
    Digest::of(all.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_reads_is_embedded_and_nothing_else() {
        let has = |path: &str| FILES.iter().any(|(file, _)| *file == path);
        for path in ["Cargo.toml", "src/lib.rs", "macros/Cargo.toml", "macros/src/lib.rs", "wit/op.wit"] {
            assert!(has(path), "{path}");
        }
        let own: Vec<_> =
            FILES.iter().filter(|(file, _)| file.contains("tests") || file.contains("target")).collect();
        assert!(own.is_empty(), "{own:?}");
        assert_eq!(version(), "1.0.0");
    }

    #[test]
    fn it_is_written_once_and_again_when_it_differs() {
        let op = tempfile::tempdir().unwrap();
        put(op.path()).unwrap();
        let file = op.path().join(".txco/sdk/src/lib.rs");
        fs::write(&file, "old").unwrap();
        fs::write(op.path().join(".txco/sdk/src/stale.rs"), "old").unwrap();
        put(op.path()).unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains("//!"));
        assert!(!op.path().join(".txco/sdk/src/stale.rs").exists());
    }
}
