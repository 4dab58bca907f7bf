//! A client of HTTP/2 that reads its connection, and opens no window for its answer, loses that answer and no other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::Host;

use crate::TXCO;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
/// Larger than the window a stream begins with (65,535).
const ANSWER: usize = 300_000;
/// The write timeout that the chassis is given.
const WITHIN: Duration = Duration::from_secs(1);

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// HTTP/2 by hand: no library has a client that misbehaves.
struct Http2(TcpStream);

impl Http2 {
    /// A connection whose streams begin with a window of `window`.
    fn connect(host: &Host, window: u32) -> Self {
        let stream = TcpStream::connect(host.web_address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut http2 = Self(stream);
        http2.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut settings = vec![0, 4];
        settings.extend(window.to_be_bytes());
        http2.send(SETTINGS, 0, 0, &settings);
        // The window of the connection is open throughout: only that of the stream is asked about.
        http2.open(0, 1 << 30);
        http2
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).unwrap();
    }

    /// `GET / HTTP/2`, as stream `stream`.
    fn get(&mut self, stream: u32) {
        self.send(HEADERS, 4 | END_STREAM, stream, &[0x82, 0x84, 0x86, 0x01, 0x01, b'a']);
    }

    fn open(&mut self, stream: u32, by: u32) {
        self.send(WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    }

    /// The next frame; what keeps the connection alive is answered here.
    fn next(&mut self) -> Frame {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).unwrap();
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        match (frame.kind, frame.flags & 1) {
            (SETTINGS, 0) => self.send(SETTINGS, 1, 0, &[]),
            (PING, 0) => self.send(PING, 1, 0, &frame.payload),
            _ => {}
        }
        frame
    }

    /// Reads until `stream` has ended: how much of its body came, and whether it was reset.
    fn end(&mut self, stream: u32, mut got: impl FnMut(&mut Self, usize)) -> (usize, bool) {
        let mut all = 0;
        loop {
            let frame = self.next();
            match frame.kind {
                _ if frame.stream != stream => {}
                DATA => {
                    all += frame.payload.len();
                    if frame.flags & END_STREAM != 0 {
                        return (all, false);
                    }
                    got(self, frame.payload.len());
                }
                RST_STREAM => return (all, true),
                _ => {}
            }
        }
    }
}

fn host() -> Host {
    let rule = format!("EMIT .a = \"{}\"\n", "x".repeat(ANSWER));
    Host::serve(TXCO).flags(&["--web-write-timeout", "1s"]).rule("OPS/web/100/a.txcl", &rule).start()
}

#[test]
fn its_answer_is_reset_within_the_time_that_was_set() {
    let host = host();
    // Nothing can be sent; a byte can, which the library takes the whole answer for; some of it can.
    for (window, comes) in [(0, 0), (1, 1), (65_535, 65_535)] {
        let mut client = Http2::connect(&host, window);
        client.get(1);
        assert_eq!(client.end(1, |_, _| {}), (comes, true), "a window of {window}");
        // The connection is as good as before.
        client.get(3);
        client.open(3, 1 << 20);
        let (got, reset) = client.end(3, |_, _| {});
        assert!(got > ANSWER && !reset, "{got} {reset}");
    }
    host.finish();
}

#[test]
fn who_opens_it_slowly_gets_everything() {
    let host = host();
    let mut client = Http2::connect(&host, 60_000);
    client.get(1);
    let began = Instant::now();
    let mut taken = 0;
    let (got, reset) = client.end(1, |client, length| {
        taken += length;
        if taken >= 60_000 {
            std::thread::sleep(WITHIN * 2 / 5);
            client.open(1, u32::try_from(taken).unwrap());
            taken = 0;
        }
    });
    assert!(got > ANSWER && !reset, "{got} {reset}");
    assert!(began.elapsed() > WITHIN, "all of it took less than one wait");
    host.finish();
}
