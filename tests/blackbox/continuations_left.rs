//! A client that leaves while its request is being stored: nothing of it stays that nobody carries on.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use support::{Answer, Host, Request, Upstream};

use crate::TXCO;
use crate::continuations::{ask, ticket};
use crate::continuations_joins::{between, says, shop, states, to, until, worker};

/// How long a chassis is given to come to the database, and to see that a client left.
const PAUSE: Duration = Duration::from_millis(500);

fn comes(host: &Host) -> TcpStream {
    let mut client = TcpStream::connect(host.web_address()).unwrap();
    write!(client, "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").unwrap();
    client
}

/// Somebody else writes, and nobody beside him.
fn writes(host: &Host) -> Connection {
    let other = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

/// A client leaves while somebody else writes; `seen` is what comes right before its request is stored.
#[track_caller]
fn leaves(host: &Host, seen: impl Fn() -> bool) {
    let (other, client) = (writes(host), comes(host));
    until("what comes before", seen);
    thread::sleep(PAUSE);
    drop(client);
    thread::sleep(PAUSE);
    drop(other);
}

#[test]
fn a_client_that_leaves_while_its_request_is_stored_takes_it_along() {
    for (what, mode) in [("waits", ""), ("is joined", ", join_at_scope = 300")] {
        let (worker, between) = (worker(), between());
        let rule = format!("EXEC \"http://{}/job\" WITH mode = \"async\"{mode}\n", worker.address());
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/50/between.txcl", &to(&between, ".n DEFAULT 1"))
            .rule("OPS/web/100/job.txcl", &rule)
            .rule("OPS/web/300/after.txcl", "EMIT .after = true\n")
            .start();
        leaves(&host, || between.received().len() == 1);
        // What is stored next is stored behind it.
        let ticket = ticket(&host.event("/orders", &json!({})));
        until("the end of the first", || states(&mut host) == ["waiting"]);
        assert_eq!(worker.received().len(), 1, "{what}: a job was handed out for nobody");
        assert_eq!(says(&mut host, &worker, "/job", &json!({})).status, 200);
        until("the end", || ask(&mut host, &ticket, "").status == 200);
        host.finish();
    }
}

/// Only one request may be under way to an upstream, so one of the two jobs still has its turn to come.
#[test]
fn a_client_that_leaves_while_jobs_are_handed_out_takes_none_of_them_along() {
    let gate = Arc::new(Mutex::new(()));
    let held = Arc::clone(&gate);
    let worker = Upstream::http("worker", move |_| {
        drop(held.lock().unwrap());
        Answer::new(202, &[], "{}")
    });
    let rule = |path| format!("EXEC \"http://{}/{path}\" WITH mode = \"async\"\n", worker.address());
    let mut host = Host::serve(TXCO)
        .flags(&["--egress-calls", "1"])
        .rule("OPS/web/100/one.txcl", &rule("one"))
        .rule("OPS/web/100/two.txcl", &rule("two"))
        .start();
    let shut = gate.lock().unwrap();
    let client = comes(&host);
    until("the first job", || worker.received().len() == 1);
    drop(client);
    thread::sleep(PAUSE);
    drop(shut);
    until("the second job", || worker.received().len() == 2);
    until("that it waits", || states(&mut host) == ["waiting"]);
    for path in ["/one", "/two"] {
        assert_eq!(says(&mut host, &worker, path, &json!({})).status, 200);
    }
    until("the end", || states(&mut host) == ["completed"]);
    host.finish();
}

#[test]
fn a_client_that_leaves_while_it_is_to_be_told_to_come_back_takes_its_request_along() {
    let slow = Upstream::http("slow", |_| Answer::Hang);
    let rule = format!(
        "EXEC \"http://{}/\" WITH mode = \"continuable\", continue_after = \"100ms\", timeout = \"60s\"\n",
        slow.address()
    );
    let mut host = Host::serve(TXCO).rule("OPS/web/100/slow.txcl", &rule).start();
    leaves(&host, || slow.received().len() == 1);
    drop(ticket(&host.event("/orders", &json!({}))));
    until("the end of the first", || states(&mut host) == ["running"]);
    host.finish();
}

/// Of one that goes on beside a job a worker has heard: it is told as ended.
#[test]
fn a_client_that_leaves_where_its_request_begins_to_wait_for_a_job_ends_it() {
    let gate = Arc::new(Mutex::new(()));
    let (worker, held) = (worker(), Arc::clone(&gate));
    let between = Upstream::http("between", move |_| {
        drop(held.lock().unwrap());
        Answer::json(&json!({}))
    });
    let mut host = shop(&worker, "/later", &between).start();
    let shut = gate.lock().unwrap();
    let client = comes(&host);
    until("the upstream in between", || between.received().len() == 1);
    let other = writes(&host);
    drop(shut);
    thread::sleep(PAUSE);
    drop(client);
    thread::sleep(PAUSE);
    drop(other);
    until("the end", || states(&mut host) == ["failed"]);
    assert_eq!(says(&mut host, &worker, "/later", &json!({})).status, 401);
    host.finish();
}

/// What is to be noted of them waits for the database, and nobody else with it.
#[test]
fn clients_that_leave_while_somebody_else_writes_keep_nobody_waiting() {
    let (worker, between) = (worker(), Upstream::http("between", |_| Answer::Hang));
    let mut host = shop(&worker, "/later", &between).start();
    let many = 8 + 2 * thread::available_parallelism().unwrap().get();
    let clients: Vec<_> = (0..many).map(|_| comes(&host)).collect();
    until("the upstream in between", || between.received().len() == many);
    let other = writes(&host);
    drop(clients);
    thread::sleep(PAUSE);
    // The chassis waits for the database for half a minute.
    let begun = Instant::now();
    assert_eq!(host.web(&Request::new("GET", "/healthz")).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(other);
    until("their ends", || states(&mut host).iter().filter(|state| *state == "failed").count() == many);
    host.finish();
}
