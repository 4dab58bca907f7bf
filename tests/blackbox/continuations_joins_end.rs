//! Jobs that a request goes on beside, and its end on the way: a client leaves, an administrator ends it, a chassis
//! is killed.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use support::continuations::callback;
use support::{Answer, Host, Reply, Request, Upstream, send};

use crate::continuations::{ask, done, ticket};
use crate::continuations_joins::{
    between, ended, job, job_at, runs, says, shop, states, token, until, worker,
};

fn hanging() -> Upstream {
    Upstream::http("between", |_| Answer::Hang)
}

/// The name of the run that has a job at a path.
fn run_of(worker: &Upstream, path: &str) -> String {
    job_at(worker, path).json()["_txc"]["run_id"].as_str().unwrap().to_owned()
}

/// A client of its own, whose request has come to the upstream in between.
fn client(host: &Host, between: &Upstream) -> thread::JoinHandle<Option<Reply>> {
    let (at, before) = (host.web_address(), between.received().len());
    let request = Request::new("POST", "/orders").json(&json!({}));
    let client = thread::spawn(move || send(at, &request).ok());
    until("the upstream in between", || between.received().len() > before);
    client
}

/// What became of a run, and that it is told so.
fn fault_of(host: &mut Host, run: &str) -> Value {
    until("the end of the run", || runs(host, &format!("/{run}"))["run"]["state"] != "running");
    runs(host, &format!("/{run}"))["run"]["fault"].clone()
}

#[test]
fn a_client_that_leaves_on_the_way_takes_its_request_along() {
    let (worker, between) = (worker(), hanging());
    let mut host = shop(&worker, "/later", &between).start();
    let mut stream = TcpStream::connect(host.web_address()).unwrap();
    write!(stream, "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").unwrap();
    until("the upstream in between", || between.received().len() == 1);
    let run = run_of(&worker, "/later");
    let shown = runs(&mut host, &format!("/{run}"));
    assert_eq!(
        (&shown["run"]["state"], &shown["workers"][0]["state"]),
        (&json!("running"), &json!("deferred"))
    );
    assert!(shown["why"].as_str().unwrap().contains("join_at_scope"), "{shown}");
    drop(stream);
    assert_eq!(fault_of(&mut host, &run), "interrupted");
    assert_eq!(says(&mut host, &worker, "/later", &json!({})).status, 401, "the job is not wanted any more");
    host.finish();
}

#[test]
fn an_administrator_ends_it_on_the_way_and_where_it_waits() {
    let (worker, between) = (worker(), hanging());
    let cancel = |host: &mut Host, run: &str| {
        let url = format!("http://{}", host.admin_address());
        host.txco(&["runs", "cancel", run, "--url", &url]).succeeds();
    };
    let mut host = shop(&worker, "/later", &between).start();
    let client = client(&host, &between);
    cancel(&mut host, &run_of(&worker, "/later"));
    let reply = client.join().unwrap().unwrap();
    assert_eq!((reply.status, reply.text().contains("run_cancelled")), (503, true), "{}", reply.text());
    host.record("web reply", &reply.raw);
    assert_eq!(says(&mut host, &worker, "/later", &json!({})).status, 410);
    assert_eq!(states(&mut host), ["cancelled"]);
    host.finish();

    let between = self::between();
    let mut host = shop(&worker, "/waits", &between).start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    cancel(&mut host, &run_of(&worker, "/waits"));
    assert_eq!(ended(&mut host, &ticket).status, 410);
    assert_eq!(says(&mut host, &worker, "/waits", &json!({})).status, 410);
    host.finish();
}

/// A job was handed out, so a request that is killed before it waits is not begun again.
#[test]
fn kill_9_on_the_way_ends_it_and_does_nothing_twice() {
    let (worker, between) = (worker(), hanging());
    let mut host = shop(&worker, "/later", &between).start();
    let client = client(&host, &between);
    host.kill();
    assert!(client.join().unwrap().is_none(), "it has no answer");
    host.start();
    let run = run_of(&worker, "/later");
    assert_eq!(fault_of(&mut host, &run), "interrupted");
    assert_eq!(says(&mut host, &worker, "/later", &json!({ "sum": 1 })).status, 401);
    assert_eq!((worker.received().len(), between.received().len()), (1, 1), "nothing twice");
    host.finish();

    // The same where it had waited for another worker before.
    let first = format!("EXEC \"http://{}/first\" WITH mode = \"async\"\n", worker.address());
    let mut host = shop(&worker, "/again", &between).rule("OPS/web/50/first.txcl", &first).start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    assert_eq!(says(&mut host, &worker, "/first", &json!({})).json()["status"], "resumed");
    until("the upstream in between", || between.received().len() == 2);
    host.kill();
    host.start();
    let end = ended(&mut host, &ticket);
    assert_eq!((end.status, &end.json()["reason"]), (502, &json!("unavailable")), "{}", end.text());
    assert_eq!((worker.received().len(), between.received().len()), (3, 2), "nothing twice");
    host.finish();
}

