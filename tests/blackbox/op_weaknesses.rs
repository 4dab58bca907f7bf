//! What the existing chassis got wrong about computes and their secrets: a test per defect that is seen from outside.

use serde_json::json;
use support::{Answer, Call, Host, Request, Upstream};

use crate::TXCO;
use crate::op_push::{AUTH, base64, declared};

/// Weakness W7: a compute that returned nothing gave `null`, and the envelope was lost with it.
#[test]
fn an_op_that_returns_nothing_changes_nothing() {
    let nothing = declared(include_bytes!("../guests/dist/nothing.wasm"), "nothing");
    let mut host = Host::serve(TXCO).rule("OPS/web/100/hello.txcl", "EMIT .before = 1\n").start();
    let builds = json!({ "builds": [{ "delivery": "reveal", "component": base64(&nothing) }] });
    let reply = host.admin(&Request::new("PUT", "/v1/tenants/default/ops/nothing").json(&builds));
    assert_eq!(reply.status, 201, "{}", reply.text());
    host.write("workspace/OPS/web/200/nothing.txcl", "EXEC \"op://nothing\"\n");
    host.write("workspace/OPS/web/300/after.txcl", "EMIT .after = .before\n");
    host.logs_after("rules reloaded", |host| host.signal(support::Signal::HUP));
    let reply = host.event("/", &json!({ "mine": true })).json();
    assert_eq!((&reply["before"], &reply["after"]), (&json!(1), &json!(1)), "{reply}");
    host.finish();
}

/// Weakness C9: inputs and replies were logged at debug, and the error of an upstream quoted the whole URL.
#[test]
fn no_body_no_reply_and_no_query_is_logged_at_any_level() {
    let vendor =
        Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "r": "reply-c9" })));
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", "EXEC \"https://api.vendor.com/things\"\n")
        .rule("OPS/web/200/call.txcl", "EXEC \"http://127.0.0.1:1/path?query-c9=1\"\n")
        .upstream(&vendor, "api.vendor.com:443")
        .flags(&["--log-level", "trace"])
        .start();
    let reply = host.event("/", &json!({ "body-c9": true }));
    assert_eq!(reply.status, 502, "{}", reply.text());
    host.stop();
    let log = host.log();
    assert!(log.contains("rule failed"), "{log}");
    for hidden in ["body-c9", "reply-c9", "query-c9"] {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
    host.finish();
}

/// Weakness C10: secrets were opened, and counted, for ops that were not called.
#[test]
fn a_secret_is_opened_only_for_an_op_that_is_called() {
    let rule = |when: &str, key: &str| {
        format!(
            "WHEN {when}\nEXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"{key}\", input_path = \"body\"\n"
        )
    };
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/called.txcl", &rule(".body.call == true", "CALLED"))
        .rule("OPS/web/200/not.txcl", &rule(".body.call != true", "NOT_CALLED"))
        .flags(&["--log-level", "debug"])
        .start();
    host.store("CALLED");
    host.store("NOT_CALLED");
    assert_eq!(host.event("/", &json!({ "call": true })).status, 200);
    host.stop();
    let log = host.log();
    let opened: Vec<_> = log.lines().filter(|line| line.contains("secret_materialize")).collect();
    assert!(opened.len() == 1 && opened[0].contains("secret_name=CALLED"), "{opened:?}");
    host.finish();
}

/// Weakness C11: `--secret K=V` put values into the process list and the shell's history.
#[test]
fn no_verb_takes_a_secret_on_the_command_line() {
    let mut host = Host::at_rest(TXCO);
    let canary = host.canary("typed on the command line");
    let given = format!("key={}", canary.text());
    for flag in ["--secret", "--secrets", "--key"] {
        for verb in ["run", "test", "bench"] {
            let stderr = host.run(&Call::new(&["op", verb, flag, &given])).fails(2);
            assert!(stderr.contains(flag), "{verb} {flag}: {stderr}");
        }
    }
    // Nor is it quoted where a source of one was meant.
    host.write("auth.wasm", AUTH);
    for flag in ["--secret-fd", "--secret-env"] {
        let stderr = host.run(&Call::new(&["op", "run", "auth.wasm", flag, canary.text()])).fails(2);
        assert!(stderr.contains(flag), "{stderr}");
    }
    host.finish();
}
