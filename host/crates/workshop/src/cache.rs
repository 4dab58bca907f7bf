//! What was built before, by the digest of all that decides what comes out.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

use model::{Delivery, Digest};

use crate::source::write;
use crate::{Error, Surroundings};

/// The workshop's folder, held while something is made in it.
pub(crate) struct Cache {
    folder: PathBuf,
}

/// The place where one build at a time is made; free again when dropped.
pub(crate) struct Bench {
    _held: File,
    pub(crate) work: PathBuf,
}

impl Cache {
    /// Opens it. What lies there becomes ops that see secrets: nobody else may write there.
    pub(crate) fn open(surroundings: &Surroundings) -> Result<Self, Error> {
        let folder = surroundings.cache.clone();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(Error::file(&folder))?;
        let rights = fs::metadata(&folder).map_err(Error::file(&folder))?.permissions();
        if rights.mode() & 0o022 != 0 {
            let reason = "others can write here, and could put their own ops in; chmod go-w it".to_owned();
            return Err(Error::File { path: folder, reason });
        }
        Ok(Self { folder })
    }

    /// What was built for `key`.
    pub(crate) fn find(&self, key: &Digest) -> Option<Vec<(Delivery, Vec<u8>)>> {
        let found = Delivery::ALL
            .into_iter()
            .filter_map(|delivery| Some((delivery, fs::read(self.file(key, delivery)).ok()?)));
        let found: Vec<_> = found.collect();
        // Written last: with it all of them are there.
        (self.whole(key).is_file() && !found.is_empty()).then_some(found)
    }

    /// Keeps what was built for `key`; it is found once all of it is there.
    pub(crate) fn keep(&self, key: &Digest, builds: &[(Delivery, Vec<u8>)]) -> Result<(), Error> {
        for (delivery, component) in builds {
            write(&self.file(key, *delivery), component)?;
        }
        write(&self.whole(key), b"")
    }

    /// Waits until nobody else builds here.
    pub(crate) fn bench(&self) -> Result<Bench, Error> {
        let path = self.folder.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let held = open.map_err(Error::file(&path))?;
        held.lock().map_err(Error::file(&path))?;
        Ok(Bench { _held: held, work: self.folder.join("work") })
    }

    fn whole(&self, key: &Digest) -> PathBuf {
        self.folder.join("built").join(format!("{key}.whole"))
    }

    fn file(&self, key: &Digest, delivery: Delivery) -> PathBuf {
        self.folder.join("built").join(format!("{key}.{delivery}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(cache: PathBuf) -> Surroundings {
        let mut surroundings = Surroundings::read(|_| Some("/nowhere".to_owned())).unwrap();
        surroundings.cache = cache;
        surroundings
    }

    #[test]
    fn what_is_kept_is_found_and_half_of_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&surroundings(folder.path().join("ops"))).unwrap();
        let key = Digest::of(b"key");
        assert_eq!(cache.find(&key), None);
        let both = vec![(Delivery::Reveal, b"a".to_vec()), (Delivery::Use, b"b".to_vec())];
        cache.keep(&key, &both).unwrap();
        assert_eq!(cache.find(&key), Some(both));
        fs::remove_file(cache.whole(&key)).unwrap();
        assert_eq!(cache.find(&key), None);
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let said = Cache::open(&surroundings(folder.path().to_owned())).err().unwrap().to_string();
        assert!(said.contains("others can write here"), "{said}");
    }
}
