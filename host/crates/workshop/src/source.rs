//! The sources of one op: a folder with `op.toml`, read whole and bounded.

use std::fs;
use std::path::{Path, PathBuf};

use model::{Digest, OpManifest};
use sha2::{Digest as _, Sha256};

use crate::Error;

/// The most files an op has, and the most bytes of all of them: beyond it the folder is
/// something else (a home, a checkout), and copying it is not what was meant.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 16 << 20;
/// How deep they lie.
const MOST_DEPTH: usize = 12;
/// Folders that are made, not written.
const MADE: &[&str] = &["target", "node_modules", "__pycache__"];
/// The fixtures of `txco op test`: they change nothing of the op.
const FIXTURES: &str = "tests/";

/// What an op is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A cargo package.
    Rust,
    /// `op.js`.
    JavaScript,
    /// `op.c`.
    C,
    /// `op.py`.
    Python,
}

impl Language {
    /// All, with the file that tells each.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Rust, "rust", "Cargo.toml"),
        (Self::JavaScript, "js", "op.js"),
        (Self::C, "c", "op.c"),
        (Self::Python, "python", "op.py"),
    ];

    /// Reads `rust`, `js`, `c` or `python`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name, _)| *name == word).map(|(language, ..)| *language)
    }

    /// How it is called on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(language, ..)| *language == self).map_or("", |(_, name, _)| name)
    }
}

/// The sources of one op.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where they lie.
    pub folder: PathBuf,
    /// What they are written in.
    pub language: Language,
    /// What the op says of itself.
    pub manifest: OpManifest,
    /// The same as text, as it goes into the component.
    pub(crate) manifest_text: String,
    /// Path below the folder with `/`, and bytes; by path.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Source {
    /// Reads the op in `folder`.
    ///
    /// # Errors
    /// [`Error::NoManifest`], [`Error::Manifest`], [`Error::Sources`], [`Error::File`].
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let manifest_path = folder.join("op.toml");
        let manifest_text = match fs::read_to_string(&manifest_path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoManifest { folder: folder.to_owned() });
            }
            Err(error) => return Err(Error::file(&manifest_path)(error)),
        };
        let manifest = OpManifest::parse(&manifest_text)
            .map_err(|error| Error::Manifest { folder: folder.to_owned(), error })?;
        let mut files = Vec::new();
        let mut walk = Walk { root: folder, left: MOST_BYTES, files: &mut files };
        walk.folder(folder, 0)?;
        files.sort();
        let refuse = |reason: String| Error::Sources { folder: folder.to_owned(), reason };
        let has = |name: &str| files.iter().any(|(path, _)| path == name);
        let found: Vec<_> = Language::ALL.iter().filter(|(_, _, file)| has(file)).collect();
        let language = match found[..] {
            [(language, ..)] => *language,
            [] => {
                let all: Vec<_> = Language::ALL.iter().map(|(_, _, file)| *file).collect();
                return Err(refuse(format!("there is no source beside op.toml (one of {})", all.join(", "))));
            }
            [(_, _, first), (_, _, second), ..] => {
                return Err(refuse(format!(
                    "there are {first} and {second}: an op is written in one language"
                )));
            }
        };
        Ok(Self { folder: folder.to_owned(), language, manifest, manifest_text, files })
    }

    /// The text of one file.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, bytes) = self.files.iter().find(|(path, _)| path == name)?;
        std::str::from_utf8(bytes).ok()
    }

    /// A digest of every file, and of `by`: what else decides what comes out.
    pub(crate) fn key(&self, by: &str) -> Digest {
        let mut all = Sha256::new();
        let parts = self.files.iter().flat_map(|(path, bytes)| [path.as_bytes(), bytes.as_slice()]);
        for part in std::iter::once(by.as_bytes()).chain(parts) {
            all.update((part.len() as u64).to_be_bytes());
            all.update(part);
        }
        Digest::of(&all.finalize())
    }

    /// Writes a copy of them into `folder`, which is emptied first.
    pub(crate) fn copy_to(&self, folder: &Path) -> Result<(), Error> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(folder)(error));
            }
            _ => {}
        }
        for (path, bytes) in &self.files {
            write(&folder.join(path), bytes)?;
        }
        Ok(())
    }
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    let written = fs::write(path, bytes).map_err(Error::file(path));
    if written.is_err() {
        // Half of it is of no use, and on a full disk in the way.
        let _half = fs::remove_file(path);
    }
    written
}

