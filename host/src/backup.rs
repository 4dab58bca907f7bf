//! Backups of both databases: a folder with whole copies, and a manifest that says what they need.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::{Database, Store};
use vault::{KeyRing, Progress, Shut, Vault, Verify};

/// What the manifest is called.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The form of the manifest that this build writes and reads.
const FORMAT: u32 = 1;
/// A manifest is short; something that is not is none.
const MOST_MANIFEST_BYTES: u64 = 1 << 20;
/// How many versions are opened between two looks at the database.
const VERSIONS_AT_ONCE: u32 = 500;

/// What a backup is, and what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The form of this file.
    pub format: u32,
    /// The txco that took it.
    pub txco: String,
    /// Whose databases.
    pub env: String,
    /// When it was taken (RFC 3339, UTC).
    pub taken_at: String,
    /// The copies.
    pub files: Vec<Copied>,
    /// Active secrets in it.
    pub secrets: u64,
    /// Versions with a value in it.
    pub versions: u64,
    /// How many versions each master key opens: without these keys they stay closed.
    pub keys: BTreeMap<String, u64>,
    /// Versions that do not name their key: those of the Go chassis.
    pub unnamed: u64,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    /// What it is called, there and where it belongs.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// Its digest, in hex.
    pub sha256: String,
}

/// Why there is no backup, or it is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// There is nothing to back up.
    #[error("{path} is not there: choose the database by --db-root-dir and --env", path = path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The place is taken.
    #[error("{path} is there and not empty; a backup goes into a folder of its own", path = path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
    },
    /// A file or folder cannot be made, read or written.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// A database says no.
    #[error("{path}: {reason}", path = path.display())]
    Database {
        /// The database, or its copy.
        path: PathBuf,
        /// What it says.
        reason: store::Error,
    },
    /// Its keys do not fit it.
    #[error("{path}: {reason}", path = path.display())]
    Keys {
        /// The database in the backup.
        path: PathBuf,
        /// What the vault says.
        reason: vault::Error,
    },
    /// The manifest is none.
    #[error("{path} is not the manifest of a backup", path = path.display())]
    NoManifest {
        /// The file.
        path: PathBuf,
    },
    /// A later txco took it.
    #[error(
        "the backup is of form {found}, and this txco reads form {FORMAT}: use the txco {txco} that took it"
    )]
    Newer {
        /// Its form.
        found: u32,
        /// Who took it.
        txco: String,
    },
    /// A file is not the one that was backed up.
    #[error("{path} is not what was backed up: {what}", path = path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
}

