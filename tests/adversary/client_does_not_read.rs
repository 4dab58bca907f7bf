//! A client that asks for a large answer and does not read it is cut off, and nobody waits for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use support::{Host, Request};

use crate::TXCO;

/// More than the system keeps of an answer that nobody reads.
const MUCH: usize = 24 << 20;

#[test]
fn it_is_cut_off_within_the_time_that_was_set() {
    let host = Host::serve(TXCO).flags(&["--web-write-timeout", "1s"]);
    let mut host = host.rule("OPS/web/100/a.txcl", "EMIT .a = 1\n").start();
    let body = format!(r#"{{"x":"{}"}}"#, "x".repeat(MUCH));
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let ask = || {
        let mut stream = TcpStream::connect(host.web_address()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    };
    let mut reader = ask();
    let mut first = [0; 15];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    assert!(count(&mut reader, MUCH) >= MUCH, "who reads gets all of it");

    let mut idle = ask();
    // The answer has begun: from now on it is only the client that is waited for.
    idle.read_exact(&mut first).unwrap();
    thread::sleep(Duration::from_secs(4));
    assert_eq!(host.web(&Request::new("GET", "/healthz")).status, 200);
    let got = count(&mut idle, MUCH);
    assert!(got < MUCH, "all of the answer came, {got} bytes, after the client did not read for 4 s");
    host.finish();
}

/// How many bytes come until `most`, the end, or a failure that says that the other end is gone.
fn count(stream: &mut TcpStream, most: usize) -> usize {
    let (mut piece, mut all) = (vec![0; 1 << 20], 0);
    while all < most {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => all += read,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    all
}
