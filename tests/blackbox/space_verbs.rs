//! Stacks are pushed, drafted, activated, deactivated, read and pulled, and a chassis that is busy is asked again.

use serde_json::{Value, json};
use support::{Answer, Call, Host, Output, Request, Upstream};

use crate::TXCO;

const RULE: &str = "workspace/OPS/shop/100/hello.txcl";

/// `txco ARGS…` about `folder`, against this chassis.
fn about(host: &mut Host, folder: &str, args: &[&str]) -> Output {
    let call = Call::new(args).env("TXCO_ADMIN_ADDR", &host.admin_address().to_string());
    host.run(&call.arg("--workspace").arg(folder))
}

fn there(host: &mut Host, args: &[&str]) -> Output {
    about(host, "workspace", args)
}

fn hello(host: &mut Host) -> (u16, Value) {
    let reply = host.web(&Request::new("GET", "/"));
    (reply.status, reply.json())
}

fn emits(n: u32) -> String {
    format!("# nr {n}: ü\nEMIT .n = {n}\n")
}

fn workspace() -> Host {
    let mut host = Host::serve(TXCO).start();
    host.write(RULE, emits(1));
    host.write("workspace/OPS/shop/100/mock-response.json", "{\"a\":1}\n");
    let said = there(&mut host, &["push", "shop"]).succeeds();
    assert!(said.contains("✓ shop v1 activated (2 files)\n"), "{said}");
    host
}

#[test]
fn a_draft_is_served_when_it_is_activated_and_not_before() {
    let mut host = workspace();
    host.write(RULE, emits(2));
    let drafted = there(&mut host, &["draft", "shop"]);
    assert!(drafted.stderr.contains("next: txco activate shop 2\n"), "{}", drafted.stderr);
    let said = drafted.succeeds();
    assert_eq!(said, "✓ shop v2 drafted (2 files)\ndraft: ✓ 1 drafted · 0 unchanged\n");
    assert_eq!(hello(&mut host), (200, json!({ "n": 1 })), "a draft is not served");
    assert_eq!(there(&mut host, &["cat", "shop/100/hello.txcl", "--version", "2"]).succeeds(), emits(2));
    assert_eq!(there(&mut host, &["cat", "OPS/shop/100/hello.txcl"]).succeeds(), emits(1));
    assert_eq!(there(&mut host, &["activate", "shop"]).succeeds(), "✓ shop v2 activated (was v1)\n");
    assert_eq!(hello(&mut host), (200, json!({ "n": 2 })));
    assert!(
        there(&mut host, &["activate", "shop"])
            .fails(1)
            .contains("activate: shop has no draft (txco draft shop")
    );
    let back = there(&mut host, &["activate", "shop", "v1", "--json"]).succeeds();
    let back: Value = serde_json::from_str(&back).unwrap();
    assert_eq!(back, json!({ "stack": "shop", "version": 1, "prior_version": 2 }));
    assert_eq!(
        there(&mut host, &["deactivate", "shop"]).succeeds(),
        "✓ shop deactivated (was v1); it answers nothing now\n"
    );
    assert_eq!(hello(&mut host).0, 404);
    let twice = there(&mut host, &["deactivate", "shop", "--json"]);
    let said: Value = serde_json::from_str(&twice.stdout).unwrap();
    assert!(said["error"].as_str().unwrap().contains("no_active_version"), "{said}");
    twice.fails(1);
    host.finish();
}

#[test]
fn a_draft_that_could_not_be_activated_is_told() {
    let mut host = workspace();
    host.write(RULE, "EXEC \"op://nobody\"\n");
    let said = there(&mut host, &["draft", "shop"]).fails(1);
    assert!(said.contains("op://nobody"), "{said}");
    host.write(RULE, "EMIT .n = \n");
    assert!(there(&mut host, &["push", "shop"]).fails(1).contains("rules do not check"));
    assert!(there(&mut host, &["push", "nothing"]).fails(1).contains("has no stack nothing"));
    assert_eq!(hello(&mut host), (200, json!({ "n": 1 })));
    host.finish();
}

#[test]
fn a_stack_is_pulled_whole_and_nothing_of_ones_own_is_lost() {
    let mut host = workspace();
    let said = about(&mut host, "elsewhere", &["pull"]).succeeds();
    assert_eq!(
        said,
        "created OPS/shop/100/hello.txcl\ncreated OPS/shop/100/mock-response.json\n✓ shop v1 (2 written, 0 unchanged)\n"
    );
    assert_eq!(host.read("elsewhere/OPS/shop/100/hello.txcl"), emits(1));
    assert!(about(&mut host, "elsewhere", &["status"]).succeeds().contains("shop   same"));
    host.write(RULE, emits(2));
    there(&mut host, &["push", "shop"]).succeeds();
    host.write("elsewhere/OPS/shop/100/hello.txcl", "# mine\n");
    let refused = about(&mut host, "elsewhere", &["pull", "shop"]).fails(1);
    assert!(
        refused.contains("OPS/shop/100/hello.txcl is other here\n") && refused.contains("--force"),
        "{refused}"
    );
    assert_eq!(host.read("elsewhere/OPS/shop/100/hello.txcl"), "# mine\n");
    let dry = about(&mut host, "elsewhere", &["pull", "shop", "--force", "--dry-run"]).succeeds();
    assert!(dry.starts_with("would be replaced OPS/shop/100/hello.txcl\n"), "{dry}");
    assert_eq!(host.read("elsewhere/OPS/shop/100/hello.txcl"), "# mine\n");
    let forced = about(&mut host, "elsewhere", &["pull", "shop", "--force", "--json"]).succeeds();
    let forced: Value = serde_json::from_str(&forced).unwrap();
    assert_eq!(
        forced,
        json!([{ "stack": "shop", "version": 2, "created": [], "replaced": ["100/hello.txcl"], "unchanged": 1 }])
    );
    assert_eq!(host.read("elsewhere/OPS/shop/100/hello.txcl"), emits(2));
    about(&mut host, "elsewhere", &["pull", "shop", "--version", "1", "--force"]).succeeds();
    assert_eq!(host.read("elsewhere/OPS/shop/100/hello.txcl"), emits(1));
    assert!(
        about(&mut host, "elsewhere", &["pull", "nothing"]).fails(1).contains("nothing of nothing is active")
    );
    let left: Vec<_> =
        host.files("elsewhere").into_iter().filter(|file| file.contains(".txco-pull")).collect();
    assert!(left.is_empty(), "{left:?}");
    host.finish();
}

