//! An op is pushed, called by a rule, replaced under rules that stay, and its tenant's own.

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

pub(crate) fn digest(bytes: &[u8]) -> String {
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
fn a_pushed_op_is_called_and_a_later_push_takes_its_place_if_it_fits() {
    let mut host = calling();
    assert!(called(&mut host).contains(&digest(AUTH)));
    let reply = host.event("/", &json!({})).text();
    assert!(!reply.contains("basic-auth"), "{reply}");

    let taken = host.logs_after("ops were pushed: the rules take them", |host| {
        let said = op(host, &["push", "another.wasm"]).succeeds();
        assert!(said.starts_with("replaced op://basic-auth-encode"), "{said}");
    });
    assert!(taken.contains(&digest(&another())), "{taken}");
    assert!(called(&mut host).contains(&digest(&another())));
    let said = op(&mut host, &["push", "another.wasm"]).succeeds();
    assert!(said.starts_with("unchanged"), "{said}");

    let kept = host.logs_after("the rules cannot take them, so they keep those they have", |host| {
        op(host, &["rm", "op://basic-auth-encode"]).succeeds();
    });
    assert!(kept.contains("OPS/web/200/auth.txcl:1") && kept.contains("there is no such op"), "{kept}");
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
    host.write("sign.wasm", include_bytes!("../../builtin-ops/dist/sigv4-sign.wasm"));
    op(&mut host, &["push", "sign.wasm"]).succeeds();
    let of_two = op(&mut host, &["show", "sigv4-sign"]).succeeds();
    assert!(of_two.contains("slots:     key, session_token (optional)\n"), "{of_two}");
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
    refused(
        push(name, one(&vec![0; 65 << 10])),
        413,
        "op_too_large",
        "it has 66560 bytes, and a component may have 65536",
    );
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

/// By the command line too: the chassis says how large it is and may be, and has stored nothing.
#[test]
fn what_is_too_large_is_refused_to_the_command_line() {
    let mut host = Host::serve(TXCO).flags(&["--op-size-max", "64KiB"]).start();
    let filled =
        |bytes: usize| [AUTH.to_vec(), section(0, [&[1, b'x'][..], &vec![0; bytes]].concat())].concat();
    let size = filled(64 << 10).len();
    host.write("large.wasm", filled(64 << 10));
    let stderr = op(&mut host, &["push", "large.wasm"]).fails(1);
    let told = format!("it has {size} bytes, and a component may have 65536");
    assert!(stderr.contains("op_too_large") && stderr.contains(&told), "{stderr}");
    assert!(!op(&mut host, &["list"]).succeeds().contains("basic-auth-encode"));
    host.write("large.wasm", filled((64 << 10) - (size - (64 << 10))));
    assert_eq!(host.path("large.wasm").metadata().unwrap().len(), 64 << 10);
    op(&mut host, &["push", "large.wasm"]).succeeds();
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

/// LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let rest = number >> 7;
        bytes.push((number & 0x7f) as u8 | if rest > 0 { 0x80 } else { 0 });
        number = rest;
        if number == 0 {
            return bytes;
        }
    }
}

fn sized(bytes: Vec<u8>) -> Vec<u8> {
    [leb(bytes.len()), bytes].concat()
}

fn section(id: u8, bytes: Vec<u8>) -> Vec<u8> {
    [vec![id], sized(bytes)].concat()
}

/// A component with a manifest that says no more than its name.
pub(crate) fn declared(component: &[u8], name: &str) -> Vec<u8> {
    let manifest = format!("name = \"{name}\"\n").into_bytes();
    [component.to_vec(), section(0, [sized(b"txco:manifest".to_vec()), manifest].concat())].concat()
}

/// The real component, and beside it a core module of these sections that nobody calls.
fn beside(sections: &[Vec<u8>]) -> Vec<u8> {
    let module = [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat();
    [AUTH.to_vec(), section(1, module)].concat()
}

#[test]
fn what_an_op_may_not_begin_with_is_refused_when_it_is_pushed() {
    let mut host = Host::serve(TXCO).start();
    let mut push = |component: &[u8]| {
        let builds = json!({ "builds": [{ "delivery": "reveal", "component": base64(component) }] });
        let path = "/v1/tenants/default/ops/basic-auth-encode";
        let reply = host.admin(&Request::new("PUT", path).json(&builds));
        (reply.status, reply.json().to_string())
    };
    // The op's own memory of one page and its table of ten count, too.
    let memory = |pages| beside(&[section(5, [vec![1, 0], leb(pages)].concat())]);
    let table = |elements| beside(&[section(4, [vec![1, 0x70, 0], leb(elements)].concat())]);
    assert_eq!(push(&memory(500)).0, 201);
    assert_eq!(push(&table(900)).0, 200);
    let refused = |(status, said): (u16, String), word: &str| {
        assert!(status == 422 && said.contains("op_invalid") && said.contains(word), "{status}: {said}");
    };
    refused(push(&memory(512)), "bytes of memory, and may have 33554432");
    refused(push(&table(1_000)), "table elements, and may have 1000");
    // What would take minutes and gigabytes to compile.
    let functions = |count: usize| {
        beside(&[
            section(1, vec![1, 0x60, 0, 0]),
            section(3, [leb(count), vec![0; count]].concat()),
            section(10, [leb(count), [2, 0, 0x0b].repeat(count)].concat()),
        ])
    };
    refused(push(&functions(50_000)), "functions and may have 50000: it would take too long to compile");
    // An import that no op may have, and the contract of a later chassis.
    let importing = |name: &str| {
        let import = [vec![1, 0], sized(name.as_bytes().to_vec()), vec![5, 0]].concat();
        let preamble = b"\0asm\x0d\0\x01\0".to_vec();
        declared(&[preamble, section(7, vec![1, 0x42, 0]), section(10, import)].concat(), "basic-auth-encode")
    };
    refused(
        push(&importing("wasi:http/types@0.2.0")),
        "it imports wasi:http/types@0.2.0, which no op may have",
    );
    refused(
        push(&importing("txco:op/call@1.1.0")),
        "it needs txco:op@1.1.0 and this chassis has 1.0.0: update txco",
    );
    refused(push(&importing("txco:op/call@0.9.0")), "rebuild the op with the SDK of this version");
    host.finish();
}

/// A component that takes seconds to compile.
fn slow() -> Vec<u8> {
    // local.get 0, i64.const 77, i64.mul, local.get 0, i64.rotl, local.set 0
    let step = [0x20, 0, 0x42, 0xcd, 0, 0x7e, 0x20, 0, 0x89, 0x21, 0];
    let body = sized([&[0][..], &step.repeat(1_500), &[0x20, 0, 0x0b]].concat());
    let functions = 300;
    beside(&[
        section(1, vec![1, 0x60, 1, 0x7e, 1, 0x7e]),
        section(3, [leb(functions), vec![0; functions]].concat()),
        section(10, [leb(functions), body.repeat(functions)].concat()),
    ])
}

/// Weakness W1: one large module used to hold up all that waited for a compiler, whoever's they were.
/// Weakness S14: what takes long is done before the write transaction, and holds nobody up.
#[test]
fn a_slow_compile_of_one_tenant_stalls_no_other() {
    let mut host = calling();
    let address = host.admin_address();
    let url = format!("http://{address}");
    host.run(&Call::new(&["auth", "tenant", "create", "acme", "--url", &url])).succeeds();
    host.run(&Call::new(&["auth", "tenant", "create", "other", "--url", &url])).succeeds();
    let body = json!({ "builds": [{ "delivery": "reveal", "component": base64(&slow()) }] });
    let request = Request::new("PUT", "/v1/tenants/acme/ops/basic-auth-encode").json(&body);
    let began = Instant::now();
    let pushing = std::thread::spawn(move || {
        let status = support::send(address, &request).map(|reply| reply.status);
        (status, began.elapsed())
    });
    // Meanwhile another tenant pushes an op of its own, and everybody is served.
    let quick = json!({ "builds": [{ "delivery": "reveal", "component": base64(AUTH) }] });
    let quick = Request::new("PUT", "/v1/tenants/other/ops/basic-auth-encode").json(&quick);
    assert_eq!(host.admin(&quick).status, 201);
    assert!(!pushing.is_finished(), "the quick push waited for the slow one");
    let (mut served, mut slowest) = (0, Duration::ZERO);
    while !pushing.is_finished() {
        let asked = Instant::now();
        assert_eq!(host.event("/", &json!({})).status, 200);
        assert_eq!(host.admin(&Request::new("GET", "/v1/tenants")).status, 200);
        if !pushing.is_finished() {
            served += 1;
            slowest = slowest.max(asked.elapsed());
        }
    }
    let (status, took) = pushing.join().unwrap();
    assert_eq!(status.unwrap(), 201);
    assert!(took > Duration::from_millis(500), "it compiled in {took:?}: too fast to keep anybody waiting");
    assert!(served >= 3 && slowest < took / 2, "{served} served in {took:?}, the slowest in {slowest:?}");
    host.finish();
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
