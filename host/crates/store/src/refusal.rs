//! Why something about a stack is not done, although the database could.

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackRefusal {
    /// No such stack.
    #[error("there is no such stack")]
    NoStack,
    /// No such version.
    #[error("there is no version {0}")]
    NoVersion(u32),
    /// No version of it is active.
    #[error("no version of the stack is active")]
    NothingActive,
    /// Only drafts take files.
    #[error("version {0} is no draft any more")]
    NotDraft(u32),
    /// The Go chassis withdrew it.
    #[error("version {0} is revoked")]
    Revoked(u32),
    /// A tenant has as many stacks as it may have.
    #[error("the tenant has {most} stacks, and may have no more")]
    TooManyStacks {
        /// How many it may have.
        most: usize,
    },
    /// A version has as many files as it may have.
    #[error("a version may have {most} files")]
    TooManyFiles {
        /// How many it may have.
        most: usize,
    },
    /// The files of a version are too large together.
    #[error("the files of a version may have {most} bytes together")]
    TooLarge {
        /// How many bytes they may have.
        most: usize,
    },
    /// The version is not what somebody looked at.
    #[error("version {number} is not what was checked: its manifest is {found}")]
    ManifestChanged {
        /// The version.
        number: u32,
        /// Its manifest.
        found: String,
    },
    /// Another version became active since somebody looked.
    #[error("another version is active than the one that was looked at: its manifest is {found:?}")]
    ActiveChanged {
        /// The manifest of the active version; empty when none is active.
        found: String,
    },
    /// An op was pushed while the version that calls it was checked.
    #[error("op://{0} was pushed or removed meanwhile")]
    OpChanged(String),
    /// The file is not what somebody looked at.
    #[error("{path} is not what was looked at")]
    FileChanged {
        /// Its path.
        path: String,
    },
    /// The file is there already.
    #[error("{path} is there already")]
    FileExists {
        /// Its path.
        path: String,
    },
    /// No such file.
    #[error("there is no file {path}")]
    NoFile {
        /// Its path.
        path: String,
    },
    /// The hostname is somebody's.
    #[error("the hostname is taken")]
    HostnameTaken,
    /// No such hostname in this tenant.
    #[error("the tenant has no such hostname")]
    NoHostname,
    /// A tenant has as many hostnames as it may have.
    #[error("the tenant has {most} hostnames, and may have no more")]
    TooManyHostnames {
        /// How many it may have.
        most: usize,
    },
}
