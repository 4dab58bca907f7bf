//! Whole requests through real rooms: vault, sandbox and egress as in the binary, and an
//! upstream on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path as File;
use std::sync::Arc;

use model::{Envelope, Fault, Path, RequestId, SecretName, TenantId, TenantSlug, Value};
use sandbox::{CodeCache, Limits, Sandbox};
use store::Store;
use vault::{By, MasterKey, SecretAddress, SecretValue, Vault};

use super::*;

const FULL: TraceSettings = TraceSettings {
    mode: TraceMode::Full,
    queue: None,
    body_cap: 65_536,
    retention: Retention { age: None, bytes: None },
};

/// Which build of an op is called.
mod builds;
/// Budgets, leaving clients, mocks, streams.
mod way;
/// What traces tell and hide.
mod traced;

struct Line {
    chassis: Chassis,
    vault: Option<Arc<Vault>>,
    folder: tempfile::TempDir,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    On,
    Off,
}

impl Line {
    fn new(secrets: Secrets) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = (secrets == Secrets::On).then(|| {
            let (store, _) =
                Store::open(&folder.path().join("db"), "dev", store::Options::default()).unwrap();
            let mut bytes: [u8; 32] = std::array::from_fn(|i| i as u8);
            let key = MasterKey::from_bytes(&mut bytes).unwrap();
            Arc::new(Vault::open(Arc::new(store), key).unwrap().0)
        });
        let egress = egress::Client::new(egress::Settings {
            policy: egress::AddressPolicy::Open,
            ..egress::Settings::default()
        });
        let chassis = Chassis::new(Parts {
            vault: vault.clone().into(),
            sandbox: Sandbox::new(Limits::default(), CodeCache::Off).unwrap(),
            egress: egress.unwrap(),
            trace: Trace::open(FULL, &folder.path().join("trace")).unwrap(),
            settings: Settings::default(),
        });
        Self { chassis: chassis.unwrap(), vault, folder }
    }

    fn rules(&self, files: &[(&str, &str)]) {
        self.rules_with(files, &());
    }

    fn rules_with(&self, files: &[(&str, &str)], ops: &dyn OpSource) {
        let workspace = self.folder.path().join("ws");
        let _absent_at_first = std::fs::remove_dir_all(&workspace);
        for (file, text) in files {
            let path = workspace.join("OPS").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let rules = RuleSet::load(&workspace, None, txcl::Mode::Strict);
        let rules = rules.unwrap_or_else(|e| panic!("{}", e.render(txcl::Color::Plain)));
        self.install(rules, ops);
    }

    fn install(&self, rules: RuleSet, ops: &dyn OpSource) {
        let rules = self.chassis.bind(rules, ops);
        let rules = rules.unwrap_or_else(|e| panic!("{}", e.render(txcl::Color::Plain)));
        let tenant = TenantId::parse("tnt_default").unwrap();
        self.chassis.serve(Space::of(tenant, TenantSlug::default_tenant(), Arc::new(rules)));
    }

    fn secret(&self, name: &str, value: &str) {
        let tenant = TenantId::parse("tnt_default").unwrap();
        let name = SecretName::parse(name).unwrap();
        let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
        let value = SecretValue::new(value.as_bytes().to_vec()).unwrap();
        self.vault.as_ref().unwrap().create(&address, &vault::Terms::of(By::Open), value).unwrap();
    }

    fn request(&self, event: &str) -> Request {
        let envelope = Envelope::new(Value::parse(event.as_bytes()).unwrap()).unwrap();
        let route = self.chassis.space().route("localhost").unwrap();
        Request::new(RequestId::mint().unwrap(), route, envelope)
    }

    fn run(&self, event: &str) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.chassis.run(self.request(event)))
    }

    fn fault(&self, event: &str) -> (Fault, String) {
        let failure = self.run(event).failure.expect("the request halts");
        (failure.failure.fault, failure.rule)
    }
}

