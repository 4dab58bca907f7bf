//! A value is stored byte for byte, however it comes in, and the answer tells how many bytes there were.

use serde_json::{Value, json};
use support::{Answer, Canary, Host, Upstream};

use crate::TXCO;

const RULE: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.body.token.secret = \"TOKEN\", method = \"POST\"\n";

/// What a value looks like around what is secret in it.
type Form = fn(&str) -> String;

/// Weakness A7: keys in PEM, credentials in JSON, and values with spaces at their edges.
#[test]
fn a7_what_comes_in_is_what_is_sent() {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })));
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/call.txcl", RULE).upstream(&vendor, "api.vendor.com:443").start();
    let forms: [(&str, Form); 5] = [
        ("PEM", |core| format!("-----BEGIN KEY-----\n{core}\n-----END KEY-----\n")),
        ("JSON", |core| format!("{{\n  \"private_key\": \"{core}\"\n}}")),
        ("edge spaces", |core| format!("  {core}\t ")),
        ("two newlines", |core| format!("{core}\n\n")),
        ("carriage return", |core| format!("{core}\r\nmore")),
    ];
    let (mut sent, mut canaries) = (Vec::new(), Vec::new());
    for (label, form) in forms {
        for way in ["pipe", "file", "-"] {
            let canary: Canary = host.canary(&format!("{label} by {way}"));
            let value = form(canary.text());
            let (call, kept) = if way == "file" {
                host.write("in/value", &value);
                (host.secrets_call(&["set", "TOKEN", "--from-file", "in/value"]), value.clone())
            } else if way == "-" {
                let call = host.secrets_call(&["set", "TOKEN", "--from-file", "-"]);
                (call.stdin(value.clone()), value.clone())
            } else {
                let kept = value.strip_suffix('\n').unwrap_or(&value).to_owned();
                (host.secrets_call(&["set", "TOKEN"]).stdin(value.clone()), kept)
            };
            let output = host.run(&call);
            assert!(output.stderr.contains(&format!("received {} bytes", kept.len())), "{label}: {output:?}");
            let dropped = output.stderr.contains("(one newline at the end dropped)");
            assert_eq!(dropped, kept != value, "{label} by {way}: {output:?}");
            output.succeeds();
            std::fs::remove_file(host.path("in/value")).ok();
            assert_eq!(host.event("/", &json!({})).status, 200);
            sent.push(kept);
            canaries.push(canary);
        }
    }
    let received: Vec<String> = vendor
        .received()
        .iter()
        .map(|request| request.json()["token"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(received, sent);
    for canary in &canaries {
        host.allow(canary, "upstream vendor body", 1);
    }
    host.finish();
}

#[test]
fn every_verb_answers_in_json() {
    let mut host = Host::serve(TXCO).start();
    let (first, second) = (host.canary("first"), host.canary("second"));
    let mut answer = |args: &[&str], stdin: &str| -> Value {
        let call = host.secrets_call(args).arg("--json").stdin(stdin);
        serde_json::from_str(&host.run(&call).succeeds()).unwrap()
    };
    assert_eq!(answer(&["set", "A_KEY"], first.text())["secret"]["version_no"], 1);
    assert_eq!(answer(&["rotate", "A_KEY"], second.text())["secret"]["version_no"], 2);
    assert_eq!(answer(&["show", "A_KEY"], "")["secret"]["name"], "A_KEY");
    assert_eq!(answer(&["list"], "")["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(answer(&["describe", "A_KEY", "--set", "d"], "")["secret"]["description"], "d");
    assert_eq!(answer(&["revoke", "A_KEY"], ""), json!({ "revoked": "A_KEY", "tenant": "default" }));
    let minted = answer(&["generate", "B_KEY"], "");
    let renewed = answer(&["rotate", "B_KEY", "--generate"], "");
    for (label, reply) in [("minted", minted), ("renewed", renewed)] {
        let canary = Canary::found(label, reply["value"].as_str().unwrap().as_bytes());
        host.guard(&canary);
        host.allow(&canary, "stdout", 1);
    }
    let failed = host.secrets(&["show", "A_KEY", "--json"]);
    let complaint: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert!(complaint["error"].as_str().unwrap().contains("secret_not_found"), "{complaint}");
    assert_eq!(failed.fails(1), "");
    host.finish();
}

#[test]
fn byte_lengths_at_and_beyond_their_ends() {
    let mut host = Host::serve(TXCO).start();
    for (length, characters) in [("1", 2), ("4096", 5462)] {
        let name = format!("K_{length}");
        let value = host.secrets(&["generate", &name, "--byte-len", length]).succeeds();
        assert_eq!(value.trim_end().len(), characters);
    }
    for length in ["0", "4097"] {
        let stderr = host.secrets(&["generate", "A_KEY", "--byte-len", length]).fails(2);
        assert!(stderr.contains(&format!("{length} is not in 1..=4096")), "{stderr}");
    }
    host.finish();
}

/// Weaknesses S3 and S4, as an operator meets them.
#[test]
fn sizes_are_bounded_and_can_be_chosen() {
    let flags = ["--secret-value-max", "100", "--secret-description-max", "10"];
    let mut host = Host::serve(TXCO).flags(&flags).start();
    let set = |host: &mut Host, value: usize, description: usize| {
        let call = host.secrets_call(&["set", "A_KEY", "--description", &"d".repeat(description)]);
        host.run(&call.stdin("v".repeat(value)))
    };
    set(&mut host, 100, 10).succeeds();
    let said = set(&mut host, 101, 10).fails(1);
    assert!(said.contains("413 Payload Too Large: value_too_large (detail=map[err:the value has 101 bytes; at most 100 are stored (--secret-value-max)])"), "{said}");
    let said = set(&mut host, 100, 11).fails(1);
    assert!(said.contains("422 Unprocessable Entity: description_too_long"), "{said}");
    host.finish();
    let mut host = Host::at_rest(TXCO);
    let said = host.txco(&["serve", "--admin-addr", "127.0.0.1:0", "--secret-value-max", "257KiB"]).fails(1);
    assert!(said.contains("--secret-value-max: expected at most 262144 bytes"), "{said}");
    host.finish();
}

/// An error is one line that says what to do.
#[test]
fn errors_say_what_to_do() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    for (args, said) in [
        (
            &["show", "NONE"][..],
            "404 Not Found: secret_not_found — `txco auth tenant secrets list` shows what there is",
        ),
        (&["generate", "A_KEY"][..], "409 Conflict: secret_exists — `rotate` gives it a new value"),
        (
            &["list", "--tenant", "nobody"][..],
            "404 Not Found: tenant_not_found (detail=map[slug:nobody]) — `txco auth tenants`",
        ),
    ] {
        let stderr = host.secrets(args).fails(1);
        let complaint = stderr.lines().last().unwrap();
        assert!(complaint.contains(said), "{stderr}");
    }
    host.finish();
}
