//! Rules are applied over the admin API: drafted, checked, activated whole, served from the next request on.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;
use serde_json::{Value, json};
use support::{Answer, Host, Reply, Request, Upstream, send};

use crate::TXCO;
use crate::op_push::AUTH;

const STACKS: &str = "/v1/tenants/default/stacks";
const DATABASE: &str = "chassis/data/db/runtime-dev.db";

pub(crate) fn ask(host: &mut Host, method: &str, path: &str, body: &Value) -> Reply {
    host.admin(&Request::new(method, path).json(body))
}

/// A draft of `stack` with these files: its number and manifest.
fn drafted(host: &mut Host, tenant: &str, stack: &str, files: &[(&str, &str)]) -> (u64, String) {
    let at = format!("/v1/tenants/{tenant}/stacks/{}", stack.replace('/', "%2F"));
    let begun = ask(host, "POST", &format!("{at}/draft"), &json!({}));
    assert_eq!(begun.status, 201, "{}", begun.text());
    let number = begun.json()["version_number"].as_u64().unwrap();
    let files: Vec<_> =
        files.iter().map(|(path, content)| json!({ "path": path, "content": content })).collect();
    let put = ask(host, "PUT", &format!("{at}/versions/{number}/files"), &json!({ "files": files }));
    assert_eq!(put.status, 200, "{}", put.text());
    (number, put.json()["manifest_hash"].as_str().unwrap().to_owned())
}

fn activate(host: &mut Host, tenant: &str, stack: &str, number: u64) -> Reply {
    let at = format!("/v1/tenants/{tenant}/stacks/{}/activate", stack.replace('/', "%2F"));
    ask(host, "POST", &at, &json!({ "version_number": number }))
}

/// Applies one rule of `stack`.
pub(crate) fn applied(host: &mut Host, tenant: &str, stack: &str, rule: &str) -> u64 {
    let (number, _) = drafted(host, tenant, stack, &[("100/hello.txcl", rule)]);
    let reply = activate(host, tenant, stack, number);
    assert_eq!(reply.status, 200, "{}", reply.text());
    number
}

pub(crate) fn says(text: &str) -> String {
    format!("EMIT .says = {text:?}\n")
}

fn get(host: &mut Host, name: &str) -> Reply {
    host.web(&Request::new("GET", "/").header("Host", name))
}

fn said(host: &mut Host) -> String {
    let reply = get(host, "localhost");
    reply.json()["says"].as_str().unwrap_or_else(|| panic!("{}", reply.text())).to_owned()
}

