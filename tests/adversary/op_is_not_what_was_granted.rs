//! A grant to an op is a grant to its bytes: other bytes under its name are not run, wherever they were put.

use std::collections::BTreeSet;
use std::fs;

use rusqlite::Connection;
use serde_json::json;
use support::{Host, Request};

use crate::TXCO;
use crate::hostile::{FORGER, HOSTILE, Trace, attack, op, push, served, with_guest};

/// A component that asks for the network.
#[test]
fn foreign_imports_are_refused_by_name() {
    let mut host = Host::serve(TXCO).start();
    let foreign = "(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance))\
                   (core module $m (func (export \"handle\")))\
                   (core instance $i (instantiate $m))\
                   (func (export \"handle\") (canon lift (core func $i \"handle\"))))";
    let mut component = wat::parse_str(foreign).unwrap();
    // An empty name, then the manifest's.
    let manifest = b"\x0dtxco:manifestname = \"foreign\"\n";
    component.extend([0, u8::try_from(manifest.len()).unwrap()]);
    component.extend(manifest);
    host.write("foreign.wasm", component);
    let told = op(&mut host, &["push", "foreign.wasm"]).fails(1);
    assert!(told.contains("wasi:http/outgoing-handler@0.2.0"), "{told}");
    let reply = host.admin(&Request::new("GET", "/v1/tenants/default/ops"));
    assert_eq!(reply.json(), json!({ "ops": [] }), "nothing is stored");
    host.finish();
}

/// Whoever can write the database puts other bytes under the digest that rules are pinned to.
#[test]
fn bytes_swapped_in_the_database_do_not_load() {
    let (mut host, secret) = with_guest(&HOSTILE);
    served(&mut host);
    push(&mut host, &FORGER);
    host.stop();
    let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    let digest = |name: &str| -> String {
        let sql = "SELECT digest FROM txco_op_builds WHERE name = ?1";
        database.query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let sql = "UPDATE txco_components SET bytes = (SELECT bytes FROM txco_components WHERE digest = ?2) \
               WHERE digest = ?1";
    assert_eq!(database.execute(sql, [digest("hostile"), digest("forger")]).unwrap(), 1);
    drop(database);
    let args =
        ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    let told = host.txco(&args).fails(1);
    assert!(told.contains("op://hostile") && told.contains("txco_components"), "{told}");
    // The right bytes again, pushed by who may.
    host.write("workspace/OPS/web/100/hostile.txcl", "EMIT .x = 1\n");
    host.start();
    push(&mut host, &HOSTILE);
    host.write("workspace/OPS/web/100/hostile.txcl", HOSTILE.rule());
    host.logs_after("rules reloaded", |host| host.signal(support::Signal::HUP));
    served(&mut host);
    host.forgot(&secret, "all of it");
    host.finish();
}

/// A call under way, and every later one, keeps the bytes that the rules were loaded with.
#[test]
fn a_push_changes_nothing_for_loaded_rules() {
    let (mut host, secret) = with_guest(&HOSTILE);
    // The same op with other bytes: a name that an attacker wants to run under.
    let other = [HOSTILE.bytes(), b"\0\x05\x01xyyy".to_vec()].concat();
    host.write("other.wasm", other);
    op(&mut host, &["push", "other.wasm"]).succeeds();
    served(&mut host);
    let pinned = sha256(&HOSTILE.bytes());
    Trace::of(&mut host).says(&format!("op hostile@{pinned}"));
    host.forgot(&secret, "a call of the pinned bytes");
    host.finish();
}

const CHANGED: &str = " why=its MAC does not match: it was changed";

/// Whoever can write the cache folder cannot make us run what they compiled.
#[test]
fn compiled_code_that_was_changed_or_moved_is_compiled_again() {
    let (mut host, _) = with_guest(&HOSTILE);
    served(&mut host);
    host.stop();
    let compiled: Vec<_> = host.files("").into_iter().filter(|name| name.ends_with(".cwasm")).collect();
    assert!(compiled.len() >= 2, "{compiled:?}");
    // Each file's code under the next one's name; the MAC is over the name too.
    let codes: Vec<_> = compiled.iter().map(|name| fs::read(host.path(name)).unwrap()).collect();
    for (name, code) in compiled.iter().zip(codes.iter().cycle().skip(1)) {
        fs::write(host.path(name), code).unwrap();
    }
    host.start();
    served(&mut host);
    // Each one that is loaded is told by itself.
    let log = host.log();
    let ready = log.lines().rfind(|line| line.contains("ops ready")).unwrap();
    let word = ready.split("compiled=").nth(1).unwrap().split(' ').next().unwrap();
    let told: BTreeSet<_> = log.lines().filter_map(|line| line.strip_suffix(CHANGED)).collect();
    let told = told.iter().filter(|line| line.contains("WARN compiled op is not used")).count();
    assert_eq!((told, word), (1, "1"), "{log}");
    assert!(!host.log().contains("another master key"), "{}", host.log());
    assert_eq!(attack(&mut host, 10).status, 500);
    host.finish();
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
