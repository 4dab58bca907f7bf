//! Where the master key comes from: a file, minted when it may be, or the setting itself.

mod file;
mod inline;

use std::path::{Path, PathBuf};

use vault::MasterKey;

use crate::config::InlineKey;

pub(crate) use file::{KeyFileState, inspect, mint, replace};

/// Why there is no master key. The texts are those of the existing chassis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeyError {
    /// No file, and none was to be minted.
    #[error("secrets: master key file does not exist: {0:?}")]
    Missing(PathBuf),
    /// No file, beside a database that holds secrets of another key.
    #[error(
        "secrets: master key file does not exist: {0:?}, and the database holds secrets sealed under it; \
         either restore the file from its backup, or give those secrets up and mint a new key \
         with `txco auth secrets init --path {path}`, then restart", path = .0.display()
    )]
    MissingBesideCiphertext(PathBuf),
    /// There is something, and it is not a key.
    #[error("secrets: master key file is malformed: {path:?} {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The inline key is not one.
    #[error("secrets: master key file is malformed: TXCO_SECRET_MASTER_KEY_B64: {0}")]
    MalformedInline(String),
    /// The operating system refused.
    #[error("secrets: {doing} {path:?}: {kind}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What it said.
        kind: std::io::Error,
    },
    /// The vault refused the bytes.
    #[error("secrets: {0}")]
    Refused(#[source] vault::Error),
}

impl KeyError {
    fn io(doing: &'static str, path: &Path, kind: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), kind }
    }
}

/// What is configured: nothing, a file, or a key inline.
pub(crate) enum KeySource {
    /// The secret store is off on purpose.
    Off,
    /// A file of 32 bytes.
    File(PathBuf),
    /// The key in base64; it wins over a file.
    Inline(InlineKey),
}

/// A master key, and how it came.
pub(crate) struct Obtained {
    /// The key.
    pub key: MasterKey,
    /// Whether the file was made just now.
    pub minted: bool,
    /// A folder that others may write to, and so could replace the key in.
    pub open_folder: Option<PathBuf>,
}

impl KeySource {
    /// The source that the two settings name.
    #[must_use]
    pub(crate) fn of(inline: Option<InlineKey>, file: Option<PathBuf>) -> Self {
        match (inline, file) {
            (Some(key), _) => Self::Inline(key),
            (None, Some(path)) => Self::File(path),
            (None, None) => Self::Off,
        }
    }

    /// How the source is called in log lines.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Off => String::new(),
            Self::File(path) => path.display().to_string(),
            Self::Inline(_) => "inline:TXCO_SECRET_MASTER_KEY_B64".to_owned(),
        }
    }

    /// The key; `None` when the store is off on purpose. A missing file is minted only
    /// where no ciphertext waits for the lost one.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn obtain(&self, ciphertext_waits: bool) -> Result<Option<Obtained>, KeyError> {
        match self {
            Self::Off => Ok(None),
            Self::Inline(key) => {
                Ok(Some(Obtained { key: inline::decode(key)?, minted: false, open_folder: None }))
            }
            Self::File(path) => match file::load(path) {
                Ok(key) => Ok(Some(Obtained { key, minted: false, open_folder: file::open_folder(path) })),
                Err(KeyError::Missing(path)) if ciphertext_waits => {
                    Err(KeyError::MissingBesideCiphertext(path))
                }
                Err(KeyError::Missing(_)) => {
                    mint(path)?;
                    let key = file::load(path)?;
                    Ok(Some(Obtained { key, minted: true, open_folder: file::open_folder(path) }))
                }
                Err(other) => Err(other),
            },
        }
    }
}

#[cfg(test)]
mod tests;
