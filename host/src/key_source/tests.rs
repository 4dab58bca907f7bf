//! The rules of the key file, one by one, on real files.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::config::ServeFlags;

const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The settings of a chassis, and what is read of them.
fn source(flags: &[(&str, &str)]) -> KeySource {
    let mut typed = ServeFlags::default();
    for (flag, value) in flags {
        let place = match *flag {
            "secret-master-key" => &mut typed.secret_master_key,
            "secret-master-key-b64" => &mut typed.secret_master_key_b64,
            "secret-master-key-fd" => &mut typed.secret_master_key_fd,
            "secret-passphrase-fd" => &mut typed.secret_passphrase_fd,
            "secret-master-key-credential" => &mut typed.secret_master_key_credential,
            "credentials-directory" => &mut typed.credentials_directory,
            other => panic!("{other}"),
        };
        place.push((*value).to_owned());
    }
    let none = std::collections::BTreeMap::<&str, &str>::new();
    KeySource::of(&mut Config::read(typed, &none, &Vec::new()).unwrap())
}

fn file(path: &Path) -> KeySource {
    source(&[("secret-master-key", path.to_str().unwrap())])
}

fn nobody(path: &Path) -> Result<Passphrase, KeyError> {
    Err(KeyError::Locked(path.to_owned()))
}

fn obtain(path: &Path) -> Result<Option<Obtained>, KeyError> {
    file(path).obtain(IfMissing::Mint, &mut nobody)
}

fn active(path: &Path) -> String {
    obtain(path).unwrap().unwrap().ring.active().id().to_string()
}

