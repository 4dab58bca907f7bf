//! Rules are reloaded without a restart, and a broken edit keeps the last good ones.

use std::thread;
use std::time::{Duration, Instant};

use support::{Host, Request, Signal};

use crate::TXCO;

const RULE: &str = "OPS/web/100/hello.txcl";

fn hello(host: &mut Host) -> String {
    host.web(&Request::new("GET", "/")).json()["hello"].as_str().unwrap_or("nothing").to_owned()
}

/// Asks until the answer is `expected`.
#[track_caller]
fn becomes(host: &mut Host, expected: &str) {
    let start = Instant::now();
    while hello(host) != expected {
        assert!(start.elapsed() < Duration::from_secs(20), "{expected} did not come: {}", host.log());
        thread::sleep(Duration::from_millis(50));
    }
}

fn write(host: &Host, text: &str) {
    host.write(&format!("workspace/{RULE}"), text);
}

#[test]
fn serve_reloads_on_sighup() {
    let mut host = Host::serve(TXCO).rule(RULE, "EMIT .hello = \"one\"\n").start();
    assert_eq!(hello(&mut host), "one");
    write(&host, "EMIT .hello = \"two\"\n");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(hello(&mut host), "one", "serve does not watch");
    host.signal(Signal::HUP);
    becomes(&mut host, "two");
    host.finish();
}

#[test]
fn a_typo_keeps_the_last_good_rules_and_is_shown_with_file_line_and_caret() {
    let mut host = Host::serve(TXCO).rule(RULE, "EMIT .hello = \"one\"\n").start();
    write(&host, "# a comment\nEMIT .hello = \n");
    host.logs_after("hello.txcl:2:", |host| host.signal(Signal::HUP));
    host.wait_log("^");
    assert_eq!(hello(&mut host), "one");
    write(&host, "EMIT .hello = \"three\"\n");
    host.signal(Signal::HUP);
    becomes(&mut host, "three");
    host.finish();
}

#[test]
fn dev_reloads_by_itself() {
    let mut host = Host::dev(TXCO).rule(RULE, "EMIT .hello = \"one\"\n").start();
    assert_eq!(hello(&mut host), "one");
    write(&host, "EMIT .hello = \"two\"\n");
    becomes(&mut host, "two");
    host.logs_after("hello.txcl:1:", |host| write(host, "EMIT hello = 3\n"));
    assert_eq!(hello(&mut host), "two");
    host.write("workspace/OPS/web/200/more.txcl", "EMIT .more = true\n");
    write(&host, "EMIT .hello = \"three\"\n");
    becomes(&mut host, "three");
    host.finish();
}

#[test]
fn a_broken_rule_at_the_start_is_an_error_of_serve() {
    let mut host = Host::serve(TXCO)
        .rule(RULE, "EMIT .hello = \n")
        .rule("OPS/web/100/other.txcl", "WHEN .a = 1\nEMIT .b = 1\n")
        .at_rest();
    let args =
        ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    let stderr = host.txco(&args).fails(1);
    assert!(
        stderr.contains("hello.txcl:1:") && stderr.contains("other.txcl:1:"),
        "every file's errors: {stderr}"
    );
    assert!(stderr.contains('^'), "{stderr}");
    host.finish();
}