#[test]
fn a_chassis_says_where_files_go_only_below_a_scope() {
    let mut host = Host::serve(TXCO).start();
    host.write("workspace/txco.yaml", "stack: shop\n");
    let evil = Upstream::http("evil", |received| {
        let file = |path: &str| json!({ "path": path, "content": "EMIT .n = 1\n" });
        Answer::json(&match received.target.contains("versions") {
            true => {
                json!({ "files": [file("../../../evil.txcl"), file("100/../../x.txcl"), file("/etc/a.txcl"), file("100/.x.txcl"), file("FILES/a"), file("100/good.txcl")] })
            }
            false => json!({ "stacks": [{ "name": "shop", "active_version": 1, "manifest_hash": "" }] }),
        })
    });
    let call =
        Call::new(&["pull", "--url", &format!("http://{}", evil.address()), "--workspace", "workspace"]);
    let output = host.run(&call);
    assert_eq!(output.stderr.matches("is not pulled: no rule and no mock").count(), 5, "{}", output.stderr);
    assert_eq!(output.succeeds(), "created OPS/shop/100/good.txcl\n✓ shop v1 (1 written, 0 unchanged)\n");
    assert_eq!(host.files("workspace"), ["workspace/OPS/shop/100/good.txcl", "workspace/txco.yaml"]);
    host.finish();
}

#[test]
fn another_machine_is_changed_only_after_a_yes() {
    let mut host = workspace();
    for args in [["push", "shop"], ["draft", "shop"], ["activate", "shop"], ["deactivate", "shop"]] {
        let far =
            Call::new(&args).arg("--url").arg("https://far.example").arg("--workspace").arg("workspace");
        let said = host.run(&far).fails(1);
        assert!(
            said.contains("refusing to modify non-local chassis https://far.example"),
            "{args:?}: {said}"
        );
    }
    host.finish();
}

#[test]
fn a_chassis_that_is_busy_or_not_there_is_asked_again_and_it_is_said() {
    let mut host = Host::at_rest(TXCO);
    host.write(RULE, emits(1));
    let busy = Upstream::http("busy", |_| Answer::new(503, &[("retry-after", "0")], r#"{"error":"busy"}"#));
    let url = format!("http://{}", busy.address());
    let call = ["apply", "workspace", "--url", &url, "--retries", "2"];
    let said = host.txco(&call).fails(1);
    assert_eq!(said.matches("503 Service Unavailable: busy").count(), 3, "{said}");
    assert!(said.contains("; trying again in 0 s (2 of 2)\n"), "{said}");
    assert_eq!(busy.received().len(), 3);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let said = host.txco(&["apply", "workspace", "--url", &url, "--retries", "1"]).fails(1);
    assert!(
        said.contains("connection refused — is the chassis running?; trying again in 1 s (1 of 1)\n"),
        "{said}"
    );
    let said = host.txco(&["apply", "workspace", "--url", &url, "--retries", "0"]).fails(1);
    assert!(!said.contains("again"), "{said}");
    host.finish();
}

#[test]
fn with_changed_nothing_to_do_is_said() {
    let mut host = workspace();
    let said = there(&mut host, &["apply", "--changed"]).succeeds();
    assert_eq!(said, "apply: nothing to apply (1 unchanged)\n");
    assert_eq!(there(&mut host, &["draft", "shop"]).succeeds(), "draft: nothing to draft (1 unchanged)\n");
    there(&mut host, &["apply", "--changed", "--force"]).fails(2);
    host.finish();
}

#[test]
fn what_only_shows_when_rules_are_seen_together_is_told_when_they_are_applied() {
    let mut host = Host::serve(TXCO).start();
    let login = "WHEN .a == 1\nEXEC \"https://id.example/\" WITH credential = \"token\"\n";
    host.write("workspace/OPS/shop/10/m.txcl", login);
    host.write("workspace/OPS/shop/20/j.txcl", "EXEC \"https://w.example/\" WITH mode = \"async\"\n");
    let applied = there(&mut host, &["apply"]);
    let want = "OPS/shop/20/j.txcl: rule j waits for a worker, and shop/10/m may have put a credential";
    assert!(applied.stderr.contains(want), "{applied:?}");
    applied.succeeds();
    host.finish();
}
