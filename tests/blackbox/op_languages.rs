//! Ops in JavaScript, C and Python: built by their languages' own tools, shown a secret, their header sent.
//!
//! Where a tool is missing a test says so and stops there; `.ci/run` installs all of them first and fails when
//! one stopped.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{Answer, Call, Host, Output, Upstream};

use crate::TXCO;
use crate::op_new::{building, mac};

/// The example in `examples/ops/LANGUAGE`, as a folder of `host`.
fn example(host: &Host, language: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ops").join(language);
    let mut copied = 0;
    for folder in ["", "tests"] {
        for entry in fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_file() && !name.starts_with('.') && !name.ends_with(".wasm") {
                host.write(&format!("op/{folder}/{name}"), fs::read(entry.path()).unwrap());
                copied += 1;
            }
        }
    }
    assert!(copied > 4, "only {copied} files");
}

/// Whether this machine has not what it takes; says so then.
fn lacks_a_tool(output: &Output) -> bool {
    let missing = ["which is not on the path", "npm failed", "pip failed"];
    let lacks = output.code != Some(0) && missing.iter().any(|word| output.stderr.contains(word));
    if lacks {
        Host::say_skipped(&output.stderr);
    }
    lacks
}

/// Builds the example, rehearses it, pushes it, and calls it by a rule with a secret that it is shown.
fn works(language: &str, largest: u64) {
    let partner = Upstream::https("partner", &["api.partner.com"], |_| Answer::json(&json!({ "ok": true })));
    let name = format!("{language}-signer");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/hello.txcl", "EMIT .hello = 1\n")
        .upstream(&partner, "api.partner.com:443")
        .start();
    example(&host, language);
    let built = host.run(&building(&["op", "build", "op", "--json"]));
    if lacks_a_tool(&built) {
        return host.finish();
    }
    let built: Value = serde_json::from_str(&built.succeeds()).unwrap();
    let size = built["builds"][0]["size"].as_u64().unwrap();
    assert!(size <= largest, "{size} bytes");

    let tested = host.run(&building(&["op", "test", "op"])).succeeds();
    let expected = ["long-key", "nothing-to-sign", "signs"].map(|name| format!("ok      {name} (reveal)\n"));
    assert_eq!(tested, expected.concat());

    let component = format!("op/{name}.wasm");
    let inspected = host.txco(&["op", "inspect", &component, "--json"]).succeeds();
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let imports = inspected["builds"][0]["imports"].as_array().unwrap().clone();
    let imports: Vec<_> = imports.iter().filter_map(Value::as_str).collect();
    assert!(imports.contains(&"txco:op/secrets@1.0.0"), "{imports:?}");
    assert!(!imports.iter().any(|import| import.starts_with("txco:op/keys")), "{imports:?}");

    let url = format!("http://{}", host.admin_address());
    host.run(&building(&["op", "push", &component, "--url", &url])).succeeds();
    let key = host.store("PARTNER_KEY");
    host.write(
        "workspace/OPS/web/200/sign.txcl",
        format!("EXEC \"op://{name}\"\nWITH secrets.key.secret = \"PARTNER_KEY\", key_id = \"k1\"\n"),
    );
    host.write(
        "workspace/OPS/web/300/send.txcl",
        "SET @web.req.headers.authorization = @computed.authorization\nWITH method = \"POST\"\n\
         EXEC \"https://api.partner.com/orders\"\n",
    );
    host.logs_after("rules reloaded", |host| host.signal(support::Signal::HUP));
    // More calls than there are memories kept for their next use.
    for round in 0..6 {
        let body = json!({ "order": round });
        let reply = host.event("/", &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!reply.text().contains("HMAC "), "{}", reply.text());
        let sent = partner.received().pop().unwrap();
        let mac = mac(key.text(), &body.to_string());
        assert_eq!(sent.header("authorization"), Some(format!("HMAC k1:{mac}").as_str()));
    }
    host.finish();
}

#[test]
fn javascript() {
    works("js", 16 << 20);
}

#[test]
fn c() {
    works("c", 20 << 10);
}

#[test]
fn python() {
    works("python", 20 << 20);
}

/// What `op new` makes in each language is an op that passes its own test; with what is wrong it is said where.
#[test]
fn a_new_op_of_each_language_signs_by_handle() {
    let mut host = Host::at_rest(TXCO);
    for (language, file, broken) in [
        ("c", "op.c", "int x = ;"),
        ("js", "op.js", "export function handle( {"),
        ("python", "op.py", "def x(:"),
    ] {
        host.txco(&["op", "new", language, "--lang", language]).succeeds();
        let tested = host.run(&building(&["op", "test", language]));
        if lacks_a_tool(&tested) {
            continue;
        }
        assert_eq!(tested.succeeds(), "ok      signs (use)\n", "{language}");
        host.write(&format!("{language}/{file}"), broken);
        let said = host.run(&building(&["op", "build", language])).fails(1);
        assert!(said.contains(file), "{language}: {said}");
    }
    host.finish();
}

/// Weakness W8: a compiler that is not there is named, with the command that installs it; nothing is fetched for it.
#[test]
fn without_a_tool_it_is_said_what_to_install() {
    let mut host = Host::at_rest(TXCO);
    for (language, word) in [
        ("c", "ops in c need clang, which is not on the path: apt-get install clang lld wasi-libc"),
        ("js", "ops in js need npm, which is not on the path: apt-get install nodejs npm"),
        (
            "python",
            "ops in python need python3, which is not on the path: apt-get install python3 python3-pip",
        ),
    ] {
        host.txco(&["op", "new", language, "--lang", language]).succeeds();
        let stderr = host.run(&Call::new(&["op", "build", language]).env("PATH", "/nowhere")).fails(1);
        assert!(stderr.contains(word), "{stderr}");
    }
    assert_eq!(host.files("home").iter().filter(|file| file.contains("/tools/")).count(), 0);
    host.finish();
}