#[test]
fn what_is_activated_answers_the_next_request_and_survives_a_restart() {
    let mut host = Host::serve(TXCO).start();
    assert_eq!(get(&mut host, "localhost").status, 404, "nothing is applied yet");
    let one = applied(&mut host, "default", "shop", &says("one"));
    assert_eq!(said(&mut host), "one", "without any wait");
    let two = applied(&mut host, "default", "shop", &says("two"));
    assert_eq!(said(&mut host), "two");
    let reply = activate(&mut host, "default", "shop", one);
    assert_eq!(reply.json()["prior_version_number"], two);
    assert_eq!(said(&mut host), "one", "rolled back");
    host.kill();
    host.start();
    assert_eq!(said(&mut host), "one");

    let versions = host.admin(&Request::new("GET", &format!("{STACKS}/shop/versions"))).json();
    let states: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|v| v["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["superseded", "active"]);
    let diff = host.admin(&Request::new("GET", &format!("{STACKS}/shop/diff?v1=1&v2=2"))).json();
    assert_eq!(diff["files"], json!([{ "path": "100/hello.txcl", "change": "changed" }]));
    let cat = host.admin(&Request::new("GET", &format!("{STACKS}/shop/cat?path=100/hello.txcl"))).json();
    assert_eq!(cat["content"], says("one"));

    let rules = host.admin(&Request::new("GET", "/v1/tenants/default/ops?stack=shop&scope=100")).json();
    assert_eq!(
        rules["ops"][0],
        json!({ "stack": "shop", "scope": 100, "name": "hello", "txcl": says("one") })
    );

    let url = format!("http://{}", host.admin_address());
    let rows = host.txco(&["auth", "audit", "list", "--url", &url]).succeeds();
    for action in ["stack.draft", "stack.upload", "stack.activate", "stack.rollback"] {
        assert!(rows.contains(action), "{action}: {rows}");
    }
    host.txco(&["auth", "audit", "verify", "--url", &url]).succeeds();
    let reply = ask(&mut host, "POST", &format!("{STACKS}/shop/deactivate"), &json!({}));
    assert_eq!(reply.json()["prior_version_number"], one);
    assert_eq!(get(&mut host, "localhost").status, 404);
    host.finish();
}

/// Weakness E3: the Go chassis activates what does not parse, and the request hangs on it.
#[test]
fn e3_rules_that_do_not_check_are_refused_and_the_old_ones_stay() {
    let mut host = Host::serve(TXCO).start();
    applied(&mut host, "default", "shop", &says("one"));
    let broken = [("100/hello.txcl", "# a comment\nEMIT .says = \n"), ("200/b.txcl", "WHEN .a\n")];
    let (number, _) = drafted(&mut host, "default", "shop", &broken);
    let path = format!("{STACKS}/shop/versions/{number}/validate");
    let checked = ask(&mut host, "POST", &path, &json!({})).json();
    assert_eq!((checked["ok"].as_bool(), checked["errors"].as_array().unwrap().len()), (Some(false), 2));
    let reply = activate(&mut host, "default", "shop", number);
    assert_eq!((reply.status, reply.json()["error"].as_str().unwrap()), (422, "invalid_rules"));
    let text = reply.json()["detail"]["errors"][0]["err"].as_str().unwrap().to_owned();
    assert!(text.contains("OPS/shop/100/hello.txcl:2:") && text.contains('^'), "{text}");
    assert_eq!(said(&mut host), "one");
    for (path, code) in [
        ("100/../../x.txcl", "invalid_path"),
        ("/etc/passwd", "invalid_path"),
        ("hello.txcl", "invalid_path"),
        ("100/a b.txcl", "invalid_path"),
        ("100/.hidden/a.txcl", "invalid_path"),
        ("100/hello.js", "invalid_path"),
    ] {
        let files = json!({ "files": [{ "path": path, "content": "" }] });
        let reply = ask(&mut host, "PUT", &format!("{STACKS}/shop/versions/{number}/files"), &files);
        assert_eq!((reply.status, reply.json()["error"].as_str().unwrap()), (400, code), "{path}");
    }
    host.finish();
}

#[test]
fn an_op_is_pinned_by_the_activation_that_calls_it() {
    let mut host = Host::serve(TXCO).start();
    host.store("PASSWORD");
    let push = |host: &mut Host, component: &[u8]| {
        let build = json!([{ "delivery": "reveal", "component": STANDARD.encode(component) }]);
        let path = "/v1/tenants/default/ops/basic-auth-encode";
        let reply = ask(host, "PUT", path, &json!({ "builds": build }));
        assert!(reply.status < 300, "{}", reply.text());
    };
    let rule =
        "EXEC \"op://basic-auth-encode\"\nWITH secrets.password.secret = \"PASSWORD\", user = \"alice\"\n";
    let (number, _) = drafted(&mut host, "default", "shop", &[("100/auth.txcl", rule)]);
    let reply = activate(&mut host, "default", "shop", number);
    assert_eq!((reply.status, reply.json()["error"].as_str().unwrap()), (422, "unresolved_op_ref"));
    push(&mut host, AUTH);
    let reply = activate(&mut host, "default", "shop", number);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let pinned = reply.json()["ops"][0]["digest"].as_str().unwrap().to_owned();
    let called = |host: &mut Host| {
        let reply = host.event("/", &json!({}));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let traced = host.txco(&["trace", "last", "--json"]).succeeds();
        traced
            .lines()
            .filter(|line| line.contains("op basic-auth-encode@"))
            .map(str::to_owned)
            .collect::<String>()
    };
    assert!(called(&mut host).contains(&pinned));
    push(&mut host, &[AUTH, b"\0\x05\x01xyyy"].concat());
    let gone = host.admin(&Request::new("DELETE", "/v1/tenants/default/ops/basic-auth-encode"));
    assert_eq!(gone.status, 204);
    assert!(called(&mut host).contains(&pinned), "a later push is for later versions");
    host.stop();
    host.start();
    assert!(called(&mut host).contains(&pinned), "also after a restart");
    host.finish();
}

#[test]
fn a_host_leads_to_its_tenant_and_stack_and_an_unknown_one_nowhere() {
    // The server that has the host until its owner leads it here.
    let answer = Arc::new(Mutex::new(String::new()));
    let said = Arc::clone(&answer);
    let before =
        Upstream::http("before", move |_| Answer::new(200, &[], format!("{}\n", said.lock().unwrap())));
    let mut host = Host::serve(TXCO)
        .env("TXCO_REQUIRE_HOSTNAME_VERIFICATION", "yes")
        .upstream(&before, "proven.example:80")
        .start();
    applied(&mut host, "default", "shop", &says("shop"));
    assert_eq!(get(&mut host, "any.example").json()["says"], "shop", "one tenant, one stack: it is its");
    let reply = ask(&mut host, "POST", "/v1/tenants", &json!({ "slug": "acme" }));
    assert_eq!(reply.status, 201);
    applied(&mut host, "acme", "site", &says("acme"));
    applied(&mut host, "acme", "site/eu", "EMIT .eu = true\n");
    let unknown = get(&mut host, "any.example");
    assert_eq!((unknown.status, unknown.text().contains("host_unknown")), (404, true), "{}", unknown.text());

    let bind = |host: &mut Host, tenant: &str, name: &str, stack: Value| {
        let path = format!("/v1/tenants/{tenant}/hostnames");
        ask(host, "POST", &path, &json!({ "hostname": name, "stack": stack }))
    };
    assert_eq!(bind(&mut host, "default", "shop.example", Value::Null).status, 200);
    assert_eq!(bind(&mut host, "acme", "Acme.Example", json!("site")).status, 200);
    assert_eq!(bind(&mut host, "acme", "eu.acme.example", json!("site/eu")).status, 200);
    let taken = bind(&mut host, "acme", "shop.example", json!("site"));
    assert_eq!((taken.status, taken.json()["error"].as_str().unwrap()), (409, "hostname_taken"));
    for name in ["shop.example", "Acme.Example", "eu.acme.example"] {
        assert_eq!(get(&mut host, name).status, 404, "{name} is not proven");
    }

    // A host counts when it says what it is asked for, at its own server or here.
    assert_eq!(bind(&mut host, "acme", "proven.example", json!("site")).status, 200);
    let prove = |host: &mut Host, tenant: &str, name: &str, method: Value| {
        let path = format!("/v1/tenants/{tenant}/hostnames/{name}/verify");
        ask(host, "POST", &path, &json!({ "method": method }))
    };
    let code = |reply: &Reply| reply.json()["error"].as_str().unwrap().to_owned();
    let unproven = prove(&mut host, "acme", "proven.example", json!("http-01"));
    assert_eq!((unproven.status, code(&unproven)), (422, "hostname_unverified".to_owned()));
    let detail = unproven.json()["detail"].clone();
    let path = detail["url"].as_str().unwrap().strip_prefix("http://proven.example").unwrap().to_owned();
    assert_eq!(before.received().last().unwrap().target, path);
    let here = host.web(&Request::new("GET", &path).header("Host", "proven.example"));
    assert_eq!(here.text().trim(), detail["answer"], "this chassis proves it as well");
    assert_eq!(host.web(&Request::new("GET", "/.well-known/txco-verify/guess")).status, 404);
    assert_eq!(code(&prove(&mut host, "default", "proven.example", Value::Null)), "hostname_not_found");
    assert_eq!(code(&prove(&mut host, "acme", "proven.example", json!("dns-01"))), "method_unsupported");
    assert_eq!(get(&mut host, "proven.example").status, 404);
    let url = format!("http://{}", host.admin_address());
    let verify =
        ["auth", "tenant", "hostnames", "verify", "proven.example", "--tenant", "acme", "--url", &url];
    let said = host.txco(&verify).fails(1);
    assert!(said.contains("not proven: http://proven.example/") && !said.contains("map["), "{said}");
    detail["answer"].as_str().unwrap().clone_into(&mut answer.lock().unwrap());
    host.txco(&verify).succeeds();
    assert_eq!(get(&mut host, "proven.example").json()["says"], "acme");
    assert_eq!(host.web(&Request::new("GET", &path)).status, 404, "an answer is good once");
    // What says nothing is not dialled where tenants may not call.
    assert_eq!(bind(&mut host, "acme", "169.254.169.254", json!("site")).status, 200);
    let blocked = prove(&mut host, "acme", "169.254.169.254", Value::Null);
    assert!(blocked.text().contains("upstream_blocked"), "{}", blocked.text());
    let rows = host
        .txco(&["auth", "audit", "list", "--action", "hostname.verify", "--json", "--url", &url])
        .succeeds();
    assert!(rows.contains("hostname_unverified") && rows.contains("http-01"), "{rows}");
    host.stop();
    host.set_env("TXCO_REQUIRE_HOSTNAME_VERIFICATION", "no");
    host.start();

    assert_eq!(bind(&mut host, "acme", "a/b", json!("site")).json()["error"], "invalid_hostname");
    assert_eq!(get(&mut host, "shop.example:8080").json()["says"], "shop");
    assert_eq!(get(&mut host, "ACME.example.").json()["says"], "acme");
    let eu = get(&mut host, "eu.acme.example").json();
    assert_eq!(eu, json!({ "eu": true }), "its own scope 100, not that of its parent");
    assert_eq!(get(&mut host, "other.example").status, 404);
    let list = host.admin(&Request::new("GET", "/v1/tenants/acme/hostnames")).json();
    assert_eq!(list["hostnames"].as_array().unwrap().len(), 4);
    let gone = host.admin(&Request::new("DELETE", "/v1/tenants/acme/hostnames/acme.example"));
    assert_eq!(gone.status, 204);
    assert_eq!(get(&mut host, "acme.example").status, 404);
    let gone = host.admin(&Request::new("DELETE", "/v1/tenants/default/hostnames/eu.acme.example"));
    assert_eq!(gone.status, 404, "a tenant lets only its own go");
    host.finish();
}

#[test]
fn of_two_activations_at_once_one_has_to_look_again() {
    let mut host = Host::serve(TXCO).start();
    let (first, _) = drafted(&mut host, "default", "shop", &[("100/hello.txcl", &says("zero"))]);
    assert_eq!(activate(&mut host, "default", "shop", first).status, 200);
    let stack = host.admin(&Request::new("GET", &format!("{STACKS}/shop"))).json();
    let looked_at = stack["manifest_hash"].as_str().unwrap().to_owned();
    let drafts: Vec<_> = (0..8)
        .map(|n| drafted(&mut host, "default", "shop", &[("100/hello.txcl", &says(&format!("n{n}")))]))
        .collect();
    let address = host.admin_address();
    let race = drafts.iter().map(|(number, manifest)| {
        let body = json!({
            "version_number": number, "manifest_hash": manifest, "active_manifest_hash": looked_at,
        });
        thread::spawn(move || {
            let request = Request::new("POST", &format!("{STACKS}/shop/activate")).json(&body);
            send(address, &request).unwrap()
        })
    });
    let replies: Vec<_> = race.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect();
    let won: Vec<_> = (0..8).filter(|n| replies[*n].status == 200).collect();
    assert_eq!(won.len(), 1, "{replies:?}");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!((reply.status, reply.json()["error"].as_str().unwrap()), (409, "active_changed"));
    }
    assert_eq!(said(&mut host), format!("n{}", won[0]));
    let (number, manifest) = drafted(&mut host, "default", "shop", &[("100/hello.txcl", &says("x"))]);
    let files = json!({ "files": [{ "path": "100/hello.txcl", "content": says("y") }] });
    let put = ask(&mut host, "PUT", &format!("{STACKS}/shop/versions/{number}/files"), &files);
    assert_eq!(put.status, 200);
    let body = json!({ "version_number": number, "manifest_hash": manifest });
    let reply = ask(&mut host, "POST", &format!("{STACKS}/shop/activate"), &body);
    assert_eq!((reply.status, reply.json()["error"].as_str().unwrap()), (409, "manifest_changed"));
    host.finish();
}

