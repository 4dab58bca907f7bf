//! Upstreams that do everything wrong and clients of both protocols that leave at every moment, all at once: each
//! request ends in its own fault, others are answered meanwhile, and nothing of any of them is left.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use support::{Host, Http2, Request};

use crate::TXCO;

const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const PACKED: &str = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Clients of HTTP/1.1 for each upstream, one request each.
const CLIENTS: usize = 24;
/// Clients of HTTP/2 for each, and the requests of one, all at once.
const CLIENTS_2: usize = 2;
const STREAMS: u32 = 12;
/// How much more memory it may use while they push, and how much more when they are gone. A
/// bomb that is unpacked has 64 MiB; 100 KiB that are not given back make 200 MiB.
const MORE_AT_MOST: u64 = 256 << 20;
const MORE_AFTERWARDS: u64 = 96 << 20;
/// How many ask for good answers meanwhile, one request after the other.
const ASKING: usize = 4;

/// How an upstream goes on after what it says first.
#[derive(Clone, Copy)]
enum Then {
    /// Closes.
    Closes,
    /// Closes with a reset.
    Resets,
    /// Says nothing more.
    Waits,
    /// Says a byte more a second.
    Drips,
    /// Says this for as long as somebody listens.
    Repeats(&'static str),
}

/// Each: its name, what it says, how it goes on, and the fault of a request that it gets.
fn upstreams() -> Vec<(&'static str, Vec<u8>, Then, &'static str)> {
    use Then::{Closes, Drips, Waits};
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let half = &bomb[..bomb.len() / 2];
    let packed = |bytes: &[u8], length: usize| {
        [format!("{PACKED}Content-Length: {length}\r\n\r\n").as_bytes(), bytes].concat()
    };
    let mut all = vec![
        ("bomb", packed(&bomb, bomb.len()), Closes, "upstream_too_large"),
        ("bomb-that-waits", packed(half, bomb.len()), Waits, "upstream_too_large"),
        ("dripping-gzip", packed(&gzip(b"{}")[..10], 90), Drips, "upstream_timeout"),
        ("short-gzip", packed(&gzip(b"{}")[..12], 12), Closes, "upstream_encoding"),
    ];
    let plain = plain().into_iter().map(|(name, says, then, fault)| (name, says.into_bytes(), then, fault));
    all.extend(plain);
    all
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn plain() -> Vec<(&'static str, String, Then, &'static str)> {
    use Then::{Closes, Drips, Repeats, Resets, Waits};
    let ok = |rest: &str| format!("{JSON}{rest}");
    vec![
        ("silent", String::new(), Waits, "upstream_timeout"),
        ("closing", String::new(), Closes, "upstream_protocol"),
        ("dripping-head", "HTTP/1.1 200 OK\r\nX: ".into(), Drips, "upstream_timeout"),
        ("dripping-body", ok("Content-Length: 90\r\n\r\n"), Drips, "upstream_timeout"),
        ("resetting", ok("Content-Length: 90\r\n\r\n{\"a\":"), Resets, "upstream_protocol"),
        ("short", ok("Content-Length: 90\r\n\r\n{}"), Closes, "upstream_protocol"),
        (
            "two-lengths",
            ok("Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}abc"),
            Closes,
            "upstream_protocol",
        ),
        ("below-zero", ok("Content-Length: -2\r\n\r\n{}"), Closes, "upstream_protocol"),
        ("no-http", "SSH-2.0-x\r\n\r\n".into(), Closes, "upstream_protocol"),
        ("no-chunk", format!("{CHUNKED}zz\r\n{{}}\r\n0\r\n\r\n"), Closes, "upstream_protocol"),
        ("huge-chunk", format!("{CHUNKED}ffffffffffffffff\r\n{{}}"), Closes, "upstream_protocol"),
        ("trailing", format!("{CHUNKED}2\r\n{{}}\r\n0\r\n"), Repeats("X: y\r\n"), "upstream_protocol"),
        ("extending", format!("{CHUNKED}2;"), Repeats("yyyyyyyy"), "upstream_protocol"),
        ("heading", "HTTP/1.1 200 OK\r\n".into(), Repeats("X: yyyyyyyyyyyyyyyy\r\n"), "upstream_too_large"),
        ("long-header", "HTTP/1.1 200 OK\r\nX: ".into(), Repeats("yyyyyyyy"), "upstream_too_large"),
        ("hinting", String::new(), Repeats("HTTP/1.1 103 Early Hints\r\n\r\n"), "upstream_timeout"),
        ("endless", CHUNKED.into(), Repeats("8\r\nyyyyyyyy\r\n"), "upstream_too_large"),
        ("brotli", ok("Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"), Closes, "upstream_encoding"),
        ("no-gzip", ok("Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), Closes, "upstream_encoding"),
        ("circling", "HTTP/1.1 302 F\r\nLocation: /circling\r\n\r\n".into(), Closes, "upstream_redirect"),
        (
            "switching",
            "HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".into(),
            Waits,
            "upstream_status",
        ),
        ("failing", "HTTP/1.1 500 F\r\nContent-Length: 2\r\n\r\n{}".into(), Closes, "upstream_status"),
    ]
}

/// Serves one of them until the test ends.
fn serve(says: Vec<u8>, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, says) = (stream.unwrap(), says.clone());
            thread::spawn(move || answer(stream, &says, then));
        }
    });
    address
}

