//! Fifty ops that loop for ever starve neither administration nor other requests (R26).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use support::{Host, Request, send};

use crate::TXCO;
use crate::hostile::{HOSTILE, served, with_guests};

const OPS: usize = 50;

#[test]
fn administration_and_others_are_served_meanwhile() {
    let (mut host, secret) = with_guests(Host::serve(TXCO).flags(&["--sandbox-wall", "1s"]), &[&HOSTILE]);
    let (address, ended) = (host.web_address(), Arc::new(AtomicUsize::new(0)));
    let looping: Vec<_> = (0..OPS)
        .map(|_| {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                let reply = send(address, &Request::new("POST", "/").json(&json!({ "attack": 1 })));
                ended.fetch_add(1, Ordering::SeqCst);
                reply.map(|reply| (reply.status, reply.json()["error"]["code"].as_str().map(str::to_owned)))
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    for _ in 0..5 {
        assert_eq!(host.admin(&Request::new("GET", "/v1/tenants")).status, 200);
        assert_eq!(host.web(&Request::new("GET", "/healthz")).status, 200);
        let reply = host.event("/", &json!({ "n": 1 }));
        assert_eq!((reply.status, &reply.json()["hello"]), (200, &json!(1)), "{}", reply.text());
    }
    let still = OPS - ended.load(Ordering::SeqCst);
    assert!(still > 0, "all loops had ended: nothing was shown");
    for one in looping {
        assert_eq!(one.join().unwrap().unwrap(), (504, Some("op_limit".to_owned())));
    }
    served(&mut host);
    host.forgot(&secret, "fifty deadlines");
    host.finish();
}
