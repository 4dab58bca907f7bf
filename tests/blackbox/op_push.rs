//! An op is pushed, called by a rule, pinned to its bytes until rules are loaded again, and its tenant's own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Call, Host, Output, Request, Signal};

use crate::TXCO;

/// A component that is shown a secret and returns a credential: what any tenant's op may do.
pub(crate) const AUTH: &[u8] = include_bytes!("../../builtin-ops/dist/basic-auth-encode.wasm");
const RULE: &str =
    "EXEC \"op://basic-auth-encode\"\nWITH secrets.password.secret = \"PASSWORD\", user = \"alice\"\n";

/// The same component with other bytes: a custom section more.
fn another() -> Vec<u8> {
    [AUTH, b"\0\x05\x01xyyy"].concat()
}

fn op(host: &mut Host, args: &[&str]) -> Output {
    let call = args.iter().fold(Call::new(&["op"]), |call, arg| call.arg(arg));
    let url = format!("http://{}", host.admin_address());
    host.run(&call.arg("--url").arg(&url))
}

/// The digests by which the last request's steps called ops.
fn called(host: &mut Host) -> String {
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let traced = host.txco(&["trace", "last", "--json"]).succeeds();
    traced.lines().filter(|line| line.contains("op basic-auth-encode@")).map(str::to_owned).collect()
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A chassis with the op pushed, its secrets stored, and the rule loaded.
fn calling() -> Host {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/hello.txcl", "EMIT .hello = 1\n")
        .file("auth.wasm", AUTH)
        .file("another.wasm", another())
        .start();
    host.store("PASSWORD");
    let said = op(&mut host, &["push", "auth.wasm"]).succeeds();
    assert!(said.starts_with("created op://basic-auth-encode in tenant \"default\"\n"), "{said}");
    assert!(said.contains(&digest(AUTH)), "{said}");
    host.write("workspace/OPS/web/200/auth.txcl", RULE);
    let pinned = host.logs_after("ops pinned", |host| host.signal(Signal::HUP));
    assert!(pinned.contains(&format!("basic-auth-encode@{}", digest(AUTH))), "{pinned}");
    host
}

#[test]
fn a_pushed_op_is_called_and_a_later_push_waits_for_the_next_load() {
    let mut host = calling();
    assert!(called(&mut host).contains(&digest(AUTH)));
    let reply = host.event("/", &json!({})).text();
    assert!(!reply.contains("basic-auth"), "{reply}");

    let said = op(&mut host, &["push", "another.wasm"]).succeeds();
    assert!(said.starts_with("replaced op://basic-auth-encode"), "{said}");
    assert!(called(&mut host).contains(&digest(AUTH)), "the rules were loaded with the first");
    host.logs_after("rules reloaded", |host| host.signal(Signal::HUP));
    assert!(called(&mut host).contains(&digest(&another())));
    let said = op(&mut host, &["push", "another.wasm"]).succeeds();
    assert!(said.starts_with("unchanged"), "{said}");

    op(&mut host, &["rm", "op://basic-auth-encode"]).succeeds();
    assert!(called(&mut host).contains(&digest(&another())), "rules keep what they were loaded with");
    let told = host.logs_after("auth.txcl:1:", |host| host.signal(Signal::HUP));
    assert!(
        told.contains("EXEC \"op://basic-auth-encode\": there is no such op; none was pushed yet"),
        "{told}"
    );
    host.wait_log("rules not reloaded: the last good ones stay");
    assert!(called(&mut host).contains(&digest(&another())));
    host.finish();
}

#[test]
fn a_rule_that_calls_an_unknown_op_does_not_load() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/auth.txcl", RULE).at_rest();
    let args =
        ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    let stderr = host.txco(&args).fails(1);
    assert!(
        stderr.contains("OPS/web/100/auth.txcl:1: EXEC \"op://basic-auth-encode\": there is no such op"),
        "{stderr}"
    );
    assert!(stderr.contains("txco op push"), "{stderr}");
    host.finish();
}

#[test]
fn ops_are_listed_and_shown_with_who_pushed_what() {
    let mut host = calling();
    let listed = op(&mut host, &["list"]).succeeds();
    let row = listed.lines().nth(1).unwrap();
    assert!(row.starts_with("basic-auth-encode  reveal") && row.contains(&digest(AUTH)[..12]), "{listed}");
    let shown = op(&mut host, &["show", "basic-auth-encode"]).succeeds();
    for word in
        ["op:        basic-auth-encode", "password", "(credential)", "txco:op/secrets@1.0.0", &digest(AUTH)]
    {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let shown = op(&mut host, &["show", "basic-auth-encode", "--json"]).succeeds();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["op"]["builds"][0]["digest"], digest(AUTH));
    assert_eq!(shown["op"]["push_no"], 1);
    let line = host.wait_log("op_action");
    assert!(line.contains("action=show") && line.contains("op_name=basic-auth-encode"), "{line}");
    let stderr = op(&mut host, &["show", "nothing"]).fails(1);
    assert!(stderr.contains("op_not_found"), "{stderr}");
    host.finish();
}

