//! Clients that open connections and never finish a request keep nobody else waiting, and not for ever.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::{Host, Request};

use crate::TXCO;

#[test]
fn others_are_answered_at_once() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = 1\n").start();
    let dawdle = |text: &[u8]| {
        let mut stream = TcpStream::connect(host.web_address()).unwrap();
        stream.write_all(text).unwrap();
        stream
    };
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(dawdle(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow"));
        open.push(dawdle(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"));
    }
    let start = Instant::now();
    assert_eq!(host.web(&Request::new("GET", "/")).status, 200);
    assert_eq!(host.admin(&Request::new("GET", "/healthz")).status, 200);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    drop(open);
    host.finish();
}

/// The body of a request must come within 15 seconds; then the client is told and the connection is free.
#[test]
fn a_body_that_does_not_come_is_given_up() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = 1\n").start();
    let mut stream = TcpStream::connect(host.web_address()).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut answer = vec![0; 64];
    let count = stream.read(&mut answer).expect("an answer or a close within 40 seconds");
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(count == 0 || answer.starts_with("HTTP/1.1 408"), "{answer}");
    host.record("web reply", answer.as_bytes());
    host.finish();
}
