//! Why there is no component: what is wrong, where, and what to do.

use std::path::{Path, PathBuf};

/// Why the workshop did not make what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The folder holds no op.
    #[error("{folder} holds no op.toml, so it is no op; `txco op new` makes one", folder = folder.display())]
    NoManifest {
        /// The folder.
        folder: PathBuf,
    },
    /// `op.toml` is not what it should be.
    #[error("{folder}/{error}", folder = folder.display())]
    Manifest {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        error: model::ManifestError,
    },
    /// There is no source beside `op.toml`, or too much of it.
    #[error("{folder}: {reason}", folder = folder.display())]
    Sources {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No compiler can make this.
    #[error("{0}")]
    NoCompiler(String),
    /// The compiler says no; its words, as it said them.
    #[error("{folder}: {tool} failed\n{said}", folder = folder.display())]
    Compile {
        /// The op's folder.
        folder: PathBuf,
        /// Which program.
        tool: &'static str,
        /// What it said.
        said: String,
    },
    /// Bytes that are no op.
    #[error("no op: {0}")]
    Component(String),
}

impl Error {
    /// The same for somebody who has read what the compiler said as it came.
    #[must_use]
    pub fn in_short(&self) -> String {
        let Self::Compile { folder, tool, .. } = self else { return self.to_string() };
        format!("{}: {tool} failed; what it said stands above", folder.display())
    }

    pub(crate) fn file(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path: path.clone(), reason: error.to_string() }
    }
}