struct Walk<'a> {
    root: &'a Path,
    left: u64,
    files: &'a mut Vec<(String, Vec<u8>)>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), Error> {
        if depth > MOST_DEPTH {
            return Err(self.too_much(&format!("more than {MOST_DEPTH} folders deep")));
        }
        for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
            let entry = entry.map_err(Error::file(folder))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(Error::file(&path))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(Error::File { path, reason: "its name is not UTF-8".to_owned() });
            };
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() && !MADE.contains(&name) {
                self.folder(&path, depth + 1)?;
            } else if kind.is_file() {
                self.file(&path)?;
            } else if kind.is_symlink() {
                // A copy would take what it points at from anywhere on the machine.
                return Err(Error::File { path, reason: "an op's sources have no links".to_owned() });
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), Error> {
        let below = path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().into_owned();
        if is_made(&below) || is_fixture(&below) {
            return Ok(());
        }
        let length = fs::metadata(path).map_err(Error::file(path))?.len();
        self.left = self.left.checked_sub(length).ok_or_else(|| self.too_much("more than 16 MiB"))?;
        if self.files.len() == MOST_FILES {
            return Err(self.too_much(&format!("more than {MOST_FILES} files")));
        }
        let bytes = fs::read(path).map_err(Error::file(path))?;
        self.files.push((below, bytes));
        Ok(())
    }

    fn too_much(&self, what: &str) -> Error {
        let reason = format!("{what}: an op's folder holds its sources and nothing else");
        Error::Sources { folder: self.root.to_owned(), reason }
    }
}

/// What building left behind.
fn is_made(below: &str) -> bool {
    !below.contains('/') && [".wasm", ".wasm.sig"].iter().any(|end| below.ends_with(end))
}

fn is_fixture(below: &str) -> bool {
    below.starts_with(FIXTURES) && (below.ends_with(".toml") || below.ends_with(".json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(path, text)| write(&folder.path().join(path), text.as_bytes()).unwrap());
        folder
    }

    const MANIFEST: (&str, &str) = ("op.toml", "name = \"my-signer\"\n");

    #[test]
    fn what_is_made_is_no_source() {
        let files = [
            MANIFEST,
            ("op.c", "int x;"),
            ("my-signer.wasm", "x"),
            ("target/x", "x"),
            (".txco/sdk/x", "x"),
            ("tests/a.toml", "x"),
            ("tests/a.c", "x"),
        ];
        let folder = folder(&files);
        let source = Source::read(folder.path()).unwrap();
        let paths: Vec<_> = source.files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!((source.language, &paths[..]), (Language::C, &["op.c", "op.toml", "tests/a.c"][..]));
        let key = source.key("cc 1");
        assert_ne!(key, source.key("cc 2"));
        write(&folder.path().join("op.c"), b"int y;").unwrap();
        assert_ne!(key, Source::read(folder.path()).unwrap().key("cc 1"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let said = |files: &[(&str, &str)]| Source::read(folder(files).path()).unwrap_err().to_string();
        assert!(said(&[]).contains("holds no op.toml"));
        assert!(said(&[("op.toml", "name = 1")]).contains("op.toml:"));
        assert!(said(&[MANIFEST]).contains("no source beside op.toml"));
        assert!(said(&[MANIFEST, ("op.c", ""), ("op.py", "")]).contains("op.c and op.py"));
        let linked = folder(&[MANIFEST, ("op.c", "")]);
        std::os::unix::fs::symlink("/etc/hosts", linked.path().join("x.h")).unwrap();
        assert!(Source::read(linked.path()).unwrap_err().to_string().contains("no links"));
    }
}
