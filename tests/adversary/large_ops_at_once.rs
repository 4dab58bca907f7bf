//! Of ops over 1 MiB only so many run at the same time (`--sandbox-large-calls`), each may hold a hundred megabytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Host, Request, Signal, send};

use crate::TXCO;
use crate::hostile::{HOSTILE, SCAVENGER, op, push, said};

const CALLS: u32 = 4;
const WALL: Duration = Duration::from_millis(600);

/// A chassis with the hostile op made large, one that is not, and `flags`.
fn chassis(flags: &[&str]) -> Host {
    let mut host = Host::serve(TXCO).rule("OPS/web/50/hello.txcl", "EMIT .hello = 1\n").flags(flags).start();
    host.store("THE_SECRET");
    // A custom section that makes it large: its number, its length (LEB128, of three bytes), an empty name.
    let padding = [vec![0, 0x80, 0x80, 0x42], vec![0; 0x42 << 14]].concat();
    host.write("large.wasm", [HOSTILE.bytes(), padding].concat());
    op(&mut host, &["push", "large.wasm"]).succeeds();
    push(&mut host, &SCAVENGER);
    host.write("workspace/OPS/web/100/hostile.txcl", HOSTILE.rule());
    host.write("workspace/OPS/web/200/small.txcl", "WHEN .body.small != null\nEXEC \"op://scavenger\"\n");
    host.logs_after("rules reloaded", |host| host.signal(Signal::HUP));
    host
}

/// Begins so many calls of the large op that each take all the time it has; how many have ended is counted.
fn flood(host: &Host, calls: usize) -> (Vec<thread::JoinHandle<()>>, Arc<AtomicUsize>) {
    let (address, ended) = (host.web_address(), Arc::new(AtomicUsize::new(0)));
    let call = |_| {
        let ended = Arc::clone(&ended);
        thread::spawn(move || {
            let reply = send(address, &Request::new("POST", "/").json(&json!({ "attack": 1 }))).unwrap();
            ended.fetch_add(1, Ordering::SeqCst);
            assert_eq!((reply.status, &reply.json()["error"]["code"]), (504, &json!("op_limit")));
        })
    };
    ((0..calls).map(call).collect(), ended)
}

/// How long it takes until `CALLS` calls, begun at once, that each use up the whole time of a large op have
/// ended, where so many of them may run at the same time.
fn taken(at_once: &str) -> Duration {
    let flags = ["--sandbox-large-wall", "600ms", "--sandbox-wall", "30s", "--sandbox-large-calls", at_once];
    let mut host = chassis(&flags);
    let began = Instant::now();
    let (looping, _) = flood(&host, CALLS as usize);
    // Who calls none of them does not wait for them.
    thread::sleep(WALL / 4);
    let asked = Instant::now();
    assert_eq!(host.event("/", &json!({ "n": 1 })).status, 200);
    assert!(asked.elapsed() < WALL * 2, "{:?}", asked.elapsed());
    for one in looping {
        one.join().unwrap();
    }
    let taken = began.elapsed();
    host.finish();
    taken
}

#[test]
fn they_wait_for_each_other() {
    // One after the other, whatever the machine; and all at once, unless it is far too slow for that.
    let (one, all) = (taken("1"), taken("4"));
    assert!(one >= WALL * CALLS, "at most one at a time, and all were over in {one:?}");
    assert!(all < WALL * CALLS, "four at a time took {all:?}, one at a time {one:?}");
}

/// A tenant has eight places for its small ops; twenty waiting calls of a large one take none of them.
#[test]
fn what_waits_keeps_no_small_op_from_running() {
    let flags = ["--sandbox-large-wall", "500ms", "--sandbox-large-calls", "1", "--op-timeout", "60s"];
    let mut host = chassis(&flags);
    let (looping, ended) = flood(&host, 20);
    thread::sleep(Duration::from_millis(300));
    said(&host.event("/", &json!({ "small": 1 })));
    let before = ended.load(Ordering::SeqCst);
    assert!(before < 10, "it waited for {before} of them");
    for one in looping {
        one.join().unwrap();
    }
    host.finish();
}
