//! The key file: 32 raw bytes that only their owner may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use vault::MasterKey;
use zeroize::Zeroizing;

use super::KeyError;

const KEY_LENGTH: usize = 32;

/// Reads the key at `path`. Links are followed, for Kubernetes and systemd mount keys as
/// links; then the *open* file is checked, so that nobody can swap it in between (R14).
pub(super) fn load(path: &Path) -> Result<MasterKey, KeyError> {
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
    if mode & 0o077 != 0 {
        return Err(malformed(format!("must have 0600 perms, got {mode:o}")));
    }
    let us = rustix::process::geteuid().as_raw();
    if facts.uid() != us && facts.uid() != 0 {
        return Err(malformed(format!(
            "must belong to uid {us} or to root, but belongs to uid {}",
            facts.uid()
        )));
    }
    if facts.len() != KEY_LENGTH as u64 {
        return Err(malformed(format!("must be exactly {KEY_LENGTH} bytes, got {}", facts.len())));
    }
    let mut bytes = Zeroizing::new([0_u8; KEY_LENGTH]);
    file.read_exact(bytes.as_mut_slice()).map_err(|e| KeyError::io("read master key", path, e))?;
    MasterKey::from_bytes(bytes.as_mut_slice()).map_err(KeyError::Refused)
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

/// Mints a key at `path`, where nothing may be yet. The folders above are made for the
/// owner alone; the file appears whole or not at all.
///
/// # Errors
/// [`KeyError::Io`] and, without randomness, the same.
pub(crate) fn mint(path: &Path) -> Result<(), KeyError> {
    write_key(path, Minting::New)
}

/// Mints a key over the one at `path` and keeps the old file as
/// `<path>.d/retired-<key id>.key`, which is never loaded again; returns where it is.
/// At every moment of it, a key stands at `path`.
///
/// # Errors
/// [`KeyError::Io`] and, without randomness, the same.
pub(crate) fn replace(path: &Path) -> Result<PathBuf, KeyError> {
    let retired = retire(path)?;
    // Through a link, the file it names is replaced; the link stays.
    let target = fs::canonicalize(path).map_err(|e| KeyError::io("stat master key", path, e))?;
    write_key(&target, Minting::Over)?;
    Ok(retired)
}

/// Whether a key may stand there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Minting {
    /// No: an existing file is an error.
    New,
    /// Yes: it is replaced.
    Over,
}

fn write_key(path: &Path, minting: Minting) -> Result<(), KeyError> {
    let folder = folder_of(path);
    make_folder(&folder)?;
    let fail = |e: std::io::Error| KeyError::io("write master key", path, e);
    let mut bytes = Zeroizing::new([0_u8; KEY_LENGTH]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|e| KeyError::io("mint master key for", path, std::io::Error::other(e)))?;
    // A temporary file of a random name, created exclusively and never through a link, is
    // removed again when anything below fails.
    let mut file = tempfile::Builder::new()
        .prefix(".txco-key-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(&folder)
        .map_err(fail)?;
    file.write_all(bytes.as_slice()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    match minting {
        Minting::New => drop(file.persist_noclobber(path).map_err(|e| fail(e.error))?),
        Minting::Over => drop(file.persist(path).map_err(|e| fail(e.error))?),
    }
    sync_folder(&folder)
}

/// Copies the key at `path` into its ring folder, out of use.
fn retire(path: &Path) -> Result<PathBuf, KeyError> {
    let mut ring = path.as_os_str().to_owned();
    ring.push(".d");
    let ring = PathBuf::from(ring);
    make_folder(&ring)?;
    let fail = |e: std::io::Error| KeyError::io("retire master key", path, e);
    let mut bytes = Zeroizing::new(Vec::with_capacity(4_096));
    File::open(path).and_then(|file| file.take(4_096).read_to_end(&mut bytes)).map_err(fail)?;
    let mut copy = bytes.clone();
    let name = match MasterKey::from_bytes(&mut copy) {
        Ok(key) => format!("retired-{}.key", key.id()),
        // Not a key; what is in it is kept all the same, under the time of its retirement.
        Err(_) => format!("retired-malformed-{}.key", jiff::Timestamp::now().as_millisecond()),
    };
    let kept = ring.join(name);
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&kept) {
        Ok(file) => file,
        // The same key was retired before, put back, and is retired again.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(kept),
        Err(e) => return Err(fail(e)),
    };
    file.write_all(&bytes).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    sync_folder(&ring)?;
    sync_folder(&folder_of(&ring))?;
    Ok(kept)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn make_folder(folder: &Path) -> Result<(), KeyError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| KeyError::io("create parent dir for", folder, e))
}

/// A file that was made or renamed is durable only when its folder is.
fn sync_folder(folder: &Path) -> Result<(), KeyError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| KeyError::io("sync folder", folder, e))
}
