//! SIGTERM ends the chassis politely: what runs is finished, what is new is not taken.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Answer, Host, Http2, Request, Signal, Upstream, send};

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

#[test]
fn who_only_holds_a_connection_of_http2_does_not_hold_the_end() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = 1\n").start();
    let mut silent = Http2::connect(host.web_address(), 65_535).unwrap();
    let mut served = Http2::connect(host.web_address(), 65_535).unwrap();
    served.get(1, "/").unwrap();
    assert_eq!(served.end(1, |_, _| ()), (7, false));
    host.signal(Signal::TERM);
    // Neither reads on, so neither answers what they are asked.
    let began = Instant::now();
    assert_eq!(host.wait(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    for held in [&mut silent, &mut served] {
        assert!(std::iter::from_fn(|| held.frame().ok()).any(|frame| frame.says_goodbye()));
    }
    host.finish();
}
