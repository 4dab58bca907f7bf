//! A workspace is begun, applied, compared, rolled back: the command line against a chassis that serves what was applied.

use serde_json::{Value, json};
use support::{Call, Host, Output, Request};

use crate::TXCO;

const RULE: &str = "workspace/OPS/shop/100/hello.txcl";

/// `txco ARGS…` in the workspace, against this chassis.
fn there(host: &mut Host, args: &[&str]) -> Output {
    let call = Call::new(args).env("TXCO_ADMIN_ADDR", &host.admin_address().to_string());
    host.run(&call.arg("--workspace").arg("workspace"))
}

fn hello(host: &mut Host) -> Value {
    host.web(&Request::new("GET", "/a/b")).json()
}

fn emits(n: u32) -> String {
    format!("EMIT .n = {n}\n")
}

/// A chassis, and a workspace with two stacks beside it; the host `shop.example` leads to one.
fn workspace() -> Host {
    let mut host = Host::serve(TXCO).start();
    host.write(RULE, emits(1));
    host.write("workspace/OPS/mail/100/a.txcl", "EMIT .mail = true\n");
    let said = there_is(&mut host, &["apply"]);
    assert!(said.contains("✓ shop v1 activated (1 files)\n"), "{said}");
    assert!(said.contains("✓ mail v1 activated (1 files)\n"), "{said}");
    assert!(said.ends_with("apply: ✓ 2 deployed · 0 unchanged\n"), "{said}");
    let url = format!("http://{}", host.admin_address());
    let bound = ["auth", "tenant", "hostnames", "add", "127.0.0.1", "--stack", "shop", "--url", &url];
    let said = host.txco(&bound).succeeds();
    assert_eq!(said, "127.0.0.1 leads to shop of tenant \"default\"\n");
    assert!(
        host.txco(&["auth", "tenant", "hostnames", "list", "--url", &url])
            .succeeds()
            .contains("127.0.0.1  shop")
    );
    host
}

fn there_is(host: &mut Host, args: &[&str]) -> String {
    there(host, args).succeeds()
}

#[test]
fn what_init_makes_is_in_order_and_answers() {
    let mut host = Host::serve(TXCO).start();
    let made = host.txco(&["init", "hello", "workspace"]).succeeds();
    assert_eq!(
        made,
        "created workspace/OPS/hello/100/hello.txcl\ncreated workspace/txco.yaml\ncreated workspace/.gitignore\n"
    );
    assert!(host.txco(&["init", "hello", "workspace"]).fails(1).contains("is there already"));
    assert!(host.txco(&["init", "10", "elsewhere"]).fails(2).contains("is a scope"));
    assert_eq!(host.txco(&["lint", "workspace"]).succeeds(), "1 files, 0 errors, 0 warnings\n");
    let as_made = host.read("workspace/OPS/hello/100/hello.txcl");
    host.txco(&["fmt", "workspace/OPS/hello/100/hello.txcl"]).succeeds();
    assert_eq!(host.read("workspace/OPS/hello/100/hello.txcl"), as_made, "it is laid out as fmt does");
    there_is(&mut host, &["apply"]);
    assert_eq!(hello(&mut host), json!({ "hello": "world", "method": "GET", "path": "/a/b" }));
    host.finish();
}

#[test]
fn only_what_changed_is_applied() {
    let mut host = workspace();
    assert_eq!(hello(&mut host), json!({ "n": 1 }));
    let said = there_is(&mut host, &["apply"]);
    assert_eq!(said, "apply: nothing to apply (2 unchanged)\n");
    assert!(there_is(&mut host, &["status"]).contains("shop   same"));
    host.write(RULE, emits(2));
    let status = there(&mut host, &["status"]);
    assert!(status.stdout.contains("shop   changed"), "{}", status.stdout);
    status.fails(1);
    let said = there_is(&mut host, &["diff"]);
    assert_eq!(said, "shop/100/hello.txcl\n  -EMIT .n = 1\n  +EMIT .n = 2\n");
    let said = there_is(&mut host, &["apply", "--dry-run"]);
    assert!(said.contains("· shop would be activated (is v1, 1 files)\n"), "{said}");
    assert!(said.ends_with("apply: 1 to deploy · 1 unchanged\n"), "{said}");
    assert_eq!(hello(&mut host), json!({ "n": 1 }), "a dry run changes nothing");
    let versions = there_is(&mut host, &["versions", "shop", "--json"]);
    let versions: Value = serde_json::from_str(&versions).unwrap();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1, "not even a draft");
    let said: Value = serde_json::from_str(&there_is(&mut host, &["apply", "--json"])).unwrap();
    assert_eq!(said[0], json!({ "stack": "mail", "version": 1, "activated": false, "unchanged": true }));
    assert_eq!((said[1]["stack"].as_str(), said[1]["version"].as_u64()), (Some("shop"), Some(2)));
    assert_eq!((said[1]["prior_version"].as_u64(), said[1]["activated"].as_bool()), (Some(1), Some(true)));
    assert_eq!(hello(&mut host), json!({ "n": 2 }));
    host.finish();
}

