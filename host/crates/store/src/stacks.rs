//! The applied rules of tenants: stacks, their numbered versions and the files of each.
//!
//! A version begins as a draft, takes files, and is activated once; what was active stays and
//! can be activated again. The layout is the Go chassis's, whose rows stay readable.

mod rows;
mod drafts;
mod files;
mod activation;
mod serving;

use model::{Digest, OpName, StackName, TenantId};

use crate::error::Error;
use crate::store::Store;

pub use activation::{Activated, Activation, RuleRow};
pub use drafts::Base;
pub use files::{Change, Managed};
pub use serving::{Pinned, Served};

/// How many stacks a tenant may have.
pub const MOST_STACKS: usize = 1000;
/// How many versions of a stack are kept: a new draft lets go of the oldest that are not active.
pub const KEPT_VERSIONS: usize = 100;
/// How many files a version may have.
pub const MOST_FILES: usize = 5000;
/// How many bytes the files of a version may have together.
pub const MOST_FILE_BYTES: usize = 16 << 20;

/// A stack of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackRecord {
    /// Its name.
    pub name: StackName,
    /// When it was made (RFC 3339, UTC, seconds).
    pub created_at: String,
    /// The version that is served, when there is one.
    pub active: Option<VersionRecord>,
    /// How the Go chassis named hosts for it; kept as it is.
    pub mint_hostname: bool,
}

/// A version of a stack, without its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    /// Its number in the stack.
    pub number: u32,
    /// What became of it.
    pub status: VersionStatus,
    /// The version that its files came from at first.
    pub parent: Option<u32>,
    /// When it was begun.
    pub created_at: String,
    /// The actor who began it.
    pub created_by: Option<String>,
    /// When it was activated last.
    pub activated_at: Option<String>,
    /// The digest of its paths and contents, 64 hex digits.
    pub manifest: String,
    /// How many files it has.
    pub files: u32,
}

/// Which version of which stack.
#[derive(Debug, Clone, Copy)]
pub struct VersionAddress<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// The stack.
    pub stack: &'a StackName,
    /// The number.
    pub number: u32,
}

/// A version with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeVersion {
    /// What is known of it.
    pub version: VersionRecord,
    /// Its files, in the order of their paths.
    pub files: Vec<StackFile>,
    /// The components it is pinned to, when it was active before.
    pub pins: Option<Vec<Pin>>,
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionStatus {
    /// It takes files, and was never active.
    Draft,
    /// It is served.
    Active,
    /// It was.
    Superseded,
    /// The Go chassis withdrew it.
    Revoked,
}

impl VersionStatus {
    /// The word in the database and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
        }
    }
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFile {
    /// Its path below the stack, with `/`.
    pub path: String,
    /// Its text.
    pub content: String,
}

impl StackFile {
    /// The digest of its text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.content.as_bytes())
    }
}

/// The digest of a version: SHA-256 over `path \0 content_hash \0` of every file, in the order
/// of paths.
#[must_use]
pub fn manifest_of(files: &[StackFile]) -> Digest {
    let mut lines: Vec<_> = files.iter().map(|file| (&file.path, file.digest())).collect();
    lines.sort();
    let text: String = lines.iter().map(|(path, hash)| format!("{path}\0{hash}\0")).collect();
    Digest::of(text.as_bytes())
}

/// One component that a version is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The op as rules call it.
    pub name: OpName,
    /// How the component is given secrets.
    pub delivery: model::Delivery,
    /// Its digest.
    pub digest: Digest,
    /// Somebody's signature over it, as text.
    pub signature: Option<String>,
}

impl Store {
    /// All stacks of `tenant`, by name.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn stacks(&self, tenant: &TenantId) -> Result<Vec<StackRecord>, Error> {
        self.read(|reader| rows::stacks(&reader.connection, tenant, None))
    }

    /// The stack called `name`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn stack(&self, tenant: &TenantId, name: &StackName) -> Result<Option<StackRecord>, Error> {
        self.read(|reader| Ok(rows::stacks(&reader.connection, tenant, Some(name))?.pop()))
    }

    /// The versions of a stack, newest first.
    ///
    /// # Errors
    /// [`StackRefusal::NoStack`](crate::StackRefusal::NoStack), or of the database.
    pub fn stack_versions(&self, tenant: &TenantId, name: &StackName) -> Result<Vec<VersionRecord>, Error> {
        self.read(|reader| {
            let stack = rows::stack(&reader.connection, tenant, name)?;
            rows::versions(&reader.connection, &stack)
        })
    }

    /// One version, whole.
    ///
    /// # Errors
    /// [`StackRefusal::NoStack`](crate::StackRefusal::NoStack),
    /// [`StackRefusal::NoVersion`](crate::StackRefusal::NoVersion), or of the database.
    pub fn stack_version(&self, at: VersionAddress<'_>) -> Result<WholeVersion, Error> {
        self.read(|reader| {
            let stack = rows::stack(&reader.connection, at.tenant, at.stack)?;
            let row = rows::version(&reader.connection, &stack, at.number)?;
            let files = rows::files(&reader.connection, row.id)?;
            let ours = activation::is_ours(&reader.connection, row.id)?;
            let pins = ours.then(|| rows::pins(&reader.connection, row.id)).transpose()?;
            Ok(WholeVersion { version: row.record, files, pins })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> StackFile {
        StackFile { path: path.to_owned(), content: content.to_owned() }
    }

    #[test]
    fn a_manifest_is_over_sorted_paths_and_hashes_each_ended_by_a_zero() {
        let (a, b) = (file("100/a.txcl", "A"), file("20/b.txcl", "B"));
        let text = format!("100/a.txcl\0{}\x0020/b.txcl\0{}\0", a.digest(), b.digest());
        assert_eq!(manifest_of(&[b.clone(), a.clone()]), Digest::of(text.as_bytes()));
        assert_eq!(manifest_of(&[]), Digest::of(b""));
        assert_ne!(manifest_of(&[a]), manifest_of(&[b]));
    }
}
