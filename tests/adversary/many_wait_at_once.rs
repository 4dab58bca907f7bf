//! Requests that wait for an upstream hold little each, no more of them wait there than may, all are counted, and what
//! they held is given back.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Host, Request};

use crate::TXCO;

/// As many as one tenant may have under way (`--egress-calls`), and two more that wait for a place.
const PARKED: usize = 200;
const MORE: usize = 2;
const BODY: usize = 16 << 10;
/// How many others are answered meanwhile, one after the other: who waits keeps no thread.
const OTHERS: usize = 100;
/// What each may hold, its connections included.
const EACH: u64 = 1 << 20;
/// How much more as many may hold a second time: an allocator keeps its pages, and gives them out again.
const AGAIN: u64 = 24 << 20;

fn active(host: &mut Host) -> usize {
    let page = host.admin(&Request::new("GET", "/metrics")).text();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("chassis_requests_active{txco_tenant_slug=\"default\"} "));
    line.map_or(0, |count| count.parse().unwrap())
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_each_holds_is_bounded_counted_and_given_back() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let (reached, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (count, holds) = (Arc::clone(&reached), Arc::clone(&held));
    thread::spawn(move || {
        for stream in silent.incoming() {
            holds.lock().unwrap().push(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let rule = format!(
        "WHEN .body.wait == true\nSELECT .body.order AS .order\nWITH timeout = \"60s\"\nEXEC \"http://{address}/\"\n"
    );
    // Without traces, which would be most of what is searched at the end.
    let serve = "serve --web-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0 --egress-allow-cidrs 127.0.0.0/8";
    let mut host = Host::with(TXCO, &serve.split(' ').collect::<Vec<_>>())
        .rule("OPS/web/100/call.txcl", &rule)
        .flags(&["--egress-calls", &PARKED.to_string()])
        .start();
    assert_eq!(host.event("/", &json!({ "body": { "wait": false } })).status, 200);
    assert_eq!(active(&mut host), 0);
    let before = host.resident();
    let all = (PARKED + MORE) as u64;
    let park = |host: &mut Host| {
        reached.store(0, Ordering::SeqCst);
        let body = json!({ "wait": true, "order": "x".repeat(BODY) }).to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let one = |_| {
            let mut client = TcpStream::connect(host.web_address()).unwrap();
            client.write_all(format!("{head}{body}").as_bytes()).unwrap();
            client
        };
        let clients: Vec<_> = (0..PARKED + MORE).map(one).collect();
        until("all of them wait", || {
            active(host) == PARKED + MORE && reached.load(Ordering::SeqCst) >= PARKED
        });
        thread::sleep(Duration::from_millis(300));
        assert_eq!(reached.load(Ordering::SeqCst), PARKED, "no more reach the upstream than may");
        for _ in 0..OTHERS {
            assert_eq!(host.event("/", &json!({ "body": { "wait": false } })).status, 200);
        }
        assert_eq!(active(host), PARKED + MORE, "others were answered while all of them waited");
        let held_now = host.resident().saturating_sub(before);
        drop(clients);
        until("nobody waits any more", || active(host) == 0);
        held.lock().unwrap().clear();
        held_now
    };
    let first = park(&mut host);
    println!("{} KiB each", (first / all) >> 10);
    assert!(first / all < EACH, "{first} bytes for {all}");
    let again = [park(&mut host), park(&mut host), park(&mut host)];
    println!("{first} bytes, then {again:?}");
    assert!(
        again.iter().all(|again| *again < first + AGAIN),
        "{first} bytes, then {again:?}: nothing was given back"
    );
    host.finish();
}