#[test]
fn kill_9_where_it_waits_and_after_the_call_loses_nothing() {
    let (worker, between) = (worker(), between());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let slow = Upstream::http("slow", move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Hang,
        _ => Answer::json(&json!({ "slow": true })),
    });
    let rule = format!("EXEC \"http://{}/\" WITH method = \"GET\", timeout = \"60s\"\n", slow.address());
    let mut host = shop(&worker, "/later", &between).rule("OPS/web/400/slow.txcl", &rule).start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    host.kill();
    host.start();
    assert_eq!(ask(&mut host, &ticket, "").json()["status"], "waiting");
    assert_eq!(says(&mut host, &worker, "/later", &json!({ "sum": 42 })).json()["status"], "resumed");
    until("what comes behind", || calls.load(Ordering::SeqCst) == 1);
    host.kill();
    host.start();
    let end = ended(&mut host, &ticket).json();
    let result = &end["result"];
    assert_eq!((&result["seen"], &result["slow"]), (&json!(42), &json!(true)), "{end}");
    assert_eq!((worker.received().len(), between.received().len()), (1, 1), "nothing twice");
    assert_eq!(says(&mut host, &worker, "/later", &json!({ "sum": 1 })).status, 401);
    assert_eq!(states(&mut host), ["completed"]);
    host.finish();
}

/// A worker may call any chassis on the database, whichever runs the request.
#[test]
fn a_worker_calls_another_chassis_on_the_database() {
    let worker = worker();
    let gate = Arc::new(std::sync::Mutex::new(()));
    let held = Arc::clone(&gate);
    let between = Upstream::http("between", move |_| {
        drop(held.lock().unwrap());
        Answer::json(&json!({}))
    });
    let mut one = shop(&worker, "/on-the-way", &between).start();
    let folder = one.path("chassis/data");
    let (db, key) = (folder.join("db"), folder.join("secrets/txco-master.key"));
    let mut two = shop(&worker, "/where-it-waits", &between)
        .flags(&["--db-root-dir", db.to_str().unwrap(), "--secret-master-key", key.to_str().unwrap()])
        .start();
    let call = |host: &mut Host, path: &str| {
        let job = job_at(&worker, path);
        host.web(&callback(&job.json(), &token(&job), &done(&json!({ "sum": 42 }))))
    };
    let stop = gate.lock().unwrap();
    let client = client(&one, &between);
    assert_eq!(call(&mut two, "/on-the-way").json()["status"], "recorded");
    drop(stop);
    let reply = client.join().unwrap().unwrap();
    assert_eq!((reply.status, &reply.json()["seen"]), (200, &json!(42)), "{}", reply.text());

    let ticket = ticket(&two.event("/orders", &json!({})));
    assert_eq!(call(&mut one, "/where-it-waits").json()["status"], "resumed");
    assert_eq!(ended(&mut two, &ticket).json()["result"]["seen"], 42);
    assert_eq!(call(&mut two, "/where-it-waits").status, 401);
    assert_eq!(worker.received().len(), 2);
    two.finish();
    one.finish();
}

/// A mock answers for the worker, and joins where its output would.
#[test]
fn a_mocked_job_joins_at_its_scope_and_is_not_handed_out() {
    let (worker, between) = (worker(), between());
    let mocked = format!("SET @mocks = \"web/100/job\"\n{}", job(&worker, "/mocked", 300, ""));
    let mock = r#"{"sum": 42, "_txc": {"tenant": "evil"}}"#;
    let rules = || {
        shop(&worker, "/never", &between)
            .rule("OPS/web/100/job.txcl", &mocked)
            .file("workspace/OPS/web/100/mock-response.json", mock)
    };
    let mut host = rules().start();
    let reply = host.event("/orders", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    assert_eq!((&answer["seen"], &answer["early"], &answer["later"]), (&json!(42), &json!(""), &json!(200)));
    assert_eq!(states(&mut host), Vec::<String>::new());
    host.finish();

    // It is kept with what waits, for others and beside them.
    let other = |path: &str, more: &str| {
        format!("EXEC \"http://{}{path}\" WITH mode = \"async\"{more}\n", worker.address())
    };
    let mut host = rules()
        .rule("OPS/web/120/real.txcl", &other("/real", ", join_at_scope = 300"))
        .rule("OPS/web/150/other.txcl", &other("/other", ""))
        .start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    assert_eq!(says(&mut host, &worker, "/other", &json!({})).json()["status"], "resumed");
    assert_eq!(says(&mut host, &worker, "/real", &json!({ "real": true })).status, 200);
    let result = ended(&mut host, &ticket).json()["result"].clone();
    assert_eq!((&result["seen"], &result["real"]), (&json!(42), &json!(true)), "{result}");
    assert!(!worker.received().iter().any(|job| job.target == "/mocked"));
    host.finish();
}

#[test]
fn lint_and_the_trace_tell_of_jobs_that_join() {
    let (worker, between) = (worker(), between());
    let mut host = shop(&worker, "/quick", &between).start();
    assert_eq!(host.event("/orders", &json!({ "say": { "sum": 42 } })).status, 200);
    let explained = host.txco(&["trace", "last", "--explain"]).succeeds();
    for told in ["the job of web/100/job goes on", "web/100/job joined before web/300"] {
        assert!(explained.contains(told), "{told}: {explained}");
    }
    host.txco(&["lint", "workspace"]).succeeds();
    for (joins, code, told) in [
        (100, 1, "rule job of scope 100 joins at scope 100, which is not behind it"),
        (301, 0, "rule job joins at scope 301, and no scope lies there or behind it"),
    ] {
        host.write("workspace/OPS/web/100/job.txcl", job(&worker, "/quick", joins, ""));
        let lint = host.txco(&["lint", "workspace"]);
        let said = format!("{}{}", lint.stdout, lint.stderr);
        assert!(said.contains(told), "{told}: {said}");
        if code == 0 { drop(lint.succeeds()) } else { drop(lint.fails(code)) }
    }
    host.finish();
}
