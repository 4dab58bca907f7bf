//! `txco doctor` says what a request would find out: which secrets rules name and cannot have.

use serde_json::Value;
use support::Host;

use crate::TXCO;

const SIGN: &str = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\"\n";

fn doctor(host: &mut Host, more: &[&str]) -> support::Output {
    let url = format!("http://{}", host.admin_address());
    let words = [&["doctor", "workspace", "--url", &url], more].concat();
    host.txco(&words)
}

/// Weakness A9: what rules need and the store lacks is told before anything runs.
#[test]
fn what_rules_name_and_cannot_have_is_told_with_the_remedy() {
    let send =
        "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";
    let sign = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\"\n";
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/send.txcl", send).rule("OPS/web/200/sign.txcl", sign).start();
    let output = doctor(&mut host, &[]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("✓ 2 rules in 2 files, which name secrets at 2 places"), "{output:?}");
    for (place, name) in [
        ("OPS/web/100/send.txcl: secrets.headers.x-api-key", "VENDOR_KEY"),
        ("OPS/web/200/sign.txcl: secrets.key", "KEY"),
    ] {
        let line = output.stdout.lines().find(|line| line.contains(place)).unwrap_or_default();
        assert!(line.contains("✗") && line.contains(&format!("secrets set {name}")), "{line}");
    }

    host.store("VENDOR_KEY");
    let key = host.canary("key");
    let call = host.secrets_call(&["set", "KEY", "--purpose", "splice"]).stdin(key.text());
    host.run(&call).succeeds();
    let output = doctor(&mut host, &["--json"]);
    assert_eq!(output.code, Some(1));
    let told: Value = serde_json::from_str(output.stdout.lines().next().unwrap()).unwrap();
    let status = |text: &str| {
        let checks = told["checks"].as_array().unwrap();
        let one = checks.iter().find(|one| one["text"].as_str().unwrap().contains(text));
        one.unwrap_or_else(|| panic!("{text}: {told}"))["status"].as_str().unwrap().to_owned()
    };
    let bind = "VENDOR_KEY: any host; txco auth tenant secrets policy VENDOR_KEY --allow-host … binds it";
    assert_eq!(status(bind), "warning");
    assert_eq!(status("its policy allows --purpose splice, not"), "error");

    host.secrets(&["policy", "KEY", "--allow-op", "txco://hmac-sign"]).succeeds();
    host.secrets(&["policy", "VENDOR_KEY", "--allow-host", "api.vendor.com"]).succeeds();
    let told = doctor(&mut host, &[]).succeeds();
    assert!(told.contains("✓ 2 of 2 places get what they name"), "{told}");
    host.finish();
}

/// Issue 4, the last sentence of §5: what a chassis says of itself and of what it serves.
#[test]
fn what_the_chassis_says_is_told() {
    let mut host = Host::serve(TXCO).start();
    let url = format!("http://{}", host.admin_address());
    host.write("workspace/OPS/shop/100/a.txcl", SIGN);
    host.txco(&["apply", "workspace", "--url", &url]).succeeds();
    host.txco(&["auth", "tenant", "hostnames", "add", "shop.example", "--stack", "shop", "--url", &url])
        .succeeds();
    host.txco(&["auth", "tenant", "hostnames", "add", "old.example", "--stack", "old", "--url", &url])
        .succeeds();
    // Nowhere near a workspace: the rules that count are the chassis's.
    let ask =
        |host: &mut Host, more: &[&str]| host.txco(&[&["doctor", "/", "--target", &url], more].concat());
    let output = ask(&mut host, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let version = host.txco(&["version"]).succeeds();
    let version: Value = serde_json::from_str(&version).unwrap();
    let line = format!("✓ {url} answers: txco {}\n", version["version"].as_str().unwrap());
    assert!(output.stdout.contains(&line), "{output:?}");
    assert!(output.stdout.contains("✓ ready; secret store on"), "{output:?}");
    assert!(output.stdout.contains("✗ shop v1: OPS/shop/100/a.txcl: KEY: "), "{output:?}");
    assert!(output.stdout.contains("✓ shop.example leads to stack shop\n"), "{output:?}");
    assert!(output.stdout.contains("⚠ old.example leads to stack old, of which nothing"), "{output:?}");
    host.store("KEY");
    let told = ask(&mut host, &[]).succeeds();
    assert!(told.contains("⚠ shop v1: OPS/shop/100/a.txcl: KEY: ") && !told.contains("✗"), "{told}");
    host.secrets(&["policy", "KEY", "--allow-op", "txco://hmac-sign"]).succeeds();
    let told = ask(&mut host, &[]).succeeds();
    assert!(told.contains("✓ shop v1 checks, and its rules get what they name"), "{told}");
    host.finish();

    let mut host = Host::serve(TXCO).flags(&["--secret-master-key", ""]).start();
    let told = doctor(&mut host, &["--json"]).succeeds();
    assert!(told.contains("secret store off") && told.contains("it serves no rules"), "{told}");
    host.finish();
}

/// A chassis that does not answer is waited for some seconds, and is an error when it was named.
#[test]
fn a_silent_chassis_is_not_waited_for_long() {
    let mut host = Host::at_rest(TXCO);
    host.write("workspace/OPS/web/100/a.txcl", "EMIT .a = 1\n");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let output = host.txco(&["doctor", "workspace", "--url", &url]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("did not answer within 5 seconds"), "{output:?}");
    // Nobody said that there is one.
    let call = support::Call::new(&["doctor", "workspace"]).env("TXCO_ADMIN_ADDR", &url);
    let told = host.run(&call).succeeds();
    assert!(told.contains("only the workspace was looked at"), "{told}");
    host.finish();
}

#[test]
fn broken_rules_and_a_chassis_that_is_not_there() {
    let mut host = Host::at_rest(TXCO);
    host.write("workspace/OPS/web/100/a.txcl", "SET .a = \n");
    let output = host.txco(&["doctor", "workspace", "--offline"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("OPS/web/100/a.txcl:1:11"), "{output:?}");
    host.write("workspace/OPS/web/100/a.txcl", "EMIT .a = 1\n");
    host.txco(&["doctor", "workspace", "--offline"]).succeeds();
    let output = host.txco(&["doctor", "workspace", "--url", "http://127.0.0.1:1"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("Chassis\n  ✗ "), "{output:?}");
    host.finish();
}

/// What binds a secret to where it belongs is said as it can be typed, also for one that an op has.
#[test]
fn a_secret_of_an_op_is_bound_by_that_op() {
    let sign = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\"\n";
    let mut host = Host::serve(TXCO).rule("OPS/web/200/sign.txcl", sign).start();
    host.store("KEY");
    let told = doctor(&mut host, &[]).succeeds();
    let want = "KEY: any host; txco auth tenant secrets policy KEY --allow-op txco://hmac-sign binds it";
    assert!(told.contains(want), "{told}");
    host.finish();
}
