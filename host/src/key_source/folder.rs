//! The key ring on disk (R13): the active key at its path, the ring in the folder beside it.
//!
//! `<path>` is the active key, `<path>.d/<key id>.key` are all keys of the ring once there is
//! more than one, and `<path>.d/retired-<key id>.key` are keys that are kept and not loaded.
//! Nothing here ever removes the last file of a key: what goes is on the disk under another name.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use vault::{KeyId, KeyRing, MasterKey, Restored, Unlocked};
use zeroize::Zeroizing;

use super::file::{self, Contents, Others, Writing, folder_of, make_folder, sync_folder};
use super::{Ask, KeyError};

/// The files of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFiles {
    path: PathBuf,
}

/// A ring as it was read.
pub(crate) struct Loaded {
    /// The keys.
    pub ring: KeyRing,
    /// What opens and makes files of a sealed ring; `None` when its files hold the keys as they are.
    pub unlocked: Option<Arc<Unlocked>>,
    /// Files of the ring that cannot be used. What they open fails by name; the rest works.
    pub left_out: Vec<KeyError>,
}

/// Keys that are kept out of use.
#[derive(Default)]
pub(crate) struct Retired {
    /// Those that can be read, with their files.
    pub keys: Vec<(MasterKey, PathBuf)>,
    /// What is wrong with the others.
    pub left_out: Vec<KeyError>,
}

/// What [`KeyFiles::rotate`] did.
pub(crate) struct Rotated {
    /// The key that was active.
    pub old: KeyId,
    /// The key that is active now.
    pub new: KeyId,
}

/// What [`KeyFiles::adopt`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Adopted {
    /// Keys that came into the ring.
    pub added: Vec<KeyId>,
    /// Keys that were kept out of use.
    pub retired: Vec<KeyId>,
    /// The key that became the active one, for there was none.
    pub active: Option<KeyId>,
}

/// What tells one file in a place from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64, u64, i64, i64, u64);

impl KeyFiles {
    /// The ring whose active key is at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the active key is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the ring is.
    pub(crate) fn folder(&self) -> PathBuf {
        let mut folder = self.path.as_os_str().to_owned();
        folder.push(".d");
        PathBuf::from(folder)
    }

    /// Where a key of the ring is.
    pub(crate) fn ring_file(&self, id: KeyId) -> PathBuf {
        self.folder().join(format!("{id}.key"))
    }

    /// Where a key is that is kept out of use.
    pub(crate) fn retired_file(&self, id: KeyId) -> PathBuf {
        self.folder().join(format!("retired-{id}.key"))
    }

