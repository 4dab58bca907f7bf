//! The ring on disk, step by step, on real files.

use std::os::unix::fs::PermissionsExt as _;

use vault::Passphrase;

use super::*;

struct Ring {
    folder: tempfile::TempDir,
    files: KeyFiles,
}

fn ring() -> Ring {
    let folder = tempfile::tempdir().unwrap();
    let files = KeyFiles::at(&folder.path().join("k"));
    files.mint(None).unwrap();
    Ring { folder, files }
}

fn nobody(path: &Path) -> Result<Passphrase, KeyError> {
    Err(KeyError::Locked(path.to_owned()))
}

fn load(files: &KeyFiles) -> Loaded {
    files.load(None, &mut nobody).unwrap()
}

fn rotate(files: &KeyFiles) -> Rotated {
    files.rotate(&load(files).ring, None).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn rotating_keeps_every_key_and_puts_the_new_one_first() {
    let Ring { files, folder } = ring();
    let first = load(&files).ring.active().id();
    let one = rotate(&files);
    let two = rotate(&files);
    assert_eq!((one.old, two.old), (first, one.new));
    let ids = load(&files).ring.ids();
    assert_eq!(ids[0], two.new);
    assert!(ids.len() == 3 && ids.contains(&first) && ids.contains(&one.new));
    assert_eq!(names(folder.path()), ["k", "k.d"], "no temporary file is left");
    for id in ids {
        let mode = fs::metadata(files.ring_file(id)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

/// Weakness K2: what a kill between two steps of a rotation leaves behind is a ring that works.
#[test]
fn k2_after_each_step_of_a_rotation_the_old_key_is_there() {
    let Ring { files, folder: _folder } = ring();
    let old = load(&files).ring;
    let old = old.active();
    let still = |step: &str| assert!(load(&files).ring.find(old.id()).is_some(), "{step}");
    make_folder(&files.folder()).unwrap();
    still("the folder");
    files.keep(old, None).unwrap();
    still("the old key in the ring");
    let new = MasterKey::mint().unwrap();
    files.keep(&new, None).unwrap();
    still("the new key in the ring");
    assert_eq!(load(&files).ring.active().id(), old.id(), "and not in use before it is in its place");
    fs::write(files.folder().join(".txco-key-killed"), [7; 5]).unwrap();
    still("a temporary file that was killed");
    files.activate(&new, None).unwrap();
    still("the new key in its place");
    assert_eq!(load(&files).ring.active().id(), new.id());
    // And a rotation that was killed is simply rotated again.
    rotate(&files);
    still("rotated again");
}

#[test]
fn a_file_under_another_keys_name_is_left_out_and_told() {
    let Ring { files, folder: _folder } = ring();
    let Rotated { old, new } = rotate(&files);
    fs::copy(files.ring_file(new), files.ring_file(old)).unwrap();
    let loaded = load(&files);
    assert_eq!(loaded.ring.ids(), [new]);
    let told = loaded.left_out[0].to_string();
    assert!(told.ends_with(&format!("holds key {new}, not the one in its name")), "{told}");
    fs::set_permissions(files.ring_file(old), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(load(&files).left_out[0].to_string().contains("must have 0600 perms"));
}

#[test]
fn one_command_at_a_time() {
    let Ring { files, folder: _folder } = ring();
    let _other = files.alone().unwrap();
    let refused = files.rotate(&load(&files).ring, None).err().unwrap();
    assert!(matches!(refused, KeyError::InUse(folder) if folder == files.folder()));
}

#[test]
fn the_stamp_changes_with_the_active_key() {
    let Ring { files, folder: _folder } = ring();
    let before = files.stamp();
    assert!(before.is_some() && before == files.stamp());
    rotate(&files);
    assert_ne!(before, files.stamp());
}

#[test]
fn starting_over_takes_the_key_out_of_the_ring_and_reinstating_brings_it_back() {
    let Ring { files, folder: _folder } = ring();
    let Rotated { old, new } = rotate(&files);
    let kept = files.start_over(None).unwrap();
    assert_eq!(kept, files.retired_file(new));
    let ids = load(&files).ring.ids();
    assert!(ids.len() == 2 && ids.contains(&old) && !ids.contains(&new), "the others still open");
    assert_eq!(files.retired_ids().unwrap(), [new]);

    let Retired { keys, left_out } = files.retired(None, &mut nobody).unwrap();
    assert!(left_out.is_empty());
    for (key, path) in keys {
        files.reinstate(&key, &path, None).unwrap();
    }
    assert!(load(&files).ring.find(new).is_some());
    assert_eq!(files.retired_ids().unwrap(), []);
}

#[test]
fn keys_of_a_backup_join_the_ring_and_the_active_key_stays() {
    let (mine, other) = (ring(), ring());
    rotate(&other.files);
    let restored = || Restored { ring: load(&other.files).ring, retired: vec![MasterKey::mint().unwrap()] };
    let present = load(&mine.files).ring;
    let adopted = mine.files.adopt(&restored(), Some(&present), None).unwrap();
    assert_eq!((adopted.added.len(), adopted.retired.len(), adopted.active), (2, 1, None));
    assert_eq!(load(&mine.files).ring.active().id(), present.active().id());
    assert_eq!(load(&mine.files).ring.ids().len(), 3);
    let again = mine.files.adopt(&restored(), Some(&load(&mine.files).ring), None).unwrap();
    assert!(again.added.is_empty());

    let empty = tempfile::tempdir().unwrap();
    let files = KeyFiles::at(&empty.path().join("a/k"));
    let adopted = files.adopt(&restored(), None, None).unwrap();
    assert_eq!(adopted.active, Some(load(&other.files).ring.active().id()));
    assert_eq!(load(&files).ring.ids(), load(&other.files).ring.ids());
}

#[test]
fn a_sealed_ring_is_unlocked_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = KeyFiles::at(&folder.path().join("k"));
    let passphrase = || Passphrase::new(b"correct horse");
    let unlocked = Unlocked::fresh(&passphrase().unwrap()).unwrap();
    let first = files.mint(Some(&unlocked)).unwrap();
    assert!(vault::is_sealed(&fs::read(files.path()).unwrap()));
    assert!(matches!(files.load(None, &mut nobody).err().unwrap(), KeyError::Locked(_)));

    let mut asked = 0;
    let mut ask = |_: &Path| {
        asked += 1;
        passphrase().map_err(KeyError::Refused)
    };
    let loaded = files.load(None, &mut ask).unwrap();
    files.rotate(&loaded.ring, loaded.unlocked.as_deref()).unwrap();
    let again = files.load(loaded.unlocked, &mut ask).unwrap();
    assert_eq!(asked, 1);
    assert!(again.ring.ids().len() == 2 && again.ring.find(first).is_some());
    for id in again.ring.ids() {
        assert!(vault::is_sealed(&fs::read(files.ring_file(id)).unwrap()));
    }
}
