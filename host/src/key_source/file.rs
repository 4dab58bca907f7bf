//! One key file: 32 raw bytes, or a key sealed by a passphrase, that only its owner may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use vault::{MasterKey, SEALED_KEY_BYTES, is_sealed};
use zeroize::Zeroizing;

use super::KeyError;

pub(super) const KEY_LENGTH: usize = 32;

/// What a key file holds.
pub(super) enum Contents {
    /// The key.
    Key(MasterKey),
    /// A key that a passphrase opens.
    Sealed(Vec<u8>),
}

/// Who may have rights to a key file besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// Nobody.
    Nobody,
    /// Its group may read. systemd lets a service's user read a credential of root's by an
    /// access list, and then the group's bits show the list's mask.
    GroupReads,
}

/// Reads the key file at `path`. Links are followed, for Kubernetes and systemd mount keys as
/// links; then the *open* file is checked, so that nobody can swap it in between (R14).
pub(super) fn read(path: &Path, others: Others) -> Result<Contents, KeyError> {
    let malformed = |reason: String| KeyError::Malformed { path: path.to_owned(), reason };
    // NONBLOCK: a pipe in the file's place must not hang the start.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let mut file = opened.map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            KeyError::Missing(path.to_owned())
        } else {
            KeyError::io("open master key", path, error)
        }
    })?;
    let facts = file.metadata().map_err(|e| KeyError::io("stat master key", path, e))?;
    if !facts.is_file() {
        return Err(malformed("is not a regular file".to_owned()));
    }
    let mode = facts.permissions().mode() & 0o7777;
    let refused = match others {
        Others::Nobody => 0o077,
        Others::GroupReads => 0o037,
    };
    if mode & refused != 0 {
        return Err(malformed(format!("must have 0600 perms, got {mode:o} (chmod 600 {})", path.display())));
    }
    let us = rustix::process::geteuid().as_raw();
    if facts.uid() != us && facts.uid() != 0 {
        return Err(malformed(format!(
            "must belong to uid {us} or to root, but belongs to uid {}",
            facts.uid()
        )));
    }
    let read_failed = |e: std::io::Error| KeyError::io("read master key", path, e);
    if facts.len() == SEALED_KEY_BYTES as u64 {
        let mut bytes = vec![0; SEALED_KEY_BYTES];
        file.read_exact(&mut bytes).map_err(read_failed)?;
        if is_sealed(&bytes) {
            return Ok(Contents::Sealed(bytes));
        }
    }
    if facts.len() != KEY_LENGTH as u64 {
        return Err(malformed(format!(
            "must be exactly {KEY_LENGTH} bytes, got {} (move it away and bring it back from its backup)",
            facts.len()
        )));
    }
    let mut bytes = Zeroizing::new([0_u8; KEY_LENGTH]);
    file.read_exact(bytes.as_mut_slice()).map_err(read_failed)?;
    MasterKey::from_bytes(bytes.as_mut_slice()).map(Contents::Key).map_err(KeyError::Refused)
}

/// The bytes at `path`, whatever they are, to be kept elsewhere.
pub(super) fn raw(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4_096));
    File::open(path)
        .and_then(|file| file.take(4_096).read_to_end(&mut bytes))
        .map_err(|e| KeyError::io("read master key", path, e))?;
    Ok(bytes)
}

/// The folder the key really lies in, when group or others may write to it: they could put
/// another file in its place.
pub(super) fn open_folder(path: &Path) -> Option<PathBuf> {
    let folder = fs::canonicalize(path).ok()?.parent()?.to_owned();
    let mode = fs::metadata(&folder).ok()?.permissions().mode();
    (mode & 0o022 != 0).then_some(folder)
}

/// What stands at the path of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFileState {
    /// Nothing.
    Missing,
    /// A folder.
    Folder,
    /// A file, be it a key or not.
    File,
    /// A pipe, socket or device, with its mode.
    Special(u32),
}

/// Looks at what stands at `path`, following links.
///
/// # Errors
/// What the operating system says, other than that nothing is there.
pub(crate) fn inspect(path: &Path) -> std::io::Result<KeyFileState> {
    match fs::metadata(path) {
        Ok(facts) if facts.is_file() => Ok(KeyFileState::File),
        Ok(facts) if facts.is_dir() => Ok(KeyFileState::Folder),
        Ok(facts) => Ok(KeyFileState::Special(facts.mode())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(KeyFileState::Missing),
        Err(e) => Err(e),
    }
}

/// Whether a file may stand there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// No: an existing file is an error.
    New,
    /// Yes: it is replaced, and at every moment one of the two stands there.
    Over,
}

/// Writes a key file that appears whole or not at all, and is on the disk when this returns.
pub(super) fn write(path: &Path, bytes: &[u8], writing: Writing) -> Result<(), KeyError> {
    let folder = folder_of(path);
    make_folder(&folder)?;
    let fail = |e: std::io::Error| KeyError::io("write master key", path, e);
    // A temporary file of a random name, created exclusively and never through a link (O_EXCL
    // does not follow one), is removed again when anything below fails.
    let mut file = tempfile::Builder::new()
        .prefix(&unfinished(path))
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(&folder)
        .map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    match writing {
        Writing::New => drop(file.persist_noclobber(path).map_err(|e| fail(e.error))?),
        Writing::Over => drop(file.persist(path).map_err(|e| fail(e.error))?),
    }
    sync_folder(&folder)
}

/// How the temporary files of a key file are called, up to their random end.
fn unfinished(path: &Path) -> String {
    format!(".txco-key-{}-", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes what a killed writing of `path` left: it may hold a whole key. Nobody else may be
/// writing it.
pub(super) fn sweep(path: &Path) -> Result<(), KeyError> {
    remove(&folder_of(path), &unfinished(path))
}

/// The same for all key files of a folder that is one ring's own.
pub(super) fn sweep_all(folder: &Path) -> Result<(), KeyError> {
    remove(folder, ".txco-key-")
}

fn remove(folder: &Path, prefix: &str) -> Result<(), KeyError> {
    let fail = |e: std::io::Error| KeyError::io("sweep key folder", folder, e);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_file(entry.path()).map_err(fail)?;
        }
    }
    Ok(())
}

pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

pub(super) fn make_folder(folder: &Path) -> Result<(), KeyError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| KeyError::io("create parent dir for", folder, e))
}

/// A file that was made or renamed is durable only when its folder is.
pub(super) fn sync_folder(folder: &Path) -> Result<(), KeyError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| KeyError::io("sync folder", folder, e))
}
