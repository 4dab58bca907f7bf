//! Where a master key may come from: a descriptor, a credential, the environment, a file that a passphrase opens.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use support::{Call, Host};

use crate::TXCO;

const KEY: &str = "chassis/data/secrets/txco-master.key";
const SERVE: [&str; 5] = ["serve", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];

fn random() -> [u8; 32] {
    let mut key = [0; 32];
    getrandom::fill(&mut key).unwrap();
    key
}

/// `txco` with what a shell puts behind it, such as `3< key`.
fn in_a_shell(flags: &[&str], redirected: &str) -> support::Builder {
    let line = format!("exec \"$@\" {redirected}");
    Host::with("/bin/sh", &[&["-c", &line, "sh", TXCO][..], &SERVE, flags].concat())
}

fn private(host: &Host, path: &str, mode: u32) {
    fs::set_permissions(host.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// Weakness K5: the inline key stayed in the environment, for every child and every reader of /proc.
#[test]
fn k5_an_inline_key_is_wiped_from_the_environment() {
    let key = BASE64_STANDARD.encode(random());
    let mut host =
        Host::with(TXCO, &SERVE).env("TXCO_SECRET_MASTER_KEY_B64", &key).env("TXCO_ENV", "prod").start();
    host.wait_log("INFO secret store enabled path=inline:TXCO_SECRET_MASTER_KEY_B64");
    match fs::read(format!("/proc/{}/environ", host.pid())) {
        Ok(environment) => {
            let text = String::from_utf8_lossy(&environment);
            assert!(text.contains("TXCO_ENV=prod"), "the environment was read");
            assert!(text.contains("TXCO_SECRET_MASTER_KEY_B64=\0") && !text.contains(&key));
        }
        // Who is not root cannot read that of an undumpable process: nothing is shown.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
    host.finish();
}

#[test]
fn a_read_only_source_is_not_rotated_and_the_steps_are_told() {
    let (old, new) = (BASE64_STANDARD.encode(random()), BASE64_STANDARD.encode(random()));
    let mut host = Host::with(TXCO, &SERVE).env("TXCO_SECRET_MASTER_KEY_B64", &old).start();
    host.store("ANY");
    let with = |args: &[&str], keys: &str| {
        Call::new(&[&["auth", "secrets"], args].concat()).env("TXCO_SECRET_MASTER_KEY_B64", keys)
    };
    let stderr = host.run(&with(&["rotate"], &old)).fails(1);
    assert!(
        stderr.contains("is read-only here") && stderr.contains("TXCO_SECRET_MASTER_KEY_B64=NEW,OLD"),
        "{stderr}"
    );
    host.stop();
    // The steps, taken.
    let both = format!("{new},{old}");
    assert!(host.run(&with(&["rewrap"], &both)).succeeds().starts_with("1 rows moved"));
    assert!(host.run(&with(&["verify"], &new)).succeeds().starts_with("1 of 1 "));
    let stderr = host.run(&with(&["verify"], &old)).fails(1);
    assert!(stderr.contains("restore that key"), "{stderr}");
    host.finish();
}

#[test]
fn a_key_comes_through_a_descriptor() {
    let (old, new) = (random(), random());
    let host = in_a_shell(&["--secret-master-key-fd", "3"], "3< both");
    let mut host = host.file("both", [new, old].concat()).start();
    host.wait_log("INFO secret store enabled path=descriptor:3 key_version=1");
    host.wait_log("INFO secret store: key ring");
    assert!(!host.path(KEY).exists());
    host.finish();
}

#[test]
fn what_is_no_key_in_a_descriptor_turns_the_store_off() {
    let host = in_a_shell(&["--secret-master-key-fd", "3"], "3< both");
    let mut host = host.file("both", [7; 33]).start();
    let line = host.wait_log("WARN secret store disabled: master key load failed");
    assert!(line.contains("expected 32 bytes for each of 1 to 64 keys, got 33"), "{line}");
    host.finish();
    let mut host = Host::with(TXCO, &[&SERVE[..], &["--secret-master-key-fd", "77"]].concat()).start();
    let line = host.wait_log("WARN secret store disabled: master key load failed");
    assert!(line.contains("descriptor 77"), "{line}");
    host.finish();
}

#[test]
fn a_systemd_credential_wins_over_the_file_and_may_be_a_ring() {
    let (old, new) = (random(), random());
    let host = Host::with(TXCO, &SERVE).env("CREDENTIALS_DIRECTORY", "credentials");
    let mut host = host.file("credentials/txco-master.key", old).at_rest();
    // root's, readable by the service through an access list whose mask the group bits show.
    private(&host, "credentials/txco-master.key", 0o440);
    host.start();
    host.wait_log("INFO secret store enabled path=credentials/txco-master.key");
    host.store("ANY");
    assert!(!host.path(KEY).exists());
    host.stop();

    let status =
        Call::new(&["auth", "secrets", "status", "--json"]).env("CREDENTIALS_DIRECTORY", "credentials");
    let told: serde_json::Value = serde_json::from_str(&host.run(&status).succeeds()).unwrap();
    let old_id = told["keys"][0]["key_id"].as_str().unwrap().to_owned();
    fs::rename(
        host.path("credentials/txco-master.key"),
        host.path(&format!("credentials/txco-master.key.d_{old_id}.key")),
    )
    .unwrap();
    host.write("credentials/txco-master.key", new);
    private(&host, "credentials/txco-master.key", 0o400);
    host.start();
    host.wait_log("INFO secret store: key ring");
    assert!(!host.log().contains("do not open"), "{}", host.log());
    let rotate = Call::new(&["auth", "secrets", "rotate"]).env("CREDENTIALS_DIRECTORY", "credentials");
    let stderr = host.run(&rotate).fails(1);
    assert!(stderr.contains("LoadCredential=txco-master.key.d:FILE.d"), "{stderr}");
    host.finish();
}

/// Weakness K7: there was no provider but a file and a variable.
#[test]
fn k7_a_key_is_sealed_by_a_passphrase_and_unlocked_by_a_descriptor_or_a_prompt() {
    let mut host = in_a_shell(&["--secret-passphrase-fd", "4"], "4< passphrase")
        .file("passphrase", "correct horse\n")
        .at_rest();
    let txco = |host: &Host, args: &[&str]| {
        let call = Call::new(&["-c", "exec \"$@\"", "sh", TXCO, "auth", "secrets"]);
        host.on_terminal(&args.iter().fold(call, |call, arg| call.arg(arg)))
    };
    let mut terminal = txco(&host, &["init", "--path", KEY, "--sealed"]);
    terminal.expect("passphrase for the master key: ").type_in("correct horse\r");
    terminal.expect("the same again: ").type_in("correct horse\r");
    let said = host.end_of(terminal).succeeds();
    assert!(
        said.starts_with(&format!("wrote master key to {KEY} (sealed by a passphrase, 0600 perms)")),
        "{said}"
    );

    host.start();
    host.wait_log("INFO secret store enabled");
    host.stop();
    // Rotated after one question; the chassis reads the next key without one.
    host.start();
    let mut terminal = txco(&host, &["rotate"]);
    terminal.expect("passphrase of ").type_in("correct horse\r");
    let said = host.end_of(terminal).succeeds();
    assert!(said.starts_with("rotated: key "), "{said}");
    host.logs_after("key ring read again", |host| host.signal(rustix::process::Signal::HUP));
    host.stop();

    host.write("passphrase", "correct house\n");
    host.start();
    let line = host.wait_log("WARN secret store disabled: master key load failed");
    assert!(line.contains("the passphrase does not open the sealed key"), "{line}");
    host.finish();
}

#[test]
fn a_sealed_key_without_its_passphrase_turns_the_store_off_and_says_what_to_do() {
    let mut host = in_a_shell(&[], "").at_rest();
    let call = "exec \"$@\" 3< passphrase";
    host.write("passphrase", "correct horse");
    let init = ["auth", "secrets", "init", "--path", KEY, "--sealed", "--passphrase-fd", "3"];
    host.txco(&[&["-c", call, "sh", TXCO][..], &init].concat()).succeeds();
    host.start();
    let line = host.wait_log("WARN secret store disabled: master key load failed");
    assert!(line.contains("is sealed by a passphrase") && line.contains("--secret-passphrase-fd"), "{line}");
    host.finish();
}