/// Errors are what a chassis does that has enough of this.
fn answer(mut stream: TcpStream, says: &[u8], then: Then) -> Option<()> {
    let mut request = [0; 4096];
    // Closing with something unread resets.
    let most = if matches!(then, Then::Resets) { 1 } else { request.len() };
    stream.read(&mut request[..most]).ok().filter(|read| *read > 0)?;
    stream.write_all(says).ok()?;
    match then {
        Then::Closes | Then::Resets => {}
        Then::Waits => {
            stream.read_to_end(&mut Vec::new()).ok()?;
        }
        Then::Drips => loop {
            thread::sleep(Duration::from_secs(1));
            stream.write_all(b"y").ok()?;
        },
        Then::Repeats(text) => {
            let much = text.repeat(512);
            loop {
                stream.write_all(much.as_bytes()).ok()?;
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    Some(())
}

/// Where a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    Never,
    InTheHead,
    InTheBody,
    AtOnce,
    During,
    InTheAnswer,
}

/// What came of the client's request, when it waited for it.
fn client(to: SocketAddr, path: &str, leaves: Leaves) -> Option<String> {
    let head = format!("POST /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 7\r\n\r\n");
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut says = |text: &str| stream.write_all(text.as_bytes()).unwrap();
    match leaves {
        Leaves::InTheHead => says(&head[..head.len() / 2]),
        Leaves::InTheBody => says(&format!("{head}{{\"a")),
        Leaves::Never | Leaves::AtOnce | Leaves::During | Leaves::InTheAnswer => {
            says(&format!("{head}{{\"a\":1}}"))
        }
    }
    match leaves {
        Leaves::InTheHead | Leaves::InTheBody | Leaves::AtOnce => None,
        Leaves::During => {
            thread::sleep(Duration::from_millis(100));
            None
        }
        Leaves::InTheAnswer => {
            let _one_or_none = stream.read(&mut [0]).unwrap();
            None
        }
        Leaves::Never => {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            Some(answer)
        }
    }
}

/// A client of HTTP/2 that has many requests under way and gives them up.
fn client_2(to: SocketAddr, path: &str, leaves: Leaves) -> io::Result<()> {
    let path = format!("/{path}");
    let mut http2 = Http2::connect(to, 65_535)?;
    let streams = || (0..STREAMS).map(|stream| 2 * stream + 1);
    for stream in streams() {
        http2.post(stream, &path)?;
        match leaves {
            Leaves::InTheHead => http2.reset(stream)?,
            Leaves::InTheBody => {}
            Leaves::Never | Leaves::AtOnce | Leaves::During | Leaves::InTheAnswer => {
                http2.body(stream, b"{\"a\":1}")?;
            }
        }
    }
    match leaves {
        Leaves::InTheHead | Leaves::InTheBody | Leaves::AtOnce => {}
        Leaves::During => {
            thread::sleep(Duration::from_millis(100));
            streams().try_for_each(|stream| http2.reset(stream))?;
            // The connection is as good as before.
            http2.get(2 * STREAMS + 1, "/good")?;
            assert!(!http2.end(2 * STREAMS + 1, |_, _| {}).1, "a good request was reset");
        }
        Leaves::InTheAnswer => while http2.frame()?.status().is_none() {},
        Leaves::Never => {
            let mut under_way = streams().count();
            while under_way > 0 {
                under_way -= usize::from(http2.frame()?.ends().is_some());
            }
        }
    }
    Ok(())
}

/// All of them at once: `path` says where each request of the upstream of this name goes.
fn push(web: SocketAddr, names: &[&str], path: impl Fn(&str) -> String + Sync, leaves: &[Leaves]) {
    let path = &path;
    thread::scope(|scope| {
        for name in names {
            for leaves in leaves.iter().copied().cycle().take(CLIENTS) {
                scope.spawn(move || client(web, &path(name), leaves));
            }
            for leaves in leaves.iter().copied().cycle().take(CLIENTS_2) {
                scope.spawn(move || {
                    let done = client_2(web, &path(name), leaves);
                    done.unwrap_or_else(|error| panic!("{name}, {leaves:?}: {error}"));
                });
            }
        }
    });
}

/// Some ask for good answers while `push` goes on, and get them. That they need not wait for the others is counted in
/// `many_wait_at_once`.
fn meanwhile(web: SocketAddr, push: impl FnOnce() + Send) {
    let over = AtomicBool::new(false);
    let ask = || {
        while !over.load(Ordering::SeqCst) {
            let answer = client(web, "good", Leaves::Never).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"good\":true"), "{answer}");
        }
    };
    thread::scope(|scope| {
        for _ in 0..ASKING {
            scope.spawn(ask);
        }
        let pushing = scope.spawn(push).join();
        over.store(true, Ordering::SeqCst);
        pushing.unwrap();
    });
}

