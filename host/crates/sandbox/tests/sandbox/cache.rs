//! Compiled code between starts: found again, and believed only under its MAC.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sandbox::{CodeCache, Limits, Ready, Sandbox, Trust};
use vault::MasterKey;

use crate::bench::{dialled, guest, master_key, name};

fn start(folder: &Path) -> Ready {
    start_under(&master_key(), folder)
}

fn start_under(key: &MasterKey, folder: &Path) -> Ready {
    let key = key.code_cache_key().ok().unwrap();
    let cache = CodeCache::At { folder: folder.to_owned(), key };
    let sandbox = Sandbox::new(Limits::default(), cache).unwrap();
    let op = sandbox.load(name("memory"), &guest("memory"), Trust::Tenant).unwrap();
    assert!(dialled(&op, 2).is_ok(), "what came from the cache does not run");
    sandbox.ready()
}

const COMPILED: Ready = Ready { compiled: 1, cached: 0 };
const CACHED: Ready = Ready { compiled: 0, cached: 1 };

#[test]
fn a_second_start_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("code");
    assert_eq!([start(&folder), start(&folder), start(&folder)], [COMPILED, CACHED, CACHED]);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_changed_file_is_compiled_again_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path());
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    for at in [0, 31, 32, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&file, changed).unwrap();
        assert_eq!([start(folder.path()), start(folder.path())], [COMPILED, CACHED], "byte {at}");
    }
    for cut in [0, 10, 32, whole.len() - 1] {
        fs::write(&file, &whole[..cut]).unwrap();
        assert_eq!(start(folder.path()), COMPILED, "cut to {cut} bytes");
    }
}

#[test]
fn code_of_one_op_is_not_taken_for_another() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path());
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let own = file.file_name().unwrap().to_str().unwrap();
    let others = own.replacen(own.get(..64).unwrap(), &"0".repeat(64), 1);
    fs::rename(&file, folder.path().join(&others)).unwrap();
    assert_eq!(start(folder.path()), COMPILED);
    // Moved back under a name it was not made for, authentic bytes and all.
    fs::rename(folder.path().join(&others), &file).unwrap();
    assert_eq!(start(folder.path()), CACHED);
    let key = master_key().code_cache_key().ok().unwrap();
    let sandbox =
        Sandbox::new(Limits::default(), CodeCache::At { folder: folder.path().to_owned(), key }).unwrap();
    sandbox.load(name("spin"), &guest("spin"), Trust::Tenant).unwrap();
    let spin =
        fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().path()).find(|path| *path != file).unwrap();
    fs::copy(&spin, &file).unwrap();
    assert_eq!(start(folder.path()), COMPILED);
}

/// Under another master key nothing of it is believed, and nothing of it stays.
#[test]
fn what_was_compiled_under_another_key_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let other = MasterKey::from_bytes(&mut b"another key: not that of a bench".to_owned()).ok().unwrap();
    start(folder.path());
    let names = || {
        let files = fs::read_dir(folder.path()).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let before = names();
    fs::write(folder.path().join("0-0.cwasm"), "an earlier txco named no key").unwrap();
    fs::write(folder.path().join("notes.txt"), "somebody's").unwrap();
    assert_eq!([start_under(&other, folder.path()), start_under(&other, folder.path())], [COMPILED, CACHED]);
    let after = names();
    assert!(after.len() == 2 && after.contains(&"notes.txt".to_owned()), "{after:?}");
    assert!(before.iter().all(|name| !after.contains(name)), "{before:?} {after:?}");
}
