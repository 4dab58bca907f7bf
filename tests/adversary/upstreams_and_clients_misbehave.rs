//! Upstreams that do everything wrong and clients that leave at every moment, all at once: each request ends in its
//! own fault, and nothing of any of them is left.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Host, Request};

use crate::TXCO;

const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

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
fn upstreams() -> Vec<(&'static str, String, Then, &'static str)> {
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
fn serve(says: String, then: Then) -> SocketAddr {
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
fn answer(mut stream: TcpStream, says: &str, then: Then) -> Option<()> {
    let mut request = [0; 4096];
    // Closing with something unread resets.
    let most = if matches!(then, Then::Resets) { 1 } else { request.len() };
    stream.read(&mut request[..most]).ok().filter(|read| *read > 0)?;
    stream.write_all(says.as_bytes()).ok()?;
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
#[derive(Clone, Copy)]
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

/// Open descriptors and threads of the chassis.
fn open(host: &Host) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", host.pid())).unwrap().count();
    (count("fd"), count("task"))
}

#[test]
fn nothing_is_left_of_them_and_each_is_told_by_its_code() {
    let upstreams = upstreams();
    let mut builder = Host::serve(TXCO).flags(&["--op-payload-max", "100000"]);
    for (name, says, then, _) in &upstreams {
        let rule = format!(
            "WHEN @web.req.url.path == \"/{name}\"\nEXEC \"http://{}/\"\nWITH timeout = 2000\n",
            serve(says.clone(), *then)
        );
        builder = builder.rule(&format!("OPS/web/100/{name}.txcl"), &rule);
    }
    let mut host = builder.start();
    assert_eq!(host.web(&Request::new("GET", "/other")).status, 200);
    let (web, before) = (host.web_address(), open(&host));
    let leaves = [
        Leaves::Never,
        Leaves::InTheHead,
        Leaves::InTheBody,
        Leaves::AtOnce,
        Leaves::During,
        Leaves::InTheAnswer,
    ];
    thread::scope(|scope| {
        for (name, ..) in &upstreams {
            for leaves in leaves.into_iter().cycle().take(24) {
                scope.spawn(move || client(web, name, leaves));
            }
        }
    });
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
    while open(&host).0 > before.0 + 2 {
        // Unused connections are kept for 10 seconds, and looked at every 10.
        assert!(began.elapsed() < Duration::from_secs(60), "{before:?} open before, now {:?}", open(&host));
        thread::sleep(Duration::from_millis(100));
    }
    assert!(open(&host).1 <= before.1 + 8, "{before:?} threads before, now {:?}", open(&host));
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
