//! What was built before, by the digest of all that decides what comes out.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::SystemTime;

use model::{Delivery, Digest};

use crate::source::write;
use crate::{Error, Surroundings};

/// Of how many states of sources the components are kept: those that were asked for last.
const MOST_KEPT: usize = 100;

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
        let whole = File::open(self.whole(key)).ok()?;
        // When it was used. Whoever cannot say so loses it sooner, and nothing else.
        let _used = whole.set_modified(SystemTime::now());
        (!found.is_empty()).then_some(found)
    }

    /// Keeps what was built for `key`; it is found once all of it is there.
    pub(crate) fn keep(&self, key: &Digest, builds: &[(Delivery, Vec<u8>)]) -> Result<(), Error> {
        for (delivery, component) in builds {
            write(&self.file(key, *delivery), component)?;
        }
        write(&self.whole(key), b"")?;
        self.shrink(MOST_KEPT);
        Ok(())
    }

    /// Lets go of all but `most`. What cannot be removed is tried again next time.
    fn shrink(&self, most: usize) {
        let files = fs::read_dir(self.folder.join("built")).into_iter().flatten().flatten();
        let mut kept: Vec<_> = files
            .filter_map(|entry| {
                let key = Digest::parse(entry.file_name().to_str()?.strip_suffix(".whole")?)?;
                Some((entry.metadata().ok()?.modified().ok()?, key))
            })
            .collect();
        kept.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        for (_, key) in kept.iter().skip(most) {
            let builds = Delivery::ALL.into_iter().map(|delivery| self.file(key, delivery));
            for file in [self.whole(key)].into_iter().chain(builds) {
                let _next_time = fs::remove_file(file);
            }
        }
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
    fn what_was_used_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&surroundings(folder.path().join("ops"))).unwrap();
        let keys = [b"a", b"b", b"c"].map(|name| Digest::of(name));
        let builds = vec![(Delivery::Use, b"x".to_vec())];
        for (key, age) in keys.iter().zip([3, 2, 1]) {
            cache.keep(key, &builds).unwrap();
            let then = SystemTime::now() - std::time::Duration::from_hours(age);
            File::open(cache.whole(key)).unwrap().set_modified(then).unwrap();
        }
        // Used now.
        assert!(cache.find(&keys[0]).is_some());
        cache.shrink(2);
        assert!(cache.find(&keys[1]).is_none() && cache.find(&keys[2]).is_some());
        assert_eq!(fs::read_dir(folder.path().join("ops/built")).unwrap().count(), 4);
        cache.shrink(1);
        assert!(cache.find(&keys[0]).is_none() && cache.find(&keys[2]).is_some());
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let said = Cache::open(&surroundings(folder.path().to_owned())).err().unwrap().to_string();
        assert!(said.contains("others can write here"), "{said}");
    }
}
