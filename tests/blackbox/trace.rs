//! The trace tells what happened to a request and which secrets a step had, never a value.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::{Answer, Call, Host, Upstream};

use crate::TXCO;

const RULES: [(&str, &str); 2] = [
    (
        "OPS/web/100/sign.txcl",
        "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"SIGNING_KEY\", input_path = \"body\"\n",
    ),
    (
        "OPS/web/200/call.txcl",
        "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n",
    ),
];

fn run(mode: &str) -> (Host, String) {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })));
    let mut host = Host::with(
        TXCO,
        &["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"],
    )
    .flags(&["--egress-allow-cidrs", "127.0.0.0/8", "--trace-mode", mode])
    .rule(RULES[0].0, RULES[0].1)
    .rule(RULES[1].0, RULES[1].1)
    .upstream(&vendor, "api.vendor.com:443")
    .start();
    host.store("SIGNING_KEY");
    let key = host.store("VENDOR_KEY");
    let reply = host.event("/", &json!({ "n": 1 }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    host.allow(&key, "upstream vendor header x-api-key", 1);
    let id = reply.header("x-request-id").unwrap().to_owned();
    (host, id)
}

fn meta(host: &Host, id: &str, step: &str) -> Value {
    serde_json::from_str(&host.read(&format!("data/trace/requests/{id}/steps/{step}/meta.json"))).unwrap()
}

/// T7 of the weaknesses.
#[test]
fn steps_record_slot_name_version_mode_and_destination() {
    let (host, id) = run("full");
    let sign = meta(&host, &id, "0100-sign");
    let secret = &sign["secrets"][0];
    assert_eq!(
        (&secret["slot"], &secret["name"], &secret["version"], &secret["mode"]),
        (&json!("key"), &json!("SIGNING_KEY"), &json!(1), &json!("reveal"))
    );
    assert!(secret["destination"].as_str().unwrap().contains("hmac-sign"), "{secret}");
    let call = meta(&host, &id, "0200-call");
    let secret = &call["secrets"][0];
    assert_eq!(
        (&secret["slot"], &secret["name"], &secret["mode"], &secret["destination"]),
        (
            &json!("headers.x-api-key"),
            &json!("VENDOR_KEY"),
            &json!("splice"),
            &json!("https://api.vendor.com")
        )
    );
    for file in
        ["in.json", "out.json", "timeline.jsonl", "steps/0100-sign/op.json", "steps/0100-sign/in.json"]
    {
        let path = host.path(&format!("data/trace/requests/{id}/{file}"));
        assert_eq!(path.metadata().expect(file).permissions().mode() & 0o777, 0o600, "{file}");
    }
    host.finish();
}

#[test]
fn summary_has_no_bodies_and_off_has_nothing() {
    let (host, id) = run("summary");
    assert_eq!(meta(&host, &id, "0200-call")["status"], "ok");
    let files = host.files(&format!("data/trace/requests/{id}/steps/0100-sign"));
    assert_eq!(files.len(), 1, "{files:?}");
    host.finish();
    let (host, _) = run("off");
    assert!(host.files("data/trace").is_empty());
    host.finish();
}

#[test]
fn the_command_prints_it() {
    let (mut host, id) = run("full");
    let last = host.txco(&["trace", "last"]).succeeds();
    for text in [id.as_str(), "sign", "call", "hmac-sign", "SIGNING_KEY", "VENDOR_KEY", "reveal", "splice"] {
        assert!(last.contains(text), "{text}: {last}");
    }
    assert_eq!(host.txco(&["trace", &id]).succeeds(), last);
    assert!(host.txco(&["trace"]).succeeds().contains(&id));
    let json: Value =
        serde_json::from_str(&host.txco(&["trace", "last", "--json"]).succeeds()).expect("JSON");
    assert!(json.to_string().contains("SIGNING_KEY"));
    host.finish();
}

#[test]
fn a_request_nobody_traced_is_told() {
    let (mut host, _) = run("full");
    let stderr = host.txco(&["trace", "req_1111111111111111111111"]).fails(1);
    assert!(stderr.contains("not traced"), "{stderr}");
    host.txco(&["trace", "../../../etc"]).fails(2);
    host.finish();
}

/// Weaknesses T2 and T6: what a rule hides is hidden, by a thread that loses nothing.
#[test]
fn what_rules_hide_is_in_no_trace() {
    let mut host = Host::serve(TXCO)
        .flags(&["--trace-async", "--trace-buffer-size", "1"])
        .rule(
            "OPS/web/100/a.txcl",
            "WITH redact = \".body.card\", omit = \".body.user.email\"\nEMIT .seen = true\n",
        )
        .rule("OPS/web/200/b.txcl", "EXEC \"txco://noop\"\nEMIT .again = true, @web.res.body = \"done\"\n")
        .start();
    let (card, email) = (host.canary("card"), host.canary("email"));
    let mut ids = Vec::new();
    for _ in 0..20 {
        let reply =
            host.event("/", &json!({ "card": card.text(), "user": { "email": email.text(), "id": 5 } }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        ids.push(reply.header("x-request-id").unwrap().to_owned());
    }
    // `finish` looks for them in every file.
    host.stop();
    for id in ids {
        let out: Value =
            serde_json::from_str(&host.read(&format!("data/trace/requests/{id}/out.json"))).unwrap();
        assert_eq!((&out["body"]["card"], &out["body"]["user"]), (&json!("[REDACTED]"), &json!({ "id": 5 })));
        assert_eq!(host.files(&format!("data/trace/requests/{id}/steps")).len(), 8);
    }
    host.finish();
}

#[test]
fn it_is_told_why_rules_fired() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/big.txcl", "WHEN .body.total > 100\nEMIT .big = true\n")
        .rule("OPS/web/100/small.txcl", "WHEN .body.total <= 100\nEMIT @halt = true\n")
        .rule("OPS/web/50/call.txcl", "EXEC \"http://127.0.0.1:1/\"\nWITH on_error = \"continue\"\n")
        .rule("OPS/web/200/later.txcl", "EMIT .later = true\n")
        .flags(&["--egress-policy", "open"])
        .start();
    assert_eq!(host.event("/", &json!({ "total": 7 })).status, 200);
    let whole = host.txco(&["trace", "last", "--step", "1", "--verbose", "--plain"]).succeeds();
    assert!(whole.starts_with("web/50/call\nin  "), "{whole}");
    let told = host.txco(&["trace", "last", "--explain"]).succeeds();
    for text in [
        "big  did not fire: its condition did not hold\n    line 1: .body.total > 100 did not hold: found 7",
        "small  fired: its condition held",
        "    went on after upstream_unreachable: http://127.0.0.1:1: connection refused (on_error)",
        "web/100 ended the request (@halt)",
        "never reached\n  web/200  later",
    ] {
        assert!(told.contains(text), "{text}\n{told}");
    }
    host.finish();
}

/// Weakness T3: traces do not grow for ever.
#[test]
fn the_oldest_traces_go() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/a.txcl", "EMIT .a = 1\n")
        .flags(&["--trace-max-bytes", "64KiB"])
        .start();
    let folders = |host: &Host| -> std::collections::BTreeSet<String> {
        let files = host.files("data/trace/requests");
        files
            .iter()
            .filter_map(|file| Some(file.strip_prefix("data/trace/requests/")?.split_once('/')?.0.to_owned()))
            .collect()
    };
    let body = json!({ "text": "x".repeat(4000) });
    let first = host.event("/", &body).header("x-request-id").unwrap().to_owned();
    let start = std::time::Instant::now();
    while folders(&host).contains(&first) {
        assert!(start.elapsed().as_secs() < 60, "the first is still there");
        assert_eq!(host.event("/", &body).status, 200);
    }
    let last = host.event("/", &body).header("x-request-id").unwrap().to_owned();
    assert!(folders(&host).contains(&last));
    host.finish();
}

#[test]
fn requests_are_watched_as_they_end() {
    let (mut host, _) = run("summary");
    let mut pty = host.on_terminal(&Call::new(&["trace", "--watch"]));
    // It shows what ends after it has begun to look.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let reply = host.event("/", &json!({ "n": 2 }));
    let start = std::time::Instant::now();
    while !pty.printed().contains(reply.header("x-request-id").unwrap()) {
        assert!(start.elapsed().as_secs() < 60, "{}", pty.printed());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    pty.signal(support::Signal::TERM);
    let _terminated = host.end_of(pty);
    host.finish();
}