#[test]
fn a_rollback_serves_the_version_before_or_the_one_that_is_named() {
    let mut host = workspace();
    for n in 2..4 {
        host.write(RULE, emits(n));
        there_is(&mut host, &["apply", "--stack", "shop"]);
    }
    assert_eq!(there_is(&mut host, &["rollback", "shop"]), "✓ shop v2 activated (was v3)\n");
    assert_eq!(hello(&mut host), json!({ "n": 2 }));
    assert_eq!(there_is(&mut host, &["rollback", "shop", "v1"]), "✓ shop v1 activated (was v2)\n");
    assert_eq!(hello(&mut host), json!({ "n": 1 }));
    assert!(there(&mut host, &["rollback", "shop", "1"]).fails(1).contains("active already"));
    assert!(there(&mut host, &["rollback", "shop", "9"]).fails(1).contains("no version 9"));
    assert!(there(&mut host, &["rollback", "mail"]).fails(1).contains("ever active"));
    assert!(there(&mut host, &["rollback", "nothing"]).fails(1).contains("stack_not_found"));
    let listed = there_is(&mut host, &["versions", "shop"]);
    let rows: Vec<_> =
        listed.lines().skip(1).map(|row| row.split_whitespace().take(2).collect::<Vec<_>>()).collect();
    assert_eq!(rows, [["v3", "superseded"], ["v2", "superseded"], ["v1", "active"]]);
    assert!(there(&mut host, &["status"]).stdout.contains("shop   changed"));
    host.finish();
}

/// Weakness A9: there an apply succeeds, and says nothing of what the store lacks.
#[test]
fn a9_secrets_that_the_store_lacks_are_told_and_broken_rules_are_not_applied() {
    let mut host = workspace();
    let sends = "EXEC \"https://api.example/\"\nWITH secrets.headers.x-key.secret = \"VENDOR_KEY\"\n";
    host.write("workspace/OPS/mail/200/send.txcl", sends);
    let applied = there(&mut host, &["apply"]);
    assert!(
        applied.stderr.contains("OPS/mail/200/send.txcl: VENDOR_KEY: ")
            && applied.stderr.contains("secret_not_found"),
        "{}",
        applied.stderr
    );
    applied.succeeds();
    host.store("VENDOR_KEY");
    let again = there(&mut host, &["apply", "--force"]);
    assert!(
        again.stderr.contains("VENDOR_KEY: it has no policy: it may go to any host (any_host)"),
        "{}",
        again.stderr
    );
    again.succeeds();

    host.write(RULE, "EMIT .n = \n");
    let stderr = there(&mut host, &["apply"]).fails(1);
    assert!(stderr.contains("OPS/shop/100/hello.txcl:1:") && stderr.contains('^'), "{stderr}");
    let stderr = there(&mut host, &["apply", "--no-validate"]).fails(1);
    assert!(stderr.contains("✗ shop is not activated") && stderr.contains("hello.txcl:1:"), "{stderr}");
    assert_eq!(hello(&mut host), json!({ "n": 1 }));
    host.finish();
}

#[test]
fn targets_choose_the_chassis_and_a_remote_one_is_asked_for() {
    let mut host = Host::serve(TXCO).start();
    host.txco(&["init", "shop", "workspace"]).succeeds();
    host.write("workspace/OPS/shop/100/mock-response.json", "{\"mocked\":true}");
    let address = host.admin_address();
    host.write(
        "workspace/txco.yaml",
        format!(
            "target: here\ntargets:\n  here: {{ chassis: \"http://{address}\", mock: deny }}\n  \
             with-mocks: {{ chassis: \"http://{address}\" }}\n  far: {{ chassis: \"https://admin.example:8081\" }}\napps: {{}}\n"
        ),
    );
    let applied = host.txco(&["apply", "workspace"]);
    assert!(
        applied.stderr.contains("mock: deny") && applied.stderr.contains("apps is not read"),
        "{}",
        applied.stderr
    );
    assert!(applied.succeeds().contains("✓ shop v1 activated (1 files)"));
    let said = host.txco(&["apply", "workspace", "--target", "with-mocks"]).succeeds();
    assert!(said.contains("✓ shop v2 activated (was v1, 2 files)"), "{said}");
    let stderr = host.txco(&["apply", "workspace", "--target", "far"]).fails(1);
    assert!(stderr.contains("admin.example"), "{stderr}");
    assert!(stderr.contains("--yes") || stderr.contains("signing key"), "{stderr}");
    let stderr = host.txco(&["apply", "workspace", "--target", "nowhere"]).fails(1);
    assert!(
        stderr.contains("no target or profile \"nowhere\" (txco.yaml has far, here, with-mocks)"),
        "{stderr}"
    );
    host.finish();
}

#[test]
fn settings_of_the_go_chassis_are_taken_with_one_warning_each() {
    let mut host = Host::serve(TXCO)
        .flags(&["--personalities", "web,admin", "--web-read-timeout=15", "--usage-enabled"])
        .env("TXCO_KVSTORE", "boltdb")
        .start();
    for setting in ["--personalities", "--web-read-timeout", "--usage-enabled", "TXCO_KVSTORE"] {
        let line = format!("{setting} is a setting of the Go chassis");
        assert_eq!(host.log().matches(&line).count(), 1, "{setting}: {}", host.log());
    }
    let stderr = host.txco(&["serve", "--web-user", "alice"]).fails(2);
    assert!(stderr.contains("protects the web head"), "{stderr}");
    host.finish();
}

/// With a workspace of its own a chassis stores what is applied, and says that it does not serve it.
#[test]
fn a_chassis_with_a_workspace_says_that_it_does_not_serve_what_is_applied() {
    let mut host = Host::serve(TXCO).rule("OPS/shop/100/hello.txcl", "EMIT .n = 1\n").start();
    host.write(RULE, emits(2));
    let applied = there(&mut host, &["apply"]);
    assert!(applied.stderr.contains("this chassis serves a workspace of its own"), "{}", applied.stderr);
    applied.succeeds();
    assert_eq!(hello(&mut host), json!({ "n": 1 }));
    host.finish();
}
