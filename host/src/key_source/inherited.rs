//! Keys that the process was started with: an open descriptor, a systemd credential.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use vault::{KeyId, KeyRing, MasterKey, Passphrase};
use zeroize::Zeroizing;

use super::KeyError;
use super::file::{self, Contents, KEY_LENGTH, Others};

/// How many keys a ring may have that comes through a descriptor.
const MOST_KEYS: usize = 64;

/// Reads a ring from an open descriptor: 32 bytes for each key, the active one first.
///
/// It is opened once more by its number: that works for pipes and files, needs no `unsafe`,
/// and must happen before the process makes itself undumpable, which takes `/dev/fd` away.
pub(super) fn from_descriptor(number: u32) -> Result<KeyRing, KeyError> {
    let bytes = read_descriptor(number, KEY_LENGTH * MOST_KEYS)?;
    let malformed = |found: usize| KeyError::MalformedDescriptor {
        number,
        reason: format!("expected {KEY_LENGTH} bytes for each of 1 to {MOST_KEYS} keys, got {found}"),
    };
    if bytes.is_empty() || bytes.len() % KEY_LENGTH != 0 || bytes.len() > KEY_LENGTH * MOST_KEYS {
        return Err(malformed(bytes.len()));
    }
    let mut keys = Vec::new();
    for chunk in bytes.chunks(KEY_LENGTH) {
        let mut chunk = Zeroizing::new(chunk.to_vec());
        keys.push(MasterKey::from_bytes(&mut chunk).map_err(KeyError::Refused)?);
    }
    ring_of(keys).ok_or_else(|| malformed(0))
}

/// Reads a passphrase, one line, from an open descriptor.
pub(super) fn passphrase(number: u32) -> Result<Passphrase, KeyError> {
    let bytes = read_descriptor(number, vault::MAX_PASSPHRASE + 2)?;
    Passphrase::new(&bytes).map_err(KeyError::Refused)
}

fn read_descriptor(number: u32, most: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 32));
    File::open(format!("/dev/fd/{number}"))
        .and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| KeyError::MalformedDescriptor {
            number,
            reason: if error.kind() == ErrorKind::NotFound {
                format!("it is not open; start txco with {number}<FILE behind the command")
            } else {
                error.to_string()
            },
        })?;
    Ok(bytes)
}

/// The active key first.
pub(super) fn ring_of(keys: Vec<MasterKey>) -> Option<KeyRing> {
    let mut keys = keys.into_iter();
    let active = KeyRing::new(keys.next()?);
    Some(keys.fold(active, KeyRing::and))
}

/// A ring in systemd's folder of credentials: `NAME` is the active key, and
/// `NAME.d_<key id>.key` are the others, which is what `LoadCredential=NAME.d:/path/NAME.d`
/// makes of the ring's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    /// Where the active key is.
    pub(super) path: PathBuf,
}

impl Credential {
    /// The credential `name`, when there is one.
    pub(super) fn find(folder: &Path, name: &str) -> Option<Self> {
        let path = folder.join(name);
        path.exists().then_some(Self { path })
    }

    /// One that is not there: to be told so, and not to be taken for a file elsewhere.
    pub(super) fn absent(folder: Option<&Path>, name: &str) -> Self {
        Self { path: folder.unwrap_or_else(|| Path::new("$CREDENTIALS_DIRECTORY")).join(name) }
    }

    /// Reads the ring.
    pub(super) fn load(&self) -> Result<KeyRing, KeyError> {
        let mut keys = vec![plain(&self.path)?];
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let prefix = format!("{name}.d_");
        let folder = file::folder_of(&self.path);
        let fail = |e: std::io::Error| KeyError::io("read credentials", &folder, e);
        let mut others = Vec::new();
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let id = path
                .file_name()
                .and_then(|name| name.to_str()?.strip_prefix(&prefix)?.strip_suffix(".key"))
                .and_then(KeyId::parse);
            others.extend(id.map(|_| path));
        }
        others.sort();
        for path in others {
            keys.push(plain(&path)?);
        }
        ring_of(keys).ok_or(KeyError::Missing(folder))
    }
}

fn plain(path: &Path) -> Result<MasterKey, KeyError> {
    match file::read(path, Others::GroupReads)? {
        Contents::Key(key) => Ok(key),
        Contents::Sealed(_) => Err(KeyError::Malformed {
            path: path.to_owned(),
            reason: "is sealed by a passphrase, which credentials need not be".to_owned(),
        }),
    }
}