/// Every kill leaves one whole version: never files of one and the pointer of another.
#[test]
fn killed_in_the_midst_of_activations_one_whole_version_is_served() {
    let mut host = Host::serve(TXCO).start();
    let version = |n: usize| {
        let emit = |name: &str| format!("EMIT .{name} = {n}\n");
        [("100/a.txcl", emit("a")), ("100/b.txcl", emit("b")), ("200/c.txcl", emit("c"))]
    };
    let numbers: Vec<_> = (1..3)
        .map(|n| {
            let files = version(n);
            let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
            drafted(&mut host, "default", "shop", &files).0
        })
        .collect();
    assert_eq!(activate(&mut host, "default", "shop", numbers[0]).status, 200);
    for round in 0..6_u64 {
        let (address, both) = (host.admin_address(), numbers.clone());
        let busy = thread::spawn(move || {
            let mut done = 0;
            loop {
                let body = json!({ "version_number": both[(done + 1) % 2] });
                let request = Request::new("POST", &format!("{STACKS}/shop/activate")).json(&body);
                match send(address, &request) {
                    Ok(reply) if reply.status == 200 => done += 1,
                    _ => return done,
                }
            }
        });
        thread::sleep(Duration::from_millis(60 + 37 * round));
        host.kill();
        assert!(busy.join().unwrap() > 0, "it was activating");
        host.start();
        let served = get(&mut host, "localhost").json();
        let stack = host.admin(&Request::new("GET", &format!("{STACKS}/shop"))).json();
        let active = stack["active_version"].as_u64().unwrap();
        let n = numbers.iter().position(|number| *number == active).unwrap() + 1;
        assert_eq!(served, json!({ "a": n, "b": n, "c": n }), "round {round}");
        let url = format!("http://{}", host.admin_address());
        host.txco(&["auth", "audit", "verify", "--url", &url]).succeeds();
    }
    host.finish();
}