    /// Changes whenever another active key is put in place.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let facts = fs::metadata(&self.path).ok()?;
        Some(Stamp(facts.dev(), facts.ino(), facts.mtime(), facts.mtime_nsec(), facts.size()))
    }

    /// Reads the ring; `ask` is asked when its files are sealed and `unlocked` does not open them.
    ///
    /// # Errors
    /// [`KeyError`] about the active key.
    pub(crate) fn load(
        &self,
        unlocked: Option<Arc<Unlocked>>,
        ask: &mut Ask<'_>,
    ) -> Result<Loaded, KeyError> {
        let mut lock = Lock { unlocked, ask };
        let active = lock.read(&self.path)?;
        let mut ring = KeyRing::new(active);
        let mut left_out = Vec::new();
        for (id, path) in self.named("")? {
            if ring.find(id).is_some() {
                continue;
            }
            match lock.read_named(id, &path) {
                Ok(key) => ring = ring.and(key),
                Err(error) => left_out.push(error),
            }
        }
        Ok(Loaded { ring, unlocked: lock.unlocked, left_out })
    }

    /// The keys that are kept out of use, with their files; what cannot be read of them is told
    /// beside.
    ///
    /// # Errors
    /// [`KeyError`] of the folder.
    pub(crate) fn retired(
        &self,
        unlocked: Option<&Arc<Unlocked>>,
        ask: &mut Ask<'_>,
    ) -> Result<Retired, KeyError> {
        let mut retired = Retired::default();
        for path in self.files()?.into_iter().filter(|path| name_of(path).starts_with("retired-")) {
            let first = Lock { unlocked: unlocked.cloned(), ask: &mut *ask }.read(&path);
            // Sealed in another time, by another passphrase: that one is asked for.
            let read = match first {
                Err(KeyError::Sealed { why: vault::Error::SealedApart, .. }) => {
                    Lock { unlocked: None, ask: &mut *ask }.read(&path)
                }
                other => other,
            };
            match read {
                Ok(key) => retired.keys.push((key, path)),
                Err(error) => retired.left_out.push(error),
            }
        }
        Ok(retired)
    }

    /// The names of the keys that are kept out of use, as far as their files say them.
    ///
    /// # Errors
    /// [`KeyError`] of the folder.
    pub(crate) fn retired_ids(&self) -> Result<Vec<KeyId>, KeyError> {
        Ok(self.named("retired-")?.into_iter().map(|(id, _)| id).collect())
    }

    fn files(&self) -> Result<Vec<PathBuf>, KeyError> {
        let folder = self.folder();
        let fail = |e: std::io::Error| KeyError::io("read key folder", &folder, e);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(fail(e)),
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<_> = paths.collect::<Result<_, _>>().map_err(fail)?;
        paths.retain(|path| name_of(path).ends_with(".key"));
        paths.sort();
        Ok(paths)
    }

    /// The key files of the folder whose names begin with `prefix` and go on with a key id.
    fn named(&self, prefix: &str) -> Result<Vec<(KeyId, PathBuf)>, KeyError> {
        let id =
            |path: &PathBuf| name_of(path).strip_prefix(prefix)?.strip_suffix(".key").and_then(KeyId::parse);
        Ok(self.files()?.into_iter().filter_map(|path| id(&path).map(|id| (id, path))).collect())
    }

    /// Mints the first key, where nothing may be yet.
    ///
    /// # Errors
    /// [`KeyError::Io`], [`KeyError::Refused`].
    pub(crate) fn mint(&self, unlocked: Option<&Unlocked>) -> Result<KeyId, KeyError> {
        let key = MasterKey::mint().map_err(KeyError::Refused)?;
        file::write(&self.path, &bytes_of(&key, unlocked)?, Writing::New)?;
        Ok(key.id())
    }

    /// Mints the next key and makes it the active one; the one before stays in the ring. At every
    /// moment of it each key that a row may need is on the disk, and a kill between two steps
    /// leaves a ring that works: at worst one with a key more than it needs.
    ///
    /// # Errors
    /// [`KeyError`]; the active key is the old one then.
    pub(crate) fn rotate(&self, ring: &KeyRing, unlocked: Option<&Unlocked>) -> Result<Rotated, KeyError> {
        let _alone = self.alone()?;
        let old = ring.active();
        let new = MasterKey::mint().map_err(KeyError::Refused)?;
        self.keep(old, unlocked)?;
        self.keep(&new, unlocked)?;
        self.activate(&new, unlocked)?;
        Ok(Rotated { old: old.id(), new: new.id() })
    }

    /// Mints a key over the one at the path, which is kept out of use as
    /// `<path>.d/retired-<key id>.key`; returns where it is. What is there may be no key at all.
    ///
    /// # Errors
    /// [`KeyError`]; the old file stands in its place then.
    pub(crate) fn start_over(&self, unlocked: Option<&Unlocked>) -> Result<PathBuf, KeyError> {
        let _alone = self.alone()?;
        let now = jiff::Timestamp::now().as_millisecond();
        let bytes = file::raw(&self.path)?;
        let old = MasterKey::from_bytes(&mut bytes.clone()).ok().map(|key| key.id());
        // A sealed key need not be opened to be given up; what is no key is kept all the same.
        let kept = match old {
            Some(id) => self.retired_file(id),
            None if vault::is_sealed(&bytes) => self.folder().join(format!("retired-sealed-{now}.key")),
            None => self.folder().join(format!("retired-malformed-{now}.key")),
        };
        if !kept.exists() {
            file::write(&kept, &bytes, Writing::New)?;
            sync_folder(&folder_of(&self.folder()))?;
        }
        let new = MasterKey::mint().map_err(KeyError::Refused)?;
        self.activate(&new, unlocked)?;
        // Its file in the ring, which has the same bytes, would have it loaded again.
        if let Some(in_ring) = old.map(|id| self.ring_file(id)).filter(|path| path.exists()) {
            fs::rename(&in_ring, &kept).map_err(|e| KeyError::io("retire master key", &in_ring, e))?;
            sync_folder(&self.folder())?;
        }
        Ok(kept)
    }

    /// Takes keys from a backup into the ring; its active key becomes ours only where there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn adopt(
        &self,
        restored: &Restored,
        present: Option<&KeyRing>,
        unlocked: Option<&Unlocked>,
    ) -> Result<Adopted, KeyError> {
        let _alone = self.alone()?;
        let mut adopted = Adopted::default();
        for key in restored.ring.keys() {
            if present.is_some_and(|ring| ring.find(key.id()).is_some()) {
                continue;
            }
            self.keep(key, unlocked)?;
            adopted.added.push(key.id());
        }
        for key in &restored.retired {
            let (out, used) = (self.retired_file(key.id()), self.ring_file(key.id()));
            if !out.exists() && !used.exists() {
                file::write(&out, &bytes_of(key, unlocked)?, Writing::New)?;
                adopted.retired.push(key.id());
            }
        }
        if present.is_none() {
            let active = restored.ring.active();
            file::write(&self.path, &bytes_of(active, unlocked)?, Writing::New)?;
            adopted.active = Some(active.id());
        }
        Ok(adopted)
    }

    /// Takes a key that was out of use back into the ring; `from` is its file, which goes when
    /// the other is on the disk.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn reinstate(
        &self,
        key: &MasterKey,
        from: &Path,
        unlocked: Option<&Unlocked>,
    ) -> Result<(), KeyError> {
        let _alone = self.alone()?;
        self.keep(key, unlocked)?;
        fs::remove_file(from).map_err(|e| KeyError::io("restore master key", from, e))?;
        sync_folder(&self.folder())
    }

    /// Writes a key into the ring folder, unless it is there.
    fn keep(&self, key: &MasterKey, unlocked: Option<&Unlocked>) -> Result<(), KeyError> {
        let path = self.ring_file(key.id());
        if path.exists() {
            return Ok(());
        }
        file::write(&path, &bytes_of(key, unlocked)?, Writing::New)?;
        // The folder itself may be new.
        sync_folder(&folder_of(&self.folder()))
    }

    /// Puts a key in the active one's place. Through a link, the file it names is replaced; the
    /// link stays.
    fn activate(&self, key: &MasterKey, unlocked: Option<&Unlocked>) -> Result<(), KeyError> {
        let target =
            fs::canonicalize(&self.path).map_err(|e| KeyError::io("stat master key", &self.path, e))?;
        file::write(&target, &bytes_of(key, unlocked)?, Writing::Over)
    }

    /// Nobody else changes this ring while the answer is held. What somebody who was killed left
    /// unfinished is removed: copies of keys under names that nobody looks for.
    fn alone(&self) -> Result<File, KeyError> {
        let folder = self.folder();
        make_folder(&folder)?;
        let path = folder.join(".lock");
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags)
            .open(&path);
        let lock = lock.map_err(|e| KeyError::io("lock key folder", &path, e))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file::sweep(&fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone()))?;
                file::sweep_all(&folder)?;
                Ok(lock)
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(KeyError::InUse(folder)),
            Err(e) => Err(KeyError::io("lock key folder", &path, e.into())),
        }
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// What a key's file holds.
fn bytes_of(key: &MasterKey, unlocked: Option<&Unlocked>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if let Some(unlocked) = unlocked {
        return unlocked.seal(key).map(Zeroizing::new).map_err(KeyError::Refused);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(file::KEY_LENGTH));
    key.write_to(&mut *bytes).map_err(|e| KeyError::io("write master key", Path::new(""), e))?;
    Ok(bytes)
}