fn at<'a>(outcome: &'a Outcome, path: &str) -> Option<&'a Value> {
    outcome.envelope.get(&Path::parse_sugared(path).unwrap())
}

fn text(outcome: &Outcome, path: &str) -> String {
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    at(outcome, path).unwrap_or_else(|| panic!("nothing at {path}")).to_json()
}

/// Answers every connection with `reply`; the requests come out of the channel.
fn upstream(reply: &'static str) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (send, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !whole(&request) {
                match stream.read(&mut buffer).unwrap() {
                    0 => break,
                    n => request.extend_from_slice(&buffer[..n]),
                }
            }
            stream.write_all(reply.as_bytes()).unwrap();
            if send.send(String::from_utf8(request).unwrap()).is_err() {
                return;
            }
        }
    });
    (address, requests)
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    body.len() >= length.map_or(0, |l| l.parse().unwrap())
}

fn ok(body: &str) -> &'static str {
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Box::leak(reply.into_boxed_str())
}

fn read_all(folder: &File, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
}

/// E4 of the weaknesses: there the one that ends first is merged first.
#[test]
fn scopes_run_in_order_and_files_merge_by_name() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        ("app/10/b.txcl", "EMIT .list = [\"b\"], .who = \"b\""),
        ("app/10/a.txcl", "EMIT .list = [\"a\"], .who = \"a\""),
        ("app/20/c.txcl", "WHEN .who == \"b\" EMIT .seen = .list"),
    ]);
    assert_eq!(text(&line.run("{}"), "seen"), r#"["a","b"]"#);
    // The first by name has to wait for somebody, and ends last.
    let (address, _requests) = upstream(ok(r#"{"list":["a"],"who":"a"}"#));
    line.rules(&[
        ("app/10/b.txcl", "EMIT .list = [\"b\"], .who = \"b\""),
        ("app/10/a.txcl", &format!("EXEC \"http://{address}/\"")),
        ("app/20/c.txcl", "WHEN .who == \"b\" EMIT .seen = .list"),
    ]);
    assert_eq!(text(&line.run("{}"), "seen"), r#"["a","b"]"#);
}

#[test]
fn the_rules_of_a_file_run_one_after_the_other() {
    let line = Line::new(Secrets::Off);
    line.rules(&[(
        "app/10/f.txcl",
        "WHEN .n == 1 EXEC \"txco://noop\" EMIT .n = 2\nWHEN .n == 2 EXEC \"txco://noop\" EMIT .m = .n",
    )]);
    let outcome = line.run(r#"{"n":1}"#);
    assert_eq!(text(&outcome, "m"), "2");
    let names: Vec<_> = outcome.steps.iter().map(|s| &*s.rule).collect();
    assert_eq!(names, ["f.1", "f.2"]);
}

#[test]
fn a_set_after_select_is_evaluated_once_also_beside_other_files() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        (
            "app/10/a.txcl",
            "EXEC \"txco://noop\" SELECT .n SET .id = &uuid()\nEXEC \"txco://noop\" EMIT .seen = .id",
        ),
        ("app/10/b.txcl", "SELECT .n SET .merged = .seen, .late = &uuid()"),
    ]);
    let outcome = line.run(r#"{"n":1}"#);
    assert_eq!(text(&outcome, "id"), text(&outcome, "seen"), "the second rule saw another id");
    assert_eq!(text(&outcome, "merged"), text(&outcome, "id"), "the last rule's SET sees the merge");
    assert_ne!(text(&outcome, "late"), "null");
}

#[test]
fn priority_chooses_one_file() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        ("app/10/a.txcl", "EMIT .a = 1"),
        ("app/10/b.txcl", "WHEN .go == true PRIORITY 5 EMIT .b = 1"),
        ("app/10/c.txcl", "WHEN .go == true PRIORITY 5 EMIT .c = 1"),
    ]);
    let outcome = line.run(r#"{"go":true}"#);
    assert_eq!((at(&outcome, "a"), at(&outcome, "c")), (None, None));
    assert_eq!(text(&outcome, "b"), "1");
    assert_eq!(text(&line.run("{}"), "a"), "1");
}

