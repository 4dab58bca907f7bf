//! `txco auth secrets init` mints where it is told, and destroys nothing by accident.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use support::{Call, Host};

use crate::TXCO;

const INIT: [&str; 5] = ["auth", "secrets", "init", "--path", "secrets/my.key"];

#[test]
fn it_mints() {
    let mut host = Host::at_rest(TXCO);
    let stdout = host.txco(&INIT).succeeds();
    assert_eq!(
        stdout,
        "wrote master key to secrets/my.key (32 bytes, 0600 perms)\n\
         next: set --secret-master-key on the chassis (or TXCO_SECRET_MASTER_KEY in its env).\n"
    );
    let metadata = host.path("secrets/my.key").metadata().unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (32, 0o600));
    assert_eq!(host.path("secrets").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    host.finish();
}

#[test]
fn the_path_may_come_from_the_environment_but_must_come() {
    let mut host = Host::at_rest(TXCO);
    let stderr = host.txco(&INIT[..3]).fails(2);
    assert!(
        stderr.contains("auth secrets init: --path is required (or set $TXCO_SECRET_MASTER_KEY)"),
        "{stderr}"
    );
    let call = Call::new(&INIT[..3]).env("TXCO_SECRET_MASTER_KEY", "from-env.key");
    host.run(&call).succeeds();
    assert_eq!(host.path("from-env.key").metadata().unwrap().len(), 32);
    host.finish();
}

#[test]
fn a_directory_is_refused_and_the_file_name_suggested() {
    let mut host = Host::at_rest(TXCO);
    for force in [&[][..], &["--force"]] {
        fs::create_dir_all(host.path("secrets")).unwrap();
        let args = [&["auth", "secrets", "init", "--path", "secrets"], force].concat();
        let stderr = host.txco(&args).fails(1);
        assert!(
            stderr.contains("auth secrets init: \"secrets\" is a directory; --path must be a file path."),
            "{stderr}"
        );
        assert!(stderr.contains("did you mean: --path secrets/txco-master.key"), "{stderr}");
        assert!(!stderr.contains("--force"), "{stderr}");
    }
    host.finish();
}

#[test]
fn an_existing_key_stays_without_force() {
    let mut host = Host::at_rest(TXCO);
    host.txco(&INIT).succeeds();
    let before = fs::read(host.path("secrets/my.key")).unwrap();
    let stderr = host.txco(&INIT).fails(1);
    assert!(
        stderr.contains("auth secrets init: \"secrets/my.key\" already exists; pass --force to replace"),
        "{stderr}"
    );
    assert_eq!(fs::read(host.path("secrets/my.key")).unwrap(), before);
    host.finish();
}

#[test]
fn force_asks_and_anything_but_overwrite_keeps_the_key() {
    let mut host = Host::at_rest(TXCO);
    host.txco(&INIT).succeeds();
    let before = fs::read(host.path("secrets/my.key")).unwrap();
    for answer in ["", "yes\n", "OVERWRITE\n"] {
        let call = Call::new(&INIT).arg("--force").stdin(answer);
        let output = host.run(&call);
        assert_eq!(output.code, Some(1));
        assert!(output.stdout.contains("Type \"overwrite\" to confirm: "), "{output:?}");
        assert_eq!(
            output.stdout.lines().filter(|line| line.starts_with("WARNING:")).count(),
            3,
            "{output:?}"
        );
        assert!(output.stdout.ends_with("aborted.\n"), "{output:?}");
        assert_eq!(fs::read(host.path("secrets/my.key")).unwrap(), before);
    }
    host.finish();
}

#[test]
fn force_keeps_the_old_key_beside_the_new_one() {
    let mut host = Host::at_rest(TXCO);
    host.txco(&INIT).succeeds();
    let before = fs::read(host.path("secrets/my.key")).unwrap();
    let call = Call::new(&INIT).arg("--force").stdin("overwrite\n");
    let stdout = host.run(&call).succeeds();
    assert!(stdout.contains("wrote master key to secrets/my.key (32 bytes, 0600 perms)"), "{stdout}");
    assert_ne!(fs::read(host.path("secrets/my.key")).unwrap(), before);
    let mut retired = host.files("secrets/my.key.d");
    retired.retain(|file| file.ends_with(".key"));
    assert_eq!(retired.len(), 1, "{retired:?}");
    assert!(retired[0].starts_with("secrets/my.key.d/retired-"), "{retired:?}");
    assert_eq!(fs::read(host.path(&retired[0])).unwrap(), before);
    host.finish();
}

#[test]
fn something_that_is_no_file_is_refused() {
    let mut host = Host::at_rest(TXCO);
    let _socket = std::os::unix::net::UnixListener::bind(host.path("socket")).unwrap();
    let stderr = host.txco(&["auth", "secrets", "init", "--path", "socket", "--force"]).fails(1);
    assert!(stderr.contains("is not a regular file") && stderr.contains("refusing to overwrite"), "{stderr}");
    host.finish();
}

#[test]
fn a_link_into_nowhere_is_not_followed_when_minting() {
    let mut host = Host::at_rest(TXCO);
    symlink(host.path("elsewhere.key"), host.path("link.key")).unwrap();
    host.txco(&["auth", "secrets", "init", "--path", "link.key"]).fails(1);
    assert!(!host.path("elsewhere.key").exists());
    host.finish();
}

#[test]
fn the_group_explains_itself() {
    let mut host = Host::at_rest(TXCO);
    for args in [&["auth", "secrets"][..], &["auth", "secrets", "help"], &["auth", "secrets", "--help"]] {
        assert!(host.txco(args).succeeds().contains("txco auth secrets"), "{args:?}");
    }
    let stderr = host.txco(&["auth", "secrets", "x"]).fails(2);
    assert!(stderr.contains("auth secrets: unknown subcommand \"x\""), "{stderr}");
    host.finish();
}