/// Open descriptors and threads of the chassis.
fn open(host: &Host) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", host.pid())).unwrap().count();
    (count("fd"), count("task"))
}

#[test]
fn nothing_is_left_of_them_and_each_is_told_by_its_code() {
    let upstreams = upstreams();
    let rule = |path: &str, rest: &str| format!("WHEN @web.req.url.path == \"/{path}\"\n{rest}\n");
    let mut builder = Host::serve(TXCO)
        .flags(&["--op-payload-max", "100000"])
        .rule("OPS/web/100/good.txcl", &rule("good", "EMIT .good = true"));
    for (name, says, then, _) in &upstreams {
        let call = format!("EXEC \"http://{}/\"\nWITH timeout = 2000", serve(says.clone(), *then));
        builder = builder.rule(&format!("OPS/web/100/{name}.txcl"), &rule(name, &call));
    }
    let mut host = builder.start();
    let names: Vec<_> = upstreams.iter().map(|(name, ..)| *name).collect();
    let web = host.web_address();
    assert_eq!(host.web(&Request::new("GET", "/good")).status, 200);
    let descriptors = open(&host).0;
    // As many that want nothing bad.
    meanwhile(web, || push(web, &names, |_| "good".to_owned(), &[Leaves::Never]));
    let (threads, memory) = (open(&host).1, host.resident());
    let leaves = [
        Leaves::Never,
        Leaves::InTheHead,
        Leaves::InTheBody,
        Leaves::AtOnce,
        Leaves::During,
        Leaves::InTheAnswer,
    ];
    let (peak, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                peak.fetch_max(host.resident(), Ordering::SeqCst);
                thread::sleep(Duration::from_millis(20));
            }
        });
        let seen = scope.spawn(|| meanwhile(web, || push(web, &names, str::to_owned, &leaves))).join();
        over.store(true, Ordering::SeqCst);
        seen.unwrap();
    });
    let more = peak.into_inner().saturating_sub(memory);
    assert!(more < MORE_AT_MOST, "{more} bytes more");
    // Now that nobody pushes: each upstream has its fault.
    for (name, _, _, fault) in &upstreams {
        let answer = client(web, name, Leaves::Never).unwrap();
        let id = answer.split("x-request-id: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
        let timeline = host.read(
            &host.files("").into_iter().find(|file| file.ends_with(&format!("{id}/timeline.jsonl"))).unwrap(),
        );
        let end: Value = serde_json::from_str(timeline.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&end["event"], &end["error"]),
            (&"request.end".into(), &(*fault).into()),
            "{name}: {answer}"
        );
    }
    let began = Instant::now();
    while open(&host).0 > descriptors + 2 {
        // Unused connections are kept for 10 seconds, and looked at every 10.
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{descriptors} open before, now {:?}",
            open(&host)
        );
        thread::sleep(Duration::from_millis(100));
    }
    assert!(open(&host).1 <= threads + 8, "{threads} threads before, now {:?}", open(&host));
    let more = host.resident().saturating_sub(memory);
    println!("{more} bytes more afterwards");
    assert!(more < MORE_AFTERWARDS, "{more} bytes more than before, of {memory}");
    // What began has ended, once, and is counted.
    let mut ends = BTreeMap::<String, usize>::new();
    for file in host.files("").iter().filter(|file| file.ends_with("timeline.jsonl")) {
        let lines = host.read(file);
        let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut all: Vec<_> = events.filter(|event| event["event"] == "request.end").collect();
        assert_eq!(all.len(), 1, "{file}: {lines}");
        let end = all.remove(0);
        let how = end["error"].as_str().or_else(|| end["status"].as_str()).unwrap();
        *ends.entry(how.to_owned()).or_default() += 1;
    }
    assert!(ends["cancelled"] > 0 && ends.len() > 6, "{ends:?}");
    let metrics = host.admin(&Request::new("GET", "/metrics")).text();
    for (how, count) in ends {
        let line =
            format!("chassis_requests_total{{txco_tenant_slug=\"default\",outcome=\"{how}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    assert!(!host.log().contains("panic"), "{}", host.log());
    host.finish();
}