#[test]
fn a_loop_ends_at_the_stage_limit() {
    let line = Line::new(Secrets::Off);
    line.rules(&[("app/10/a.txcl", "EMIT @goto = 10")]);
    assert_eq!(line.fault("{}").0, Fault::BudgetExhausted);
}

#[test]
fn halt_ends_the_walk() {
    let line = Line::new(Secrets::Off);
    line.rules(&[("app/10/a.txcl", "EMIT @halt = true"), ("app/20/b.txcl", "EMIT .b = 1")]);
    let outcome = line.run("{}");
    assert!(outcome.failure.is_none() && at(&outcome, "b").is_none());
}

#[test]
fn an_unknown_op_names_those_there_are() {
    let line = Line::new(Secrets::Off);
    line.rules(&[("app/10/a.txcl", "EXEC \"txco://hmac-sing\"")]);
    let failure = line.run("{}").failure.unwrap();
    assert_eq!((failure.failure.fault, failure.rule.as_str()), (Fault::OpUnknown, "app/10/a"));
    assert!(failure.failure.detail.contains("txco://hmac-sign"), "{}", failure.failure);
}

#[test]
fn a_store_that_is_off_never_runs_the_op() {
    let line = Line::new(Secrets::Off);
    let (address, requests) = upstream(ok("{}"));
    let rule = format!("EXEC \"http://{address}/\" WITH secrets.headers.x-key.secret = \"K\"");
    line.rules(&[("app/10/a.txcl", &rule)]);
    assert_eq!(line.fault("{}").0, Fault::SecretStoreUnavailable);
    assert!(requests.try_recv().is_err());
}

const SIGN: &str = "EXEC \"txco://hmac-sign\" WITH secrets.key.secret = \"KEY\", input_path = \"body\"";

