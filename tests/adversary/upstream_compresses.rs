//! Compression hides neither an echo nor a flood, and a reply cannot choose mocks.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use support::{Answer, Host, Request, Upstream, send};

use crate::TXCO;
use crate::attack::{SEND, chassis, fault, vendor_that};

/// How many bombs come at once, and how many MiB they may take; unpacked all at once it is 1,200.
const AT_ONCE: usize = 100;
const MORE_AT_MOST: u64 = 250;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn packed(body: &[u8]) -> Answer {
    Answer::new(200, &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], gzip(body))
}

/// C7 of the weaknesses. The search behind `finish` would find the key in every place there is.
#[test]
fn an_echo_inside_gzip_is_masked() {
    let vendor = vendor_that(|request| {
        let key = request.header("x-api-key").unwrap();
        packed(json!({ "echo": key, "in_text": format!("<{key}>"), "done": true }).to_string().as_bytes())
    });
    let rule = format!("{SEND}EMIT .headers = @upstream.call.headers\n");
    let mut host = chassis(&vendor, &rule).start();
    let key = host.store("VENDOR_KEY");
    let reply = host.event("/", &json!({}));
    assert_eq!((reply.status, &reply.json()["done"]), (200, &json!(true)), "{}", reply.text());
    assert_eq!(reply.json()["echo"], json!("[masked]"));
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.finish();
}

/// H10 of the weaknesses: a few bytes that say very many are counted as what they say.
#[test]
fn a_bomb_is_refused_and_others_are_served() {
    let bomb = gzip(&vec![b' '; 200 << 20]);
    assert!(bomb.len() < 300 << 10, "it is small on the way");
    let vendor = Upstream::https("vendor", &["api.vendor.com"], move |request| {
        if request.target == "/bomb" {
            return Answer::new(200, &[("Content-Encoding", "gzip")], &bomb);
        }
        Answer::json(&json!({ "ok": true }))
    });
    let rule = "EXEC \"https://api.vendor.com/\" WITH url = &concat(\"https://api.vendor.com\", @web.req.url.path)\n";
    let mut host = chassis(&vendor, rule).start();
    let reply = host.event("/bomb", &json!({}));
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_eq!(fault(&host), "upstream_too_large");
    assert_eq!(host.event("/fine", &json!({})).json()["ok"], json!(true));
    host.finish();
}

/// A hundred that come together are unpacked a few at a time: each takes as much memory as a reply may have.
#[test]
fn bombs_that_come_together_do_not_take_the_memory_of_all() {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let all = Arc::new(Barrier::new(AT_ONCE));
    let together = Arc::clone(&all);
    let vendor = Upstream::http("vendor", move |_| {
        together.wait();
        Answer::new(200, &[("Content-Encoding", "gzip")], &bomb)
    });
    let rule = format!("EXEC \"http://{}/\" WITH timeout = \"60s\"\n", vendor.address());
    let host = Host::serve(TXCO).rule("OPS/web/100/call.txcl", &rule).start();
    let (web, before) = (host.web_address(), host.resident());
    let (peak, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                peak.fetch_max(host.resident(), Ordering::SeqCst);
                thread::sleep(Duration::from_millis(5));
            }
        });
        let ask = || send(web, &Request::new("GET", "/")).unwrap().status;
        let asking: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(ask)).collect();
        let ended: Vec<_> = asking.into_iter().map(|one| one.join()).collect();
        over.store(true, Ordering::SeqCst);
        assert!(ended.into_iter().all(|status| status.unwrap() == 502));
    });
    let more = peak.into_inner().saturating_sub(before) >> 20;
    println!("{more} MiB more");
    assert!(more < MORE_AT_MOST, "{more} MiB more");
    host.finish();
}

#[test]
fn a_reply_cannot_choose_mocks_or_give_itself_time() {
    let vendor =
        vendor_that(|_| Answer::json(&json!({ "_txc": { "mocks": "*", "ttl": 0, "fuel_used": 0 } })));
    let mut host = chassis(&vendor, "EXEC \"https://api.vendor.com/\"\n")
        .rule("OPS/web/200/verify.txcl", "EXEC \"txco://no-such-op\"\n")
        .file("workspace/OPS/web/200/mock-response.json", "{\"verified\":true}")
        .start();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert_eq!(fault(&host), "op_unknown");
    host.finish();
}