/// What the Go chassis activated answers as it stands in its database, and its hostnames lead there.
#[test]
fn rules_and_hosts_of_a_go_database_are_served() {
    let mut host = Host::serve(TXCO).file(DATABASE, "").at_rest();
    let go = include_str!("../vectors/store/go-runtime.sql");
    let more = "
        DELETE FROM ops; DELETE FROM tenant_secret_versions; DELETE FROM tenant_secrets;
        INSERT INTO ops VALUES ('hello', 100, 'greet', 'EMIT .says = \"go\"', NULL, NULL, 'tnt_default');
        INSERT INTO ops VALUES ('hello', 200, '', 'EMIT .unnamed = true', NULL, NULL, 'tnt_default');
        INSERT INTO ops VALUES ('other', 100, 'greet', 'EMIT .says = \"other\"', NULL, NULL, 'tnt_default');
        INSERT INTO ops VALUES ('broken', 100, 'greet', 'EMIT .says = ', NULL, NULL, 'tnt_9acme');
        CREATE TABLE tenant_hostnames (id TEXT PRIMARY KEY, hostname TEXT NOT NULL, tenant_id TEXT NOT NULL,
            stack TEXT NOT NULL, created_at TEXT NOT NULL, created_by TEXT, revoked_at TEXT, verified_at TEXT);
        INSERT INTO tenant_hostnames VALUES
            ('h1', 'hello.example', 'tnt_default', 'hello', '2025-01-01T00:00:00Z', NULL, NULL, NULL),
            ('h2', 'gone.example', 'tnt_default', 'hello', '2025-01-01T00:00:00Z', NULL, '2025-01-02T00:00:00Z', NULL),
            ('h3', 'acme.example', 'tnt_9acme', 'broken', '2025-01-01T00:00:00Z', NULL, NULL, NULL);";
    let database = Connection::open(host.path(DATABASE)).unwrap();
    database.execute_batch(&format!("{go}{more}")).unwrap();
    drop(database);
    host.start();
    assert_eq!(get(&mut host, "hello.example").json(), json!({ "says": "go", "unnamed": true }));
    assert_eq!(get(&mut host, "gone.example").status, 404);
    let broken = get(&mut host, "acme.example");
    assert_eq!((broken.status, broken.text().contains("rules_broken")), (503, true), "{}", broken.text());
    assert!(host.log().contains("applied rules cannot be used"), "{}", host.log());
    applied(&mut host, "default", "hello", &says("ours"));
    assert_eq!(get(&mut host, "hello.example").json(), json!({ "says": "ours" }));
    host.finish();
}

#[test]
fn a_mock_is_applied_with_its_rule() {
    let mut host = Host::serve(TXCO).start();
    let rule = ("100/hello.txcl", "EXEC \"txco://mock\"\n");
    let broken = [rule, ("100/mock-response.json", "[1]")];
    let (number, _) = drafted(&mut host, "default", "shop", &broken);
    let reply = activate(&mut host, "default", "shop", number);
    assert_eq!((reply.status, reply.json()["error"].as_str().unwrap()), (422, "invalid_rules"));
    assert!(reply.text().contains("OPS/shop/100/mock-response.json"), "{}", reply.text());
    let (number, _) =
        drafted(&mut host, "default", "shop", &[rule, ("100/mock-response.json", "{\"says\":\"mocked\"}")]);
    assert_eq!(activate(&mut host, "default", "shop", number).status, 200);
    assert_eq!(said(&mut host), "mocked");
    host.finish();
}