#[test]
fn a_signer_signs_and_the_trace_says_which_secret() {
    let line = Line::new(Secrets::On);
    line.secret("KEY", "Jefe");
    line.rules(&[("app/10/a.txcl", SIGN)]);
    // RFC 4231, test case 2.
    let outcome = line.run(r#"{"body":"what do ya want for nothing?"}"#);
    let want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(text(&outcome, "@computed.hmac"), format!("\"{want}\""));
    let used = &outcome.steps[0].secrets[0];
    assert_eq!((used.name.as_str(), used.version, used.mode), ("KEY", Some(1), "reveal"));
    assert_eq!(used.slot.to_string(), "key");
}

#[test]
fn an_unknown_secret_halts_with_its_name_in_the_trace_only() {
    let line = Line::new(Secrets::On);
    line.rules(&[("app/10/a.txcl", SIGN)]);
    let failure = line.run(r#"{"body":"x"}"#).failure.unwrap().failure;
    assert_eq!((failure.fault, failure.fault.outside()), (Fault::SecretNotFound, "secret_unavailable"));
    assert_eq!(failure.secret.unwrap().as_str(), "KEY");
}

#[test]
fn secrets_arrive_at_the_upstream_and_nowhere_else() {
    let line = Line::new(Secrets::On);
    line.secret("TOKEN", "tok_0123456789");
    line.secret("PART", "part_0123456789");
    let (address, requests) =
        upstream(ok(r#"{"id":7,"echo":"Bearer tok_0123456789","_txc":{"tenant":"evil"}}"#));
    let rule = format!(
        "EXEC \"http://{address}/x\" WITH secrets.headers.authorization.secret = \"TOKEN\",
         secrets.headers.authorization.format = \"Bearer {{}}\",
         secrets.body.client.secret = \"PART\" SET @web.req.headers.x-plain = .a"
    );
    line.rules(&[("app/10/call.txcl", &rule)]);
    let outcome = line.run(r#"{"a":"v","_txc":{"web":{"req":{"headers":{"Cookie":["inbound"]}}}}}"#);
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST /x HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer tok_0123456789\r\n"), "{request}");
    assert!(request.contains("x-plain: v\r\n") && !request.contains("inbound"), "{request}");
    assert!(request.ends_with(r#"{"a":"v","client":"part_0123456789"}"#), "{request}");
    assert_eq!(
        (text(&outcome, "id"), text(&outcome, "@upstream.call.status")),
        ("7".to_owned(), "200".to_owned())
    );
    assert!(!outcome.envelope.document().to_json().contains("tok_0123456789"));
    assert_eq!(at(&outcome, "@tenant").and_then(Value::as_str), None);
    let mut everything = String::new();
    read_all(&line.folder.path().join("trace"), &mut everything);
    assert!(everything.contains("TOKEN") && everything.contains("headers.authorization"), "{everything}");
    assert!(!everything.contains("0123456789"), "{everything}");
}

#[test]
fn a_sealed_credential_goes_into_a_header_and_shows_nothing() {
    let line = Line::new(Secrets::On);
    line.secret("PASSWORD", "open sesame");
    let (address, requests) = upstream(ok("{}"));
    let rules = format!(
        "EXEC \"txco://basic-auth-encode\" WITH secrets.password.secret = \"PASSWORD\", user = \"Aladdin\"
         EXEC \"http://{address}/\" SET @web.req.headers.authorization = &concat(\"Basic \", @computed.basic_auth)"
    );
    line.rules(&[("app/10/login.txcl", &rules)]);
    let outcome = line.run("{}");
    assert_eq!(text(&outcome, "@computed.basic_auth"), "\"[credential]\"");
    // RFC 7617, section 2.
    let request = requests.recv().unwrap();
    assert!(request.contains("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{request}");
    assert!(!request.contains("[credential]"), "{request}");
}

#[test]
fn an_upstream_that_fails_halts_unless_the_rule_goes_on() {
    let line = Line::new(Secrets::Off);
    let bad = "HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
    let (address, _requests) = upstream(bad);
    line.rules(&[("app/10/c.txcl", &format!("EXEC \"http://{address}/\""))]);
    assert_eq!(line.fault(r#"{"kept":1}"#), (Fault::UpstreamStatus, "app/10/c".to_owned()));
    line.rules(&[
        ("app/10/c.txcl", &format!("EXEC \"http://{address}/\" WITH on_error = \"continue\"")),
        ("app/20/d.txcl", "WHEN @upstream.c.status == 503 EMIT .retry = true"),
    ]);
    let outcome = line.run(r#"{"kept":1}"#);
    assert_eq!((text(&outcome, "retry"), text(&outcome, "kept")), ("true".to_owned(), "1".to_owned()));
    assert_eq!(text(&outcome, "@upstream.c.body"), "\"<html>\"");
    assert_eq!(text(&outcome, "@upstream.c.error.code"), "\"upstream_status\"");
}

#[test]
fn a_reply_that_is_no_object_blanks_nothing() {
    let line = Line::new(Secrets::Off);
    let (address, _requests) = upstream(ok("[1,2]"));
    line.rules(&[("app/10/c.txcl", &format!("EXEC \"http://{address}/\""))]);
    let outcome = line.run(r#"{"kept":1}"#);
    assert_eq!(
        (text(&outcome, "kept"), text(&outcome, "@upstream.c.body")),
        ("1".to_owned(), "[1,2]".to_owned())
    );
}

#[test]
fn what_this_release_does_not_do_is_said() {
    let line = Line::new(Secrets::Off);
    line.rules(&[("app/10/a.txcl", "EXEC \"ai://chat\"")]);
    assert_eq!(line.fault("{}").0, Fault::OpUnsupported);
}

#[test]
fn what_cannot_be_sealed_does_not_wait() {
    let line = Line::new(Secrets::Off);
    line.rules(&[("app/10/a.txcl", "EXEC \"http://127.0.0.1:1/\" WITH mode = \"async\"")]);
    assert_eq!(line.fault("{}").0, Fault::SecretStoreUnavailable);
}
