//! `txco dev` keeps everything in the workspace's own folder and tells what to do when there is none.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use support::{Host, Request};

use crate::TXCO;

const HELLO: &str = "EMIT .hello = \"world\"\n";

#[test]
fn state_lies_under_the_workspace_and_git_does_not_see_it() {
    let mut host = Host::dev(TXCO).rule("OPS/web/100/hello.txcl", HELLO).start();
    assert_eq!(host.web(&Request::new("GET", "/")).json()["hello"], "world");
    let key = host.path("workspace/.txco/dev/secrets/txco-dev-master.key");
    assert_eq!(key.metadata().expect("the key").permissions().mode() & 0o777, 0o600);
    assert!(host.read("workspace/.gitignore").lines().any(|line| line == ".txco/"));
    assert!(!host.path("chassis").exists() && !host.path("data").exists());
    assert!(!host.files("workspace/.txco/dev/trace/requests").is_empty(), "dev traces");
    host.finish();
}

#[test]
fn an_existing_gitignore_is_added_to_once() {
    let mut host = Host::dev(TXCO)
        .rule("OPS/web/100/hello.txcl", HELLO)
        .file("workspace/.gitignore", "node_modules")
        .start();
    host.stop();
    host.start();
    let text = host.read("workspace/.gitignore");
    assert!(text.starts_with("node_modules\n"), "{text}");
    assert_eq!(text.matches(".txco/").count(), 1, "{text}");
    host.finish();
}

#[test]
fn an_existing_key_of_the_go_chassis_is_used() {
    let host = Host::dev(TXCO).rule("OPS/web/100/hello.txcl", HELLO).at_rest();
    let mut host = host;
    let path = "workspace/.txco/dev/secrets/txco-master.key";
    host.txco(&["auth", "secrets", "init", "--path", path]).succeeds();
    host.start();
    let line = host.wait_log("INFO secret store enabled");
    assert!(line.contains("secrets/txco-master.key"), "{line}");
    assert!(!host.path("workspace/.txco/dev/secrets/txco-dev-master.key").exists());
    host.finish();
}

#[test]
fn it_finds_the_workspace_above() {
    let args = ["dev", "workspace/OPS/web", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    let mut host = Host::with(TXCO, &args).rule("OPS/web/100/hello.txcl", HELLO).start();
    assert_eq!(host.web(&Request::new("GET", "/")).json()["hello"], "world");
    assert!(host.path("workspace/.txco/dev").is_dir());
    host.finish();
}

#[test]
fn a_broken_rule_at_the_start_is_shown_and_waited_for() {
    let mut host = Host::dev(TXCO).rule("OPS/web/100/hello.txcl", "EMIT .hello = \n").start();
    host.wait_log("hello.txcl:1:");
    host.write("workspace/OPS/web/100/hello.txcl", HELLO);
    let start = std::time::Instant::now();
    while host.web(&Request::new("GET", "/")).status != 200 {
        assert!(start.elapsed().as_secs() < 20, "{}", host.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    host.finish();
}

#[test]
fn without_a_workspace_it_writes_nothing_and_shows_how_to_begin() {
    let mut host = Host::at_rest(TXCO);
    host.write("empty/keep", "");
    let before = host.files("");
    let stderr = host.txco(&["dev", "empty"]).fails(1);
    assert!(stderr.contains("OPS/") && stderr.contains("EMIT"), "an example to start from: {stderr}");
    assert_eq!(host.files(""), before);
    host.finish();
}

#[test]
fn open_egress_reaches_this_machine() {
    let inside = support::Upstream::http("inside", |_| support::Answer::json(&json!({ "inside": true })));
    let rule =
        format!("EXEC \"http://{}/\"\nWITH secrets.headers.x-key.secret = \"KEY\"\n", inside.address());
    let mut host = Host::dev(TXCO).rule("OPS/web/100/call.txcl", &rule).recording(&inside).start();
    let key = host.store("KEY");
    assert_eq!(host.event("/", &json!({})).json()["inside"], true);
    host.allow(&key, "upstream inside header x-key", 1);
    host.finish();
}
