//! Of ops over 1 MiB only so many run at the same time (`--sandbox-large-calls`), each may hold a hundred megabytes.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Host, Request, Signal, send};

use crate::TXCO;
use crate::hostile::{HOSTILE, op};

const CALLS: u32 = 4;
const WALL: Duration = Duration::from_millis(600);

/// How long it takes until `CALLS` calls, begun at once, that each use up the whole time of a large op have
/// ended, where so many of them may run at the same time.
fn taken(at_once: &str) -> Duration {
    let flags = ["--sandbox-large-wall", "600ms", "--sandbox-wall", "30s", "--sandbox-large-calls", at_once];
    let mut host = Host::serve(TXCO).rule("OPS/web/50/hello.txcl", "EMIT .hello = 1\n").flags(&flags).start();
    host.store("THE_SECRET");
    // A custom section that makes it large: its number, its length (LEB128, of three bytes), an empty name.
    let padding = [vec![0, 0x80, 0x80, 0x42], vec![0; 0x42 << 14]].concat();
    host.write("large.wasm", [HOSTILE.bytes(), padding].concat());
    op(&mut host, &["push", "large.wasm"]).succeeds();
    host.write("workspace/OPS/web/100/hostile.txcl", HOSTILE.rule());
    host.logs_after("rules reloaded", |host| host.signal(Signal::HUP));

    let (address, began) = (host.web_address(), Instant::now());
    let looping: Vec<_> = (0..CALLS)
        .map(|_| {
            thread::spawn(move || {
                let reply = send(address, &Request::new("POST", "/").json(&json!({ "attack": 1 }))).unwrap();
                (reply.status, reply.json()["error"]["code"].as_str().map(str::to_owned))
            })
        })
        .collect();
    // Who calls none of them does not wait for them.
    thread::sleep(WALL / 4);
    let asked = Instant::now();
    assert_eq!(host.event("/", &json!({ "n": 1 })).status, 200);
    assert!(asked.elapsed() < WALL * 2, "{:?}", asked.elapsed());
    for one in looping {
        assert_eq!(one.join().unwrap(), (504, Some("op_limit".to_owned())));
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