/// What opens the files of one ring.
struct Lock<'a, 'b> {
    unlocked: Option<Arc<Unlocked>>,
    ask: &'a mut Ask<'b>,
}

impl Lock<'_, '_> {
    fn read(&mut self, path: &Path) -> Result<MasterKey, KeyError> {
        let sealed = match file::read(path, Others::Nobody)? {
            Contents::Key(key) => return Ok(key),
            Contents::Sealed(bytes) => bytes,
        };
        let refused = |error: vault::Error| KeyError::Sealed { path: path.to_owned(), why: error };
        let unlocked = match &self.unlocked {
            Some(unlocked) => Arc::clone(unlocked),
            None => {
                let passphrase = (self.ask)(path)?;
                let unlocked = Arc::new(Unlocked::of(&sealed, &passphrase).map_err(refused)?);
                self.unlocked = Some(Arc::clone(&unlocked));
                unlocked
            }
        };
        unlocked.open(&sealed).map_err(refused)
    }

    /// A file whose name says which key is in it: another key under it would open nothing.
    fn read_named(&mut self, id: KeyId, path: &Path) -> Result<MasterKey, KeyError> {
        let key = self.read(path)?;
        if key.id() == id {
            return Ok(key);
        }
        let reason = format!("holds key {}, not the one in its name", key.id());
        Err(KeyError::Malformed { path: path.to_owned(), reason })
    }
}

#[cfg(test)]
mod tests;