/// Weakness W5: what one tenant pushes is nothing to another.
#[test]
fn an_op_is_its_tenants_own() {
    let mut host = calling();
    host.run(&Call::new(&[
        "auth",
        "tenant",
        "create",
        "acme",
        "--url",
        &format!("http://{}", host.admin_address()),
    ]))
    .succeeds();
    let said = op(&mut host, &["push", "another.wasm", "--tenant", "acme"]).succeeds();
    assert!(said.starts_with("created"), "{said}");
    host.logs_after("rules reloaded", |host| host.signal(Signal::HUP));
    assert!(called(&mut host).contains(&digest(AUTH)), "the default tenant's is what it was");
    op(&mut host, &["rm", "basic-auth-encode", "--tenant", "acme"]).succeeds();
    host.logs_after("rules reloaded", |host| host.signal(Signal::HUP));
    assert!(called(&mut host).contains(&digest(AUTH)));
    host.finish();
}

#[test]
fn what_is_no_op_is_refused_and_nothing_is_stored() {
    let mut host = Host::serve(TXCO).flags(&["--op-size-max", "64KiB"]).start();
    let base64 = |bytes: &[u8]| base64(bytes);
    let mut push = |name: &str, builds: Value| {
        let path = format!("/v1/tenants/default/ops/{name}");
        let reply = host.admin(&Request::new("PUT", &path).json(&json!({ "builds": builds })));
        (reply.status, reply.json())
    };
    let one = |bytes: &[u8]| json!([{ "delivery": "reveal", "component": base64(bytes) }]);
    let name = "basic-auth-encode";
    let refused = |(status, reply): (u16, Value), expected: u16, code: &str, word: &str| {
        assert_eq!((status, reply["error"].as_str()), (expected, Some(code)), "{reply}");
        assert!(reply.to_string().contains(word), "{word}: {reply}");
    };
    refused(push(name, one(b"\0asm\x01\0\0\0")), 422, "op_invalid", "a core module, not a component");
    refused(push(name, one(b"\0asm\x0d\0\x01\0")), 422, "op_invalid", "no section txco:manifest");
    refused(push(name, one(&AUTH[..AUTH.len() / 2])), 422, "op_invalid", "malformed");
    refused(push("other", one(AUTH)), 422, "op_invalid", "its op.toml says that it is basic-auth-encode");
    refused(push(name, one(&vec![0; 65 << 10])), 413, "op_too_large", "65536 bytes");
    refused(push(name, json!([])), 400, "invalid_body", "no component");
    refused(push("a%20b", one(AUTH)), 400, "invalid_op_name", "letters");
    let as_use = json!([{ "delivery": "use", "component": base64(AUTH) }]);
    refused(push(name, as_use), 422, "op_invalid", "asks to be shown secrets");
    let wrongly = json!([{ "delivery": "reveal", "component": base64(AUTH), "signature": "x" }]);
    refused(push(name, wrongly), 422, "op_unsigned", "not of the form");
    refused(
        push(name, json!([{ "delivery": "reveal", "component": "%" }])),
        400,
        "invalid_body",
        "not base64",
    );
    let reply = host.admin(&Request::new("GET", "/v1/tenants/default/ops"));
    assert_eq!(reply.json(), json!({ "ops": [] }));
    host.finish();
}

#[test]
fn a_tenant_may_have_so_many() {
    let mut host = Host::serve(TXCO).flags(&["--ops-max", "0"]).file("auth.wasm", AUTH).start();
    let stderr = op(&mut host, &["push", "auth.wasm"]).fails(1);
    assert!(stderr.contains("too_many_ops") || stderr.contains("may have no more"), "{stderr}");
    host.finish();
}

/// One slow push keeps neither the data plane nor administration waiting.
#[test]
fn others_are_served_while_an_op_is_pushed() {
    let mut host = calling();
    let address = host.admin_address();
    let body = json!({ "builds": [{ "delivery": "reveal", "component": base64(AUTH) }] });
    let pushing: Vec<_> = (0..4)
        .map(|_| {
            let request = Request::new("PUT", "/v1/tenants/default/ops/basic-auth-encode").json(&body);
            std::thread::spawn(move || support::send(address, &request).map(|reply| reply.status))
        })
        .collect();
    let began = Instant::now();
    assert_eq!(host.event("/", &json!({})).status, 200);
    assert_eq!(host.admin(&Request::new("GET", "/v1/tenants")).status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let statuses: Vec<_> = pushing.into_iter().map(|push| push.join().unwrap().unwrap()).collect();
    assert_eq!(statuses, [200; 4]);
    host.finish();
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
