//! SIGTERM ends the chassis politely: what runs is finished, what is new is not taken.

use std::thread;
use std::time::Duration;

use serde_json::json;
use support::{Answer, Host, Request, Signal, Upstream, send};

use crate::TXCO;

#[test]
fn a_running_request_is_finished() {
    let slow = Upstream::http("slow", |_| {
        thread::sleep(Duration::from_millis(1500));
        Answer::json(&json!({ "done": true }))
    });
    let rule = format!("EXEC \"http://{}/\"\n", slow.address());
    let mut host = Host::serve(TXCO).rule("OPS/web/100/slow.txcl", &rule).recording(&slow).start();
    let address = host.web_address();
    let running = thread::spawn(move || send(address, &Request::new("POST", "/").json(&json!({}))));
    while slow.received().is_empty() {
        assert!(!running.is_finished(), "{:?}", running.join());
        thread::sleep(Duration::from_millis(5));
    }
    host.signal(Signal::TERM);
    let code = host.wait();
    let reply = running.join().unwrap().expect("the answer came");
    assert_eq!((reply.status, &reply.json()["done"]), (200, &json!(true)));
    assert_eq!(code, Some(0));
    host.finish();
}

#[test]
fn ctrl_c_ends_it_too() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = 1\n").start();
    host.signal(Signal::INT);
    assert_eq!(host.wait(), Some(0));
    host.finish();
}
