//! Where the database files lie, what they are called and who may read them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Files are ours alone; a folder we make is, too.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Whether a database file had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Created,
    Found,
}

/// The path of one of the databases of `env`, after checking that `env` is a name and not
/// a way out of the folder.
pub(crate) fn file_of(folder: &Path, kind: &str, env: &str) -> Result<PathBuf, Error> {
    let good = !env.is_empty()
        && env.len() <= 64
        && !env.starts_with('.')
        && env.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !good {
        return Err(Error::EnvName { env: env.chars().take(64).collect() });
    }
    Ok(folder.join(format!("{kind}-{env}.db")))
}

/// Makes the folder if there is none. A folder that exists keeps its mode: it may be a
/// mount that others use too; the files in it are protected each.
pub(crate) fn ensure(folder: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
    made.map_err(|error| Error::Folder { path: folder.to_owned(), reason: error.kind() })
}

/// Makes the file if there is none, refusing when others of its kind are there (R15).
pub(crate) fn claim(path: &Path, folder: &Path) -> Result<Origin, Error> {
    if path.try_exists().map_err(Error::file(path))? {
        protect(path);
        return Ok(Origin::Found);
    }
    let found = others(folder)?;
    if !found.is_empty() {
        let wanted = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(Error::OtherDatabases { wanted, folder: folder.to_owned(), found });
    }
    claim_quietly(path)
}

/// Makes the file if there is none.
pub(crate) fn claim_quietly(path: &Path) -> Result<Origin, Error> {
    match create(path) {
        Ok(_) => Ok(Origin::Created),
        // Another process was faster: its file is as good as ours.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Origin::Found),
        Err(error) => Err(Error::file(path)(error)),
    }
}

/// Makes an empty file that only we can read; SQLite gives its side files the same mode.
pub(crate) fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Waits until the file and its name are on the disk.
pub(crate) fn settle(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Takes a found file and its side files away from group and others: the Go chassis left
/// them readable. A file of somebody else stays as it is, and the log says so.
pub(crate) fn protect(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let file = with_suffix(path, suffix);
        let Ok(metadata) = fs::metadata(&file) else { continue };
        if metadata.mode() & 0o077 != 0
            && fs::set_permissions(&file, Permissions::from_mode(FILE_MODE)).is_err()
        {
            tracing::warn!(path = %file.display(), "database file is readable by others and not ours to protect");
        }
    }
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn others(folder: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |error: std::io::Error| Error::Folder { path: folder.to_owned(), reason: error.kind() };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.starts_with("runtime-") && name.ends_with(".db") {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_only_names_files() {
        let folder = Path::new("/data/db");
        assert_eq!(file_of(folder, "runtime", "dev").unwrap(), Path::new("/data/db/runtime-dev.db"));
        for bad in ["", "../dev", "a/b", ".hidden", "a b", "dev\0", &"x".repeat(65)] {
            assert!(matches!(file_of(folder, "runtime", bad), Err(Error::EnvName { .. })), "{bad:?}");
        }
    }
}
