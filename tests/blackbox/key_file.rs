//! A key file that is not right turns the secret store off, loudly, and leaves the data plane up.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use support::{Builder, Host, Request};

use crate::TXCO;

const KEY: &str = "chassis/data/secrets/txco-master.key";
const DISABLED: &str =
    "WARN secret store disabled: master key load failed path=./chassis/data/secrets/txco-master.key err=";

fn needs_a_secret() -> Builder {
    let rule = "WHEN @web.req.url.path == \"/secret\"\n\
                WITH secrets.key.secret = \"ANY\", input_path = \"body\"\nEXEC \"txco://hmac-sign\"\n";
    let hello = "WHEN @web.req.url.path == \"/hello\"\nEMIT .hello = \"world\"\n";
    Host::serve(TXCO).rule("OPS/web/100/secret.txcl", rule).rule("OPS/web/100/hello.txcl", hello)
}

/// The store is off for `reason`; everything else works.
#[track_caller]
fn is_off(mut host: Host, reason: &str) {
    let line = host.wait_log(DISABLED);
    assert!(line.contains(reason), "{line}");
    let hello = host.web(&Request::new("GET", "/hello"));
    assert_eq!((hello.status, &hello.json()["hello"]), (200, &"world".into()));
    let refused = host.event("/secret", &serde_json::json!("x"));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("secret_store_unavailable") && !refused.text().contains("ANY"));
    let admin = host.admin(&Request::new("GET", "/v1/tenants/default/secrets"));
    assert_eq!((admin.status, &admin.json()["error"]), (503, &"secret_store_unavailable".into()));
    let hint = "set --secret-master-key on the chassis (or TXCO_SECRET_MASTER_KEY in env)";
    assert_eq!(admin.json()["detail"]["hint"], hint);
    host.finish();
}

#[test]
fn permissions_for_others() {
    let mut host = needs_a_secret().start();
    host.stop();
    fs::set_permissions(host.path(KEY), fs::Permissions::from_mode(0o644)).unwrap();
    host.start();
    is_off(host, "must have 0600 perms, got 644");
}

#[test]
fn a_wrong_size() {
    let host = needs_a_secret().file(KEY, [7; 31]);
    let mut host = private(host);
    host.start();
    is_off(host, "must be exactly 32 bytes, got 31");
}

#[test]
fn a_directory() {
    let host = needs_a_secret().file(&format!("{KEY}/file"), "x").start();
    is_off(host, "is not a regular file");
}

#[test]
fn an_empty_path_turns_the_store_off_without_a_warning() {
    let mut host = needs_a_secret().flags(&["--secret-master-key", ""]).start();
    assert_eq!(host.event("/secret", &serde_json::json!("x")).status, 503);
    assert!(!host.log().contains("WARN secret store"), "{}", host.log());
    assert!(!host.path(KEY).exists());
    host.finish();
}

#[test]
fn a_link_to_the_key_is_followed() {
    let mut host = needs_a_secret().start();
    host.stop();
    fs::rename(host.path(KEY), host.path("mounted.key")).unwrap();
    std::os::unix::fs::symlink(host.path("mounted.key"), host.path(KEY)).unwrap();
    host.start();
    host.wait_log("INFO secret store enabled");
    host.finish();
}

#[test]
fn a_missing_key_is_not_minted_over_ciphertext() {
    let mut host = needs_a_secret().start();
    host.store("ANY");
    host.stop();
    fs::rename(host.path(KEY), host.path("kept.key")).unwrap();
    host.start();
    let line = host.wait_log(DISABLED);
    assert!(line.contains("backup") && line.contains("txco auth secrets init"), "the two ways on: {line}");
    assert!(!host.path(KEY).exists(), "nothing was minted");
    assert_eq!(host.event("/secret", &serde_json::json!("x")).status, 503);

    host.stop();
    fs::rename(host.path("kept.key"), host.path(KEY)).unwrap();
    host.start();
    assert_eq!(host.event("/secret", &serde_json::json!("x")).status, 200);
    host.finish();
}

/// A store that was off at the start comes on at SIGHUP, when its key is there.
#[test]
fn a_key_that_comes_later_turns_the_store_on_at_sighup() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    host.stop();
    let (key, aside) = (host.path("chassis/data/secrets/txco-master.key"), host.path("aside.key"));
    fs::rename(&key, &aside).unwrap();
    host.start();
    assert!(host.secrets(&["list"]).fails(1).contains("secret_store_unavailable"));
    host.logs_after("master key load failed", |host| host.signal(rustix::process::Signal::HUP));
    fs::rename(&aside, &key).unwrap();
    host.logs_after("secret store enabled", |host| host.signal(rustix::process::Signal::HUP));
    assert!(host.secrets(&["show", "A_KEY"]).succeeds().contains("v1"));
    host.store("B_KEY");
    let ready = host.admin(&Request::new("GET", "/readyz"));
    assert!(ready.text().contains("\"secret_store\":\"on\""), "{}", ready.text());
    host.finish();
}

#[test]
fn another_key_is_noticed_at_boot_and_set_starts_over() {
    let mut host = needs_a_secret().start();
    let old = host.store("ANY");
    host.stop();
    fs::remove_file(host.path(KEY)).unwrap();
    host.txco(&["auth", "secrets", "init", "--path", KEY]).succeeds();
    host.start();
    host.wait_log("INFO secret store enabled");
    let warning = host.wait_log("WARN secret store: ");
    assert!(warning.contains('1'), "how many rows it does not open: {warning}");
    let refused = host.event("/secret", &serde_json::json!("x"));
    assert_eq!(refused.status, 500);
    assert!(refused.text().contains("secret_unavailable"), "{}", refused.text());

    let new = host.canary("the new one");
    let call = host.secrets_call(&["set", "ANY"]).stdin(new.text());
    host.run(&call).succeeds();
    assert_eq!(host.event("/secret", &serde_json::json!("x")).status, 200);
    assert_ne!(old.text(), new.text());
    host.finish();
}

#[test]
fn the_variable_names_the_file_and_parents_are_made() {
    let host = Host::serve(TXCO).env("TXCO_SECRET_MASTER_KEY", "deep/er/my.key").start();
    let mode = |path: &str| host.path(path).metadata().expect(path).permissions().mode() & 0o777;
    assert_eq!((mode("deep/er/my.key"), mode("deep/er"), mode("deep")), (0o600, 0o700, 0o700));
    host.finish();
}

#[test]
fn an_inline_key_wins_and_is_never_printed() {
    let mut key = [0; 32];
    getrandom::fill(&mut key).unwrap();
    let mut host = Host::serve(TXCO).env("TXCO_SECRET_MASTER_KEY_B64", &BASE64_STANDARD.encode(key)).start();
    host.guard(&support::Canary::found("inline key", &key));
    let line = host.wait_log("INFO secret store enabled");
    assert!(line.contains("inline:TXCO_SECRET_MASTER_KEY_B64"), "{line}");
    assert!(!host.path(KEY).exists());
    host.store("ANY");
    host.finish();
}

/// Writes happen with the test's umask: the key file is made private before the start.
fn private(builder: Builder) -> Host {
    let host = builder.at_rest();
    fs::set_permissions(host.path(KEY), fs::Permissions::from_mode(0o600)).unwrap();
    host
}