/// Backs the databases of `env` in `folder` up into `to`, which must not be there or be
/// empty. They may be in use. `to` has its name when it is whole.
pub(crate) fn take(folder: &Path, env: &str, to: &Path) -> Result<Manifest, BackupError> {
    if fs::read_dir(to).map_or_else(|_| to.exists(), |mut entries| entries.next().is_some()) {
        return Err(BackupError::Occupied { path: to.to_owned() });
    }
    let parent =
        to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(parent).map_err(at(parent))?;
    // Beside its place, so that it can be moved there; removed when anything fails.
    let unfinished = tempfile::Builder::new()
        .prefix(".txco-backup-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(at(parent))?;
    let taken_at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut files = Vec::new();
    let mut holdings = store::Holdings::default();
    for database in Database::ALL {
        let source = database.file(folder, env).map_err(of_database(folder))?;
        if !source.exists() {
            match database {
                Database::Runtime => return Err(BackupError::NoDatabase { path: source }),
                // Nobody is enrolled yet.
                Database::Auth => continue,
            }
        }
        let name = source.file_name().unwrap_or_default();
        let copy = unfinished.path().join(name);
        store::back_up(&source, &copy).map_err(of_database(&source))?;
        store::check_whole(&copy).map_err(of_database(&copy))?;
        if database == Database::Runtime {
            holdings = store::holdings(&copy).map_err(of_database(&copy))?;
        }
        let (bytes, sha256) = digest(&copy)?;
        files.push(Copied { name: name.to_string_lossy().into_owned(), bytes, sha256 });
    }
    let manifest = Manifest {
        format: FORMAT,
        txco: env!("CARGO_PKG_VERSION").to_owned(),
        env: env.to_owned(),
        taken_at,
        files,
        secrets: holdings.secrets,
        versions: holdings.versions,
        keys: holdings.keys.iter().map(|(key, count)| (key.to_string(), *count)).collect(),
        unnamed: holdings.unnamed,
    };
    write_manifest(&unfinished.path().join(MANIFEST), &manifest)?;
    settle(unfinished.path())?;
    fs::rename(unfinished.path(), to).map_err(at(to))?;
    // It is no temporary folder any more.
    let _moved: PathBuf = unfinished.keep();
    settle(parent)?;
    Ok(manifest)
}

/// Checks that the files of a backup are those that were backed up, whole, and hold what
/// the manifest says.
pub(crate) fn verify(backup: &Path) -> Result<Manifest, BackupError> {
    let manifest = read_manifest(&backup.join(MANIFEST))?;
    if !manifest.files.iter().any(|file| file.name == format!("runtime-{}.db", manifest.env)) {
        return Err(BackupError::NoManifest { path: backup.join(MANIFEST) });
    }
    for file in &manifest.files {
        let path = backup.join(&file.name);
        let altered = |what| BackupError::Altered { path: path.clone(), what };
        // A name is one of ours, not a way out of the folder.
        if file.name.contains('/') {
            return Err(altered("its name"));
        }
        let (bytes, sha256) = digest(&path)?;
        if bytes != file.bytes {
            return Err(altered("its length"));
        }
        if sha256 != file.sha256 {
            return Err(altered("its digest"));
        }
        store::check_whole(&path).map_err(of_database(&path))?;
        if file.name.starts_with("runtime-") {
            let found = store::holdings(&path).map_err(of_database(&path))?;
            let keys: BTreeMap<_, _> = found.keys.iter().map(|(key, n)| (key.to_string(), *n)).collect();
            let said = (manifest.secrets, manifest.versions, manifest.unnamed, &manifest.keys);
            if (found.secrets, found.versions, found.unnamed, &keys) != said {
                return Err(altered("the manifest says something else of its secrets and keys"));
            }
        }
    }
    Ok(manifest)
}

/// What opening every version of a backup came to.
pub(crate) struct Opened {
    /// How many versions opened.
    pub open: u64,
    /// How many did not.
    pub shut: u64,
    /// The first of those.
    pub first_shut: Option<Shut>,
    /// What is wrong with the audit, when something is.
    pub audit_wrong: Option<String>,
}

/// Opens every version of a backup with the keys of `ring`. What is opened is a copy: a
/// backup stays as it is.
pub(crate) fn open_all(backup: &Path, manifest: &Manifest, ring: KeyRing) -> Result<Opened, BackupError> {
    let copy = tempfile::tempdir().map_err(at(&std::env::temp_dir()))?;
    let name = format!("runtime-{}.db", manifest.env);
    let (source, file) = (backup.join(&name), copy.path().join(&name));
    fs::copy(&source, &file).map_err(at(&source))?;
    let of_vault = |reason: vault::Error| BackupError::Keys { path: source.clone(), reason };
    let (store, _) =
        Store::open(copy.path(), &manifest.env, store::Options::default()).map_err(of_database(&source))?;
    let (vault, _) = Vault::open(Arc::new(store), ring).map_err(of_vault)?;
    let mut verify = Verify::default();
    while vault.verify_step(&mut verify, VERSIONS_AT_ONCE).map_err(of_vault)? == Progress::More {}
    let audit = vault.verify_audit(None).map_err(of_vault)?;
    Ok(Opened {
        open: verify.open,
        shut: verify.shut,
        first_shut: verify.first_shut,
        audit_wrong: audit.wrong.map(|wrong| wrong.to_string()),
    })
}

fn digest(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(at(path))?;
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece).map_err(at(path))?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
        length += u64::try_from(read.len()).unwrap_or(0);
    }
    Ok((length, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn write_manifest(path: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
    let text = serde_json::to_string_pretty(manifest).map_err(|error| at(path)(error.into()))?;
    file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(at(path))
}

fn read_manifest(path: &Path) -> Result<Manifest, BackupError> {
    let mut text = String::new();
    let file = File::open(path).map_err(at(path))?;
    file.take(MOST_MANIFEST_BYTES).read_to_string(&mut text).map_err(at(path))?;
    let none = |_| BackupError::NoManifest { path: path.to_owned() };
    // Its form is asked first: that of a later txco may have other members.
    let form: serde_json::Value = serde_json::from_str(&text).map_err(none)?;
    match form.get("format").and_then(serde_json::Value::as_u64) {
        Some(found) if found > u64::from(FORMAT) => Err(BackupError::Newer {
            found: u32::try_from(found).unwrap_or(u32::MAX),
            txco: form.get("txco").and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned(),
        }),
        _ => serde_json::from_value(form).map_err(none),
    }
}

/// Waits until a folder's names are on the disk.
fn settle(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

fn at(path: &Path) -> impl Fn(io::Error) -> BackupError {
    let path = path.to_owned();
    move |reason| BackupError::File { path: path.clone(), reason }
}

fn of_database(path: &Path) -> impl Fn(store::Error) -> BackupError {
    let path = path.to_owned();
    move |reason| BackupError::Database { path: path.clone(), reason }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use model::{SecretName, TenantId};
    use vault::{By, MasterKey, SecretAddress, SecretValue};

    use super::*;

    fn set(vault: &Vault, name: &str, value: &str) {
        let (tenant, name) = (TenantId::parse("tnt_default").unwrap(), SecretName::parse(name).unwrap());
        let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
        let value = SecretValue::new(value.as_bytes().to_vec()).unwrap();
        vault.set(&address, &vault::Terms::of(By::Local), value).unwrap();
    }

    fn vault(folder: &Path) -> Vault {
        let (store, _) = Store::open(folder, "dev", store::Options::default()).unwrap();
        let key = MasterKey::from_bytes(&mut (0..32).collect::<Vec<u8>>()).ok().unwrap();
        Vault::open(Arc::new(store), key).ok().unwrap().0
    }

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (data, to) = (folder.path().join("db"), folder.path().join("deep/er/backup"));
        (folder, data, to)
    }

    #[test]
    fn a_backup_of_a_database_in_use_is_whole_and_says_what_opens_it() {
        let (_folder, data, to) = folders();
        let vault = vault(&data);
        set(&vault, "A", "first");
        set(&vault, "A", "second");
        fs::write(data.join("auth-dev.db"), "").unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let mut n = 0;
                while !stop.load(Ordering::SeqCst) {
                    set(&vault, &format!("N{n}"), "while it is backed up");
                    n += 1;
                }
            });
            let taken = take(&data, "dev", &to).unwrap();
            stop.store(true, Ordering::SeqCst);
            assert_eq!(verify(&to).unwrap(), taken);
            assert_eq!(taken.keys.values().sum::<u64>(), taken.versions);
            assert_eq!((taken.keys.len(), taken.unnamed), (1, 0));
            assert!(taken.secrets >= 1 && taken.versions == taken.secrets + 1, "{taken:?}");
            let names: Vec<_> = taken.files.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, ["runtime-dev.db", "auth-dev.db"]);
        });
        let mut there: Vec<_> = fs::read_dir(&to).unwrap().map(|e| e.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, ["auth-dev.db", MANIFEST, "runtime-dev.db"], "and nothing beside them");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&to), mode(&to.join("runtime-dev.db")), mode(&to.join(MANIFEST))),
            (0o700, 0o600, 0o600)
        );
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1, "no unfinished one is left");
    }

    /// "Is whole" says nothing of the keys: with them, every version is opened, and the backup
    /// itself is not touched.
    #[test]
    fn a_backup_is_opened_by_its_keys_and_by_no_others() {
        let (_folder, data, to) = folders();
        let vault = vault(&data);
        set(&vault, "A", "first");
        set(&vault, "A", "second");
        drop(vault);
        let manifest = take(&data, "dev", &to).unwrap();
        let ring = |first: u8| {
            let mut bytes: Vec<u8> = (0..32).collect();
            bytes[0] = first;
            KeyRing::new(MasterKey::from_bytes(&mut bytes).ok().unwrap())
        };
        let opened = open_all(&to, &manifest, ring(0)).unwrap();
        assert_eq!((opened.open, opened.shut, opened.audit_wrong), (2, 0, None));
        let other = open_all(&to, &manifest, ring(9)).unwrap();
        assert_eq!((other.open, other.shut), (0, 2));
        assert_eq!(other.first_shut.unwrap().name, "A");
        assert_eq!(verify(&to).unwrap(), manifest, "not a byte of it changed");
    }

    #[test]
    fn a_backup_never_goes_where_something_is() {
        let (_folder, data, to) = folders();
        drop(vault(&data));
        fs::create_dir_all(&to).unwrap();
        take(&data, "dev", &to).unwrap();
        assert!(matches!(take(&data, "dev", &to), Err(BackupError::Occupied { .. })));
        let file = to.join(MANIFEST);
        assert!(matches!(take(&data, "dev", &file), Err(BackupError::Occupied { .. })));
        let elsewhere = to.with_extension("2");
        assert!(matches!(take(&data, "prod", &elsewhere), Err(BackupError::NoDatabase { .. })));
        assert!(!elsewhere.exists() && !data.join("runtime-prod.db").exists());
    }

    #[test]
    fn what_is_not_what_was_backed_up_is_told() {
        let (_folder, data, to) = folders();
        let vault = vault(&data);
        set(&vault, "A", "first");
        take(&data, "dev", &to).unwrap();
        let file = to.join("runtime-dev.db");
        let good = fs::read(&file).unwrap();
        let complaint = || verify(&to).unwrap_err().to_string();

        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        fs::write(&file, &flipped).unwrap();
        assert!(
            complaint().ends_with("runtime-dev.db is not what was backed up: its digest"),
            "{}",
            complaint()
        );
        fs::write(&file, &good[..good.len() - 1]).unwrap();
        assert!(complaint().ends_with("is not what was backed up: its length"), "{}", complaint());
        fs::write(&file, &good).unwrap();
        verify(&to).unwrap();

        let manifest = fs::read_to_string(to.join(MANIFEST)).unwrap();
        let rewrite = |from: &str, into: &str| {
            assert!(manifest.contains(from), "{from}");
            fs::write(to.join(MANIFEST), manifest.replacen(from, into, 1)).unwrap();
        };
        rewrite("\"secrets\": 1", "\"secrets\": 2");
        assert!(complaint().contains("the manifest says something else"), "{}", complaint());
        rewrite("\"format\": 1", "\"format\": 2");
        assert!(matches!(verify(&to), Err(BackupError::Newer { found: 2, .. })));
        rewrite("\"name\": \"runtime-dev.db\"", "\"name\": \"../db/runtime-dev.db\"");
        assert!(matches!(verify(&to), Err(BackupError::NoManifest { .. })));
        rewrite("{", "");
        assert!(matches!(verify(&to), Err(BackupError::NoManifest { .. })));
        fs::remove_file(to.join(MANIFEST)).unwrap();
        assert!(matches!(verify(&to), Err(BackupError::File { .. })));
    }
}