fn error(path: &Path) -> String {
    obtain(path).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn a_missing_key_is_minted_once_for_its_owner_alone() {
    let folder = folder();
    let path = folder.path().join("a/b/txco-master.key");
    let first = obtain(&path).unwrap().unwrap();
    assert!(first.minted);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(&path).unwrap().len(), 32);
    for parent in ["a", "a/b"] {
        assert_eq!(fs::metadata(folder.path().join(parent)).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    let second = obtain(&path).unwrap().unwrap();
    assert!(!second.minted);
    assert_eq!(first.ring.ids(), second.ring.ids());
}

#[test]
fn a_missing_key_beside_ciphertext_is_not_minted_over() {
    let folder = folder();
    let path = folder.path().join("txco-master.key");
    let error = file(&path).obtain(IfMissing::RefuseBesideCiphertext, &mut nobody).err().unwrap().to_string();
    assert!(error.contains("restore the file from its backup"), "{error}");
    assert!(error.contains("txco auth secrets init --path"), "{error}");
    assert!(!path.exists());
}

/// Weakness K6: it is the open file that is looked at: its kind, mode, owner and length.
#[test]
fn what_is_no_key_is_told_by_name() {
    let folder = folder();
    let path = folder.path().join("k");
    write(&path, &KEY, 0o644);
    assert_eq!(
        error(&path),
        format!(
            "secrets: master key file is malformed: {path:?} must have 0600 perms, got 644 (chmod 600 {})",
            path.display()
        )
    );
    write(&path, &[7; 31], 0o600);
    assert_eq!(
        error(&path),
        format!(
            "secrets: master key file is malformed: {path:?} must be exactly 32 bytes, got 31 (move it away and bring it back from its backup)"
        )
    );
    assert_eq!(
        error(folder.path()),
        format!("secrets: master key file is malformed: {:?} is not a regular file", folder.path())
    );
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    assert!(error(&pipe).ends_with("is not a regular file"));
}

#[test]
fn the_mode_0400_is_fine_and_so_is_a_link() {
    let folder = folder();
    let path = folder.path().join("k");
    write(&path, &KEY, 0o400);
    assert!(obtain(&path).is_ok());
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(obtain(&link).is_ok());
}

#[test]
fn a_link_to_nowhere_is_not_minted_through() {
    let folder = folder();
    let link = folder.path().join("link");
    symlink(folder.path().join("elsewhere"), &link).unwrap();
    assert!(error(&link).contains("write master key"));
    assert!(!folder.path().join("elsewhere").exists());
}

#[test]
fn a_folder_that_others_may_write_to_is_told() {
    let folder = folder();
    let path = folder.path().join("k");
    write(&path, &KEY, 0o600);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(obtain(&path).unwrap().unwrap().open_folder, None);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o720)).unwrap();
    let told = obtain(&path).unwrap().unwrap().open_folder;
    assert_eq!(told, Some(fs::canonicalize(folder.path()).unwrap()));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn replacing_keeps_the_old_key_out_of_use() {
    let folder = folder();
    let path = folder.path().join("k");
    write(&path, &KEY, 0o600);
    let old = active(&path);
    let kept = KeyFiles::at(&path).start_over(None).unwrap();
    assert_eq!(kept, PathBuf::from(format!("{}.d/retired-{old}.key", path.display())));
    assert_eq!(fs::read(&kept).unwrap(), KEY);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_ne!(active(&path), old);
    write(&path, b"not a key", 0o600);
    let kept = KeyFiles::at(&path).start_over(None).unwrap();
    assert!(kept.to_string_lossy().contains("retired-malformed-"));
    assert_eq!(fs::read(&kept).unwrap(), b"not a key");
}

#[test]
fn replacing_through_a_link_keeps_the_link() {
    let folder = folder();
    let (path, link) = (folder.path().join("k"), folder.path().join("link"));
    write(&path, &KEY, 0o600);
    symlink(&path, &link).unwrap();
    KeyFiles::at(&link).start_over(None).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_ne!(fs::read(&path).unwrap(), KEY);
}

#[test]
fn minting_never_overwrites() {
    let folder = folder();
    let path = folder.path().join("k");
    write(&path, &KEY, 0o600);
    assert!(KeyFiles::at(&path).mint(None).is_err());
    assert_eq!(fs::read(&path).unwrap(), KEY);
}

fn inline(text: &str) -> Result<String, String> {
    let source = source(&[("secret-master-key-b64", text), ("secret-master-key", "/nowhere")]);
    match source.obtain(IfMissing::Refuse, &mut nobody) {
        Ok(obtained) => Ok(obtained.map(|o| o.ring.active().id().to_string()).unwrap_or_default()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn an_inline_key_in_four_spellings_and_no_fall_back_to_the_file() {
    let padded = "-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8=";
    let id = inline(padded).unwrap();
    for same in [
        padded.trim_end_matches('=').to_owned(),
        padded.replace('-', "+").replace('_', "/"),
        padded.replace('-', "+").replace('_', "/").replace('=', ""),
        format!("{padded}\n"),
    ] {
        assert_eq!(inline(&same).unwrap(), id);
    }
    let prefix = "secrets: master key file is malformed: TXCO_SECRET_MASTER_KEY_B64:";
    assert_eq!(inline("!!").unwrap_err(), format!("{prefix} not valid base64"));
    assert_eq!(
        inline("AAAA").unwrap_err(),
        format!("{prefix} inline master key must decode to 32 bytes, got 3")
    );
}

/// Weakness K7: a program that embeds the chassis gives the keys from wherever it keeps them.
#[test]
fn k7_an_embedder_provides_the_keys() {
    struct Kms(bool);
    impl KeyProvider for Kms {
        fn ring(&self) -> Result<KeyRing, ProviderError> {
            let mut key: Vec<u8> = (0..32).collect();
            if self.0 {
                Ok(KeyRing::new(vault::MasterKey::from_bytes(&mut key)?))
            } else {
                Err("no network".into())
            }
        }

        fn changed(&self) -> bool {
            false
        }
    }
    let source = |works| KeySource::provided(Box::new(Kms(works)));
    assert_eq!(source(true).label(), "provider");
    let obtained = source(true).obtain(IfMissing::Mint, &mut nobody).unwrap().unwrap();
    assert!(obtained.provider.is_some() && !obtained.minted);
    let error = source(false).obtain(IfMissing::Mint, &mut nobody).err().unwrap().to_string();
    assert_eq!(error, "secrets: the key provider gave no keys: no network");
}

#[test]
fn nothing_configured_is_off() {
    assert!(file(Path::new("")).obtain(IfMissing::Mint, &mut nobody).unwrap().is_none());
}

#[test]
fn older_inline_keys_stand_behind_commas() {
    let keys =
        ["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQI=", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQM="];
    let source = source(&[("secret-master-key-b64", &keys.join(","))]);
    let ring = source.obtain(IfMissing::Refuse, &mut nobody).unwrap().unwrap().ring;
    assert_eq!(ring.ids().len(), 2);
    assert_eq!(ring.active().id().to_string(), inline(keys[0]).unwrap());
}

/// A credential that somebody named is not replaced by a file that would be minted.
#[test]
fn a_named_credential_that_is_not_there_is_told() {
    let folder = folder();
    let path = folder.path().join("k");
    let directory = folder.path().to_str().unwrap().to_owned();
    let flags = [("secret-master-key", path.to_str().unwrap()), ("secret-master-key-credential", "mk")];
    let told = |flags: &[(&str, &str)]| {
        source(flags).obtain(IfMissing::Mint, &mut nobody).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(told(&flags).contains("\"$CREDENTIALS_DIRECTORY/mk\""), "{}", told(&flags));
    let there = [flags[0], flags[1], ("credentials-directory", &directory)];
    assert!(told(&there).contains(&format!("{directory}/mk")), "{}", told(&there));
    assert!(!path.exists(), "nothing was minted");
    // The name that nobody says is looked for, and no more.
    assert!(source(&flags[..1]).obtain(IfMissing::Mint, &mut nobody).unwrap().is_some_and(|one| one.minted));
}
