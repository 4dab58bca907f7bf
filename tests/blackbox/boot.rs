//! The chassis boots by itself and says what it did, in the words of the runbook.

use std::os::unix::fs::PermissionsExt;

use support::{Host, Request};

use crate::TXCO;

const KEY: &str = "./chassis/data/secrets/txco-master.key";
const MINTED: &str = "INFO secret store: minted new master key — BACK THIS UP; losing it makes every stored secret unrecoverable";

#[test]
fn the_first_boot_mints_a_key_and_the_second_loads_it() {
    let mut host = Host::serve(TXCO).start();
    let minted = format!("{MINTED} path={KEY}");
    let enabled = format!("INFO secret store enabled path={KEY} key_version=1");
    let log = host.log();
    let (first, second) = (log.find(&minted).expect(&log), log.find(&enabled).expect(&log));
    assert!(first < second, "{log}");

    host.stop();
    let before = host.log().len();
    host.start();
    let log = host.log()[before..].to_owned();
    assert!(log.contains(&enabled) && !log.contains("minted"), "{log}");
    host.finish();
}

#[test]
fn files_lie_where_the_runbook_says_and_are_private() {
    let host = Host::serve(TXCO).start();
    let mode = |path: &str| host.path(path).metadata().expect(path).permissions().mode() & 0o777;
    assert_eq!(mode("chassis/data/secrets/txco-master.key"), 0o600);
    assert_eq!(mode("chassis/data/secrets"), 0o700);
    assert_eq!(host.path(KEY).metadata().unwrap().len(), 32);
    assert_eq!(mode("chassis/data/db/runtime-dev.db") & 0o077, 0, "the database is nobody else's");
    host.finish();
}

#[test]
fn env_names_the_database_file() {
    let host = Host::serve(TXCO).flags(&["--env", "prod"]).start();
    assert!(host.path("chassis/data/db/runtime-prod.db").is_file());
    assert!(!host.path("chassis/data/db/runtime-dev.db").exists());
    host.finish();
}

#[test]
fn a_database_of_another_env_is_not_passed_over_in_silence() {
    let mut host = Host::serve(TXCO).start();
    host.stop();
    let stderr =
        host.txco(&["serve", "--env", "prod", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]);
    let stderr = stderr.fails(1);
    assert!(stderr.contains("runtime-dev.db"), "it names what lies there: {stderr}");
    assert!(!host.path("chassis/data/db/runtime-prod.db").exists());
    host.start();
    host.finish();
}

#[test]
fn the_verification_of_the_runbook_works_as_typed() {
    let mut host = Host::serve(TXCO).start();
    let shown = host.secrets(&["generate", "PROBE_KEY", "--tenant", "default"]).succeeds();
    let value = shown.strip_suffix('\n').expect("one line");
    assert_eq!(value.len(), 43);
    assert!(value.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'), "base64url");
    let canary = support::Canary::found("generated", value.as_bytes());
    host.guard(&canary);
    host.allow(&canary, "stdout", 1);
    let list = host.secrets(&["list", "--tenant", "default"]).succeeds();
    assert!(list.contains("PROBE_KEY"), "{list}");
    host.secrets(&["revoke", "PROBE_KEY", "--tenant", "default"]).succeeds();
    let list = host.secrets(&["list", "--tenant", "default"]).succeeds();
    assert_eq!(list, "(no secrets in tenant \"default\")\n");
    host.finish();
}

#[test]
fn without_rules_the_data_plane_answers_404_and_a_line_says_why() {
    let mut host =
        Host::with(TXCO, &["serve", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]).start();
    assert_eq!(host.web(&Request::new("GET", "/")).status, 404);
    host.wait_log("--workspace");
    host.finish();
}

#[test]
fn health_is_answered_without_rules_running() {
    let mut host = Host::serve(TXCO).start();
    assert_eq!(host.web(&Request::new("GET", "/healthz")).status, 200);
    assert_eq!(host.admin(&Request::new("GET", "/healthz")).status, 200);
    host.finish();
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut host = Host::at_rest(TXCO);
    let stderr = host.txco(&["serve", "--web-addr", &address, "--admin-addr", "127.0.0.1:0"]).fails(1);
    let about: Vec<_> = stderr.lines().filter(|line| line.contains(&address)).collect();
    assert_eq!(about.len(), 1, "{stderr}");
    assert!(about[0].contains("in use"), "{stderr}");
    host.finish();
}

#[test]
fn an_unusable_folder_is_one_clear_line() {
    let mut host = Host::at_rest(TXCO);
    host.write("chassis/data/db", "a file where the folder should be");
    let stderr = host.txco(&["serve", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]).fails(1);
    assert!(stderr.contains("chassis/data/db"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    host.finish();
}

#[test]
fn the_admin_head_is_loopback_unless_told_otherwise_and_then_it_refuses() {
    let mut host = Host::at_rest(TXCO);
    let stderr = host.txco(&["serve", "--web-addr", "127.0.0.1:0", "--admin-addr", "0.0.0.0:0"]).fails(1);
    assert!(stderr.contains("--admin-addr"), "{stderr}");
    host.finish();
}
