//! `txco fmt` lays rule files out and `txco lint` says what is wrong with them, without a chassis.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::Host;

use crate::TXCO;

const UNTIDY: &str = "when .a==1 # why\nexec \"https://api.example.com/\" with method=\"PUT\",timeout=500\n";
const TIDY: &str =
    "WHEN .a == 1  # why\nEXEC \"https://api.example.com/\"\nWITH method = \"PUT\",\n     timeout = 500\n";

#[test]
fn fmt_rewrites_what_is_laid_out_otherwise_and_only_that() {
    let mut host =
        Host::dev(TXCO).rule("OPS/shop/10/untidy.txcl", UNTIDY).rule("OPS/shop/20/tidy.txcl", TIDY).at_rest();
    let checked = host.txco(&["fmt", "--check", "workspace"]);
    assert_eq!(checked.stdout, "workspace/OPS/shop/10/untidy.txcl\n");
    assert_eq!(checked.fails(1), "fmt: 1 files are laid out otherwise; run `txco fmt`\n");
    assert_eq!(host.read("workspace/OPS/shop/10/untidy.txcl"), UNTIDY);
    assert_eq!(host.txco(&["fmt", "workspace"]).succeeds(), "workspace/OPS/shop/10/untidy.txcl\n");
    assert_eq!(host.read("workspace/OPS/shop/10/untidy.txcl"), TIDY);
    assert_eq!(host.txco(&["fmt", "--check", "workspace"]).succeeds(), "");
    assert_eq!(host.files("workspace/OPS/shop/10").len(), 1, "something was left beside it");
    // A link stays one, and the file keeps its permissions.
    host.write("elsewhere.txcl", UNTIDY);
    let elsewhere = host.path("elsewhere.txcl");
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, host.path("workspace/OPS/shop/10/link.txcl")).unwrap();
    host.txco(&["fmt", "workspace/OPS/shop/10/link.txcl"]).succeeds();
    assert_eq!(host.read("elsewhere.txcl"), TIDY);
    assert_eq!(elsewhere.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(host.path("workspace/OPS/shop/10/link.txcl").is_symlink());
    host.finish();
}

#[test]
fn the_example_is_laid_out_and_clean() {
    let mut host = Host::at_rest(TXCO);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/webhook-signing");
    assert_eq!(host.txco(&["fmt", "--check", example]).succeeds(), "");
    assert_eq!(host.txco(&["lint", example]).succeeds(), "4 files, 0 errors, 0 warnings\n");
    host.finish();
}

#[test]
fn fmt_leaves_alone_what_does_not_parse() {
    let mut host = Host::dev(TXCO).rule("OPS/shop/10/broken.txcl", "SET .a = \n").at_rest();
    let said = host.txco(&["fmt", "workspace/OPS/shop/10/broken.txcl"]).fails(1);
    assert!(said.contains("expected a value") && said.contains("1 files do not parse"), "{said}");
    assert_eq!(host.read("workspace/OPS/shop/10/broken.txcl"), "SET .a = \n");
    assert!(host.txco(&["fmt", "nowhere.txcl"]).fails(1).starts_with("fmt: nowhere.txcl: "));
    assert!(host.txco(&["fmt"]).fails(1).contains("to start a workspace here"));
    host.finish();
}

#[test]
fn lint_draws_every_mistake_with_its_place() {
    let mut host = Host::dev(TXCO)
        .rule("OPS/shop/10/a.txcl", "WHEN .a = 1\nSET .b = &nope()\n")
        .rule("OPS/shop/20/b.txcl", TIDY)
        .at_rest();
    let linted = host.txco(&["lint", "workspace"]);
    assert_eq!(linted.stdout, "2 files, 2 errors, 0 warnings\n");
    let said = linted.fails(1);
    for words in ["--> OPS/shop/10/a.txcl:1:9", "= help: equality is ==", "unknown function &nope"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let json: Value = serde_json::from_str(&host.txco(&["lint", "--json", "workspace"]).stdout).unwrap();
    assert_eq!((&json["errors"], &json["findings"][1]["line"]), (&2.into(), &2.into()), "{json}");
    assert_eq!(json["findings"][0]["path"], "OPS/shop/10/a.txcl");
    host.finish();
}

#[test]
fn lenient_takes_what_the_go_chassis_takes_and_says_what_that_was() {
    let imported = "SET .x = 010; EXEC \"txco://noop\"\n";
    let mut host = Host::dev(TXCO).rule("OPS/shop/10/a.txcl", imported).at_rest();
    assert!(host.txco(&["lint", "workspace"]).fails(1).contains("is not a number"));
    let linted = host.txco(&["lint", "--lenient", "workspace"]);
    assert!(linted.stderr.contains("warning: \"010\" is not a number"), "{}", linted.stderr);
    assert!(linted.stderr.contains("write 10, or the text"), "{}", linted.stderr);
    assert_eq!(linted.succeeds(), "1 files, 0 errors, 2 warnings\n");
    host.finish();
}

#[test]
fn lint_warns_of_stages_that_no_request_reaches() {
    let mut host = Host::dev(TXCO)
        .rule("OPS/shop/10/a.txcl", "EMIT @halt = true\n")
        .rule("OPS/shop/20/b.txcl", TIDY)
        .at_rest();
    let linted = host.txco(&["lint", "workspace"]);
    assert!(linted.stderr.starts_with("shop/20: no request reaches this stage\n"), "{}", linted.stderr);
    assert_eq!(linted.succeeds(), "2 files, 0 errors, 1 warnings\n");
    host.finish();
}

#[test]
fn a_chassis_takes_imported_rules_when_told_to() {
    let imported = "EMIT .answer = 052;\n";
    let mut host =
        Host::serve(TXCO).rule("OPS/shop/10/a.txcl", imported).flags(&["--rule-mode", "lenient"]).start();
    assert!(host.log().contains("WARN rule let pass: \"052\" is not a number"), "{}", host.log());
    assert_eq!(host.event("/", &json!({})).json()["answer"], 42);
    host.finish();
}

#[test]
fn lint_says_what_lies_where_no_rule_belongs() {
    let mut host = Host::dev(TXCO).rule("OPS/shop/a.txcl", TIDY).at_rest();
    let said = host.txco(&["lint", "workspace"]).fails(1);
    assert!(said.contains("OPS/shop/a.txcl: lies in no numbered scope folder"), "{said}");
    let json: Value = serde_json::from_str(&host.txco(&["lint", "--json", "workspace"]).stdout).unwrap();
    assert_eq!(json["findings"][0]["severity"], "error", "{json}");
    host.finish();
}

#[test]
fn lint_lists_rules_by_where_they_stand() {
    let mut host = Host::dev(TXCO)
        .rule("OPS/shop/eu/0100_charge/sub/pay.txcl", TIDY)
        .rule("OPS/shop/20/a.txcl", "SET .a = \n")
        .at_rest();
    assert_eq!(host.txco(&["lint", "--list", "workspace"]).succeeds(), "shop/20/a\nshop/eu/100/sub_pay\n");
    host.finish();
}
