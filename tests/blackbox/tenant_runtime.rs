//! A tenant is suspended and limited for the next request, and nothing of it is lost with the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Answer, Host, Reply, Request, Upstream, send};

use crate::TXCO;

const SIGN: &str = "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"KEY\", input_path = \"body\", output_path = \"digest\"\n";

/// Applies one rule to the default tenant's only stack.
fn apply(host: &mut Host, rule: &str) {
    let at = "/v1/tenants/default/stacks/shop";
    let mut ask = |method: &str, rest: &str, body: &Value| {
        let reply = host.admin(&Request::new(method, &format!("{at}{rest}")).json(body));
        assert!(matches!(reply.status, 200 | 201), "{method} {rest}: {}", reply.text());
        reply.json()
    };
    let number = ask("POST", "/draft", &json!({}))["version_number"].as_u64().unwrap();
    let files = json!({ "files": [{ "path": "100/a.txcl", "content": rule }] });
    ask("PUT", &format!("/versions/{number}/files"), &files);
    ask("POST", "/activate", &json!({ "version_number": number }));
}

fn get(host: &mut Host) -> Reply {
    host.web(&Request::new("GET", "/").header("Host", "localhost"))
}

fn code(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn tenant(host: &mut Host, args: &[&str]) -> Value {
    let url = format!("http://{}", host.admin_address());
    let words = [&["auth", "tenant"], args, &["--url", &url, "--json"]].concat();
    serde_json::from_str(&host.txco(&words).succeeds()).unwrap()
}

#[test]
fn a_suspended_tenant_answers_nothing_and_opens_no_secret_until_it_is_resumed() {
    let mut host = Host::serve(TXCO).start();
    host.store("KEY");
    apply(&mut host, SIGN);
    let event = |host: &mut Host| host.event("/", &json!({ "a": 1 }));
    assert_eq!(event(&mut host).status, 200);

    let state = tenant(&mut host, &["suspend", "default", "--reason", "unpaid", "--status", "402"]);
    assert_eq!((&state["suspended"], &state["deny_status"]), (&json!(true), &json!(402)));
    for _ in 0..3 {
        let refused = event(&mut host);
        assert_eq!(code(&refused), (402, "tenant_suspended".to_owned()), "{}", refused.text());
        assert_eq!(refused.header("x-txc-deny-reason"), Some("unpaid"));
    }
    let metrics = host.admin(&Request::new("GET", "/metrics")).text();
    assert!(metrics.contains("tenant_suspended"), "{metrics}");
    // Uses are written down at a stop.
    host.stop();
    host.start();
    assert_eq!(event(&mut host).status, 402, "it is on the disk");
    let shown = host.admin(&Request::new("GET", "/v1/tenants/default/secrets/KEY"));
    assert_eq!(
        (shown.status, &shown.json()["secret"]["uses"]),
        (200, &json!(1)),
        "administration goes on, and no secret was opened: {}",
        shown.text()
    );

    let url = format!("http://{}", host.admin_address());
    let shown = host.txco(&["auth", "tenant", "runtime", "default", "--url", &url]).succeeds();
    assert!(shown.contains("suspended:    yes, answers 402: unpaid\n"), "{shown}");
    let resumed = tenant(&mut host, &["resume", "default"]);
    assert_eq!((&resumed["suspended"], resumed.get("deny_status")), (&json!(false), None));
    assert_eq!(event(&mut host).status, 200);
    let audit = host.admin(&Request::new("GET", "/v1/audit?limit=1000")).text();
    assert!(audit.contains("tenant.suspend") && audit.contains("tenant.resume"), "{audit}");
    let verdict = host.admin(&Request::new("GET", "/v1/audit/verify")).json();
    assert_eq!(verdict["ok"], json!(true), "{verdict}");
    host.finish();
}

#[test]
fn a_rate_lets_its_burst_through_and_says_when_to_come_again() {
    let mut host = Host::serve(TXCO).start();
    apply(&mut host, "EMIT .says = \"served\"\n");
    let state = tenant(&mut host, &["limits", "default", "--rate", "1", "--burst", "3"]);
    assert_eq!((&state["rate_limit_rps"], &state["rate_burst"]), (&json!(1), &json!(3)));
    let replies: Vec<_> = (0..12).map(|_| get(&mut host)).collect();
    let served = replies.iter().filter(|reply| reply.status == 200).count();
    assert!((3..=6).contains(&served), "{served} of 12 came in at once");
    let refused = replies.iter().find(|reply| reply.status != 200).unwrap();
    assert_eq!(code(refused), (429, "tenant_rate_limited".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    thread::sleep(Duration::from_millis(1200));
    assert_eq!(get(&mut host).status, 200);
    tenant(&mut host, &["limits", "default", "--rate", "0"]);
    assert!((0..12).all(|_| get(&mut host).status == 200), "0 ends a limit");
    host.finish();
}

#[test]
fn what_a_tenant_cannot_be_told_is_refused_with_a_reason() {
    let mut host = Host::serve(TXCO).start();
    for (rest, body, word) in [
        ("suspend", json!({ "status": 200 }), "status must be one of"),
        ("suspend", json!({ "reason": "a\nb" }), "in one line"),
        ("suspend", json!({ "reason": "x".repeat(201) }), "200 bytes"),
        ("limits", json!({}), "say a limit"),
        ("limits", json!({ "rate_limit_rps": 1_000_001 }), "0 to 1000000"),
    ] {
        let path = format!("/v1/tenants/default/{rest}");
        let reply = host.admin(&Request::new("POST", &path).json(&body));
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_runtime")), "{rest} {body}");
        assert!(reply.text().contains(word), "{}", reply.text());
    }
    let state = tenant(&mut host, &["runtime", "default"]);
    assert_eq!((&state["suspended"], &state["rate_limit_rps"]), (&json!(false), &json!(0)));
    host.finish();
}

/// An upstream that answers once `together` calls have been under way at the same time, or after a
/// while; and the most that ever were.
fn meeting(together: usize) -> (Upstream, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let upstream = Upstream::http("vendor", move |_| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        for _ in 0..50 {
            if seen.load(Ordering::SeqCst) >= together {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        now.fetch_sub(1, Ordering::SeqCst);
        Answer::json(&json!({ "a": 1 }))
    });
    (upstream, most)
}

fn four_at_once(host: &Host) -> Vec<u16> {
    let web = host.web_address();
    let request = move || send(web, &Request::new("GET", "/").header("Host", "localhost")).unwrap().status;
    let all: Vec<_> = (0..4).map(|_| thread::spawn(request)).collect();
    all.into_iter().map(|one| one.join().unwrap()).collect()
}

/// Issue 5: the connections of a tenant are limited, each tenant's by itself.
#[test]
fn a_tenants_calls_to_upstreams_are_held_to_its_limit() {
    for (chassis, tenants, expected) in [("64", "1", 1), ("1", "3", 3), ("2", "0", 2)] {
        let (upstream, most) = meeting(4);
        let mut host = Host::serve(TXCO).flags(&["--egress-calls", chassis]).recording(&upstream).start();
        let call =
            format!("EXEC \"http://{}/\" WITH method = \"GET\", timeout = \"30s\"\n", upstream.address());
        apply(&mut host, &call);
        let state = tenant(&mut host, &["limits", "default", "--upstream-calls", tenants]);
        assert_eq!(state["upstream_calls_limit"], json!(tenants.parse::<u64>().unwrap()));
        assert_eq!(four_at_once(&host), [200; 4], "who finds no place waits for one");
        let seen = most.load(Ordering::SeqCst);
        assert!(seen <= expected, "{seen} at once: --egress-calls {chassis}, --upstream-calls {tenants}");
        let url = format!("http://{}", host.admin_address());
        let shown = host.txco(&["auth", "tenant", "runtime", "default", "--url", &url]).succeeds();
        let limit = if tenants == "0" { "as the chassis says" } else { tenants };
        assert!(shown.contains(&format!("upstream:     {limit}\n")), "{shown}");
        let audit = host.admin(&Request::new("GET", "/v1/audit?limit=1000")).text();
        assert!(audit.contains("upstream_calls"), "{audit}");
        host.finish();
    }
}

/// With its rate spent and its places taken, a tenant's clients still learn what became of their
/// requests; and a request that goes on counts among those that run.
#[test]
fn who_asks_for_an_answer_takes_no_place_and_what_goes_on_does() {
    let worker = Upstream::http("worker", |_| Answer::new(202, &[], "{}"));
    // Each call is answered once it may be.
    let (calls, may) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, answered) = (Arc::clone(&calls), Arc::clone(&may));
    let slow = Upstream::http("slow", move |_| {
        let mine = counted.fetch_add(1, Ordering::SeqCst);
        until(|| answered.load(Ordering::SeqCst) > mine);
        Answer::json(&json!({ "a": 1 }))
    });
    let rule = |path: &str, to: &Upstream, with: &str| {
        format!("WHEN @web.req.url.path == \"{path}\" EXEC \"http://{}/\" WITH {with}\n", to.address())
    };
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/job.txcl", &rule("/job", &worker, "mode = \"async\""))
        .rule("OPS/web/100/slow.txcl", &rule("/slow", &slow, "timeout = \"60s\""))
        .rule("OPS/web/200/after.txcl", &rule("/job", &slow, "timeout = \"60s\""))
        .recording(&worker)
        .recording(&slow)
        .start();
    let reply = host.event("/job", &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text());
    let ticket = reply.json()["continuation"].as_str().unwrap().to_owned();
    let asked = Request::new("GET", &format!("/job?_txc.continuation={ticket}"));
    let running = |host: &mut Host| tenant(host, &["runtime", "default"])["in_flight"].clone();
    tenant(&mut host, &["limits", "default", "--rate", "1", "--burst", "1", "--concurrency", "1"]);
    let web = host.web_address();
    let busy = thread::spawn(move || send(web, &Request::new("GET", "/slow")).unwrap().status);
    until(|| calls.load(Ordering::SeqCst) == 1);
    assert_eq!(running(&mut host), json!(1));
    for _ in 0..5 {
        assert_eq!(host.web(&asked).json()["status"], "waiting");
    }
    assert_eq!(code(&host.web(&Request::new("GET", "/slow"))).1, "tenant_concurrency_limited");

    // The worker calls while the only place is taken: the request goes on once it is free.
    let job = worker.only();
    let url = job.json()["_txc"]["callback_url"].as_str().unwrap().to_owned();
    let token = job.header("x-txco-continuation-token").unwrap();
    let call = Request::new("POST", &url[url.find("/_txc").unwrap()..])
        .header("Authorization", &format!("Bearer {token}"))
        .json(&json!({ "status": "completed", "output": {} }));
    assert_eq!(host.web(&call).status, 200);
    thread::sleep(Duration::from_millis(1300));
    assert_eq!((running(&mut host), calls.load(Ordering::SeqCst)), (json!(1), 1));
    may.store(1, Ordering::SeqCst);
    assert_eq!(busy.join().unwrap(), 200);
    until(|| calls.load(Ordering::SeqCst) == 2);
    assert_eq!(running(&mut host), json!(1), "it is counted while it goes on");
    may.store(2, Ordering::SeqCst);
    until(|| host.web(&asked).status == 200);
    assert_eq!(running(&mut host), json!(0));
    host.finish();
}

/// Waits for something that comes.
fn until(mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// `enabled = 0` is how the Go chassis turns a tenant off; its table may come without our columns.
#[test]
fn a_tenant_that_the_go_chassis_turned_off_is_refused() {
    let mut host = Host::serve(TXCO).file("chassis/data/db/runtime-dev.db", "").at_rest();
    let go = include_str!("../vectors/store/go-runtime.sql");
    let more = "
        DELETE FROM ops; DELETE FROM tenant_secret_versions; DELETE FROM tenant_secrets;
        INSERT INTO ops VALUES ('hello', 100, 'greet', 'EMIT .says = \"go\"', NULL, NULL, 'tnt_default');
        INSERT INTO ops VALUES ('site', 100, 'greet', 'EMIT .says = \"acme\"', NULL, NULL, 'tnt_9acme');
        CREATE TABLE tenant_hostnames (id TEXT PRIMARY KEY, hostname TEXT NOT NULL, tenant_id TEXT NOT NULL,
            stack TEXT NOT NULL, created_at TEXT NOT NULL, created_by TEXT, revoked_at TEXT, verified_at TEXT);
        INSERT INTO tenant_hostnames VALUES
            ('h1', 'hello.example', 'tnt_default', 'hello', '2025-01-01T00:00:00Z', NULL, NULL, NULL),
            ('h2', 'acme.example', 'tnt_9acme', 'site', '2025-01-01T00:00:00Z', NULL, NULL, NULL);
        CREATE TABLE tenant_runtime_state (tenant_id TEXT PRIMARY KEY, enabled INTEGER, suspended INTEGER,
            deny_status INTEGER, deny_reason TEXT, rate_limit_rps REAL, rate_burst INTEGER, concurrency_limit INTEGER);
        INSERT INTO tenant_runtime_state (tenant_id, enabled) VALUES ('tnt_9acme', 0);
        INSERT INTO tenant_runtime_state VALUES ('tnt_default', 1, 0, 0, '', 0.5, 0, 0);";
    let database = rusqlite::Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    database.execute_batch(&format!("{go}{more}")).unwrap();
    host.start();
    let get = |host: &mut Host, name: &str| host.web(&Request::new("GET", "/").header("Host", name));
    assert_eq!(get(&mut host, "hello.example").json()["says"], "go");
    let rate = tenant(&mut host, &["runtime", "default"])["rate_limit_rps"].clone();
    assert_eq!(rate, json!(1), "half a request a second is one");
    assert_eq!(code(&get(&mut host, "acme.example")), (403, "tenant_suspended".to_owned()));
    let state = tenant(&mut host, &["runtime", "acme"]);
    assert_eq!((&state["suspended"], &state["deny_status"]), (&json!(true), &json!(403)), "{state}");
    assert_eq!(tenant(&mut host, &["resume", "acme"])["suspended"], json!(false));
    assert_eq!(get(&mut host, "acme.example").json()["says"], "acme");
    // Turned off once more, by whoever still runs the Go chassis beside this one.
    host.logs_after("changed elsewhere: what tenants may have", |_| {
        let sql = "UPDATE tenant_runtime_state SET enabled = 0 WHERE tenant_id = 'tnt_9acme'";
        assert_eq!(database.execute(sql, []).unwrap(), 1);
    });
    assert_eq!(code(&get(&mut host, "acme.example")), (403, "tenant_suspended".to_owned()));
    host.finish();
}
