//! Clients that ask as fast as they are answered, each on a connection of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// A connection that is kept.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.stream.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
    }

    /// The status and the body of the answer.
    pub(crate) fn receive(&mut self) -> (u16, Vec<u8>) {
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            assert_ne!(self.stream.read_line(&mut line).unwrap(), 0, "the server hung up");
            if status == 0 {
                status = line.split(' ').nth(1).unwrap().parse().unwrap();
            } else if line == "\r\n" {
                break;
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, body)
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.send(method, path, body);
        self.receive()
    }
}

/// What some clients saw together.
pub(crate) struct Seen {
    /// Requests per second.
    pub(crate) rate: f64,
    /// How long each took, the shortest first.
    pub(crate) took: Vec<Duration>,
}

/// Lets `clients` connections ask `requests` times each; every answer must be `expected`.
pub(crate) fn load(
    server: SocketAddr,
    clients: usize,
    requests: usize,
    body: &[u8],
    expected: &[u8],
) -> Seen {
    let all_connected = Barrier::new(clients + 1);
    thread::scope(|scope| {
        let one = || {
            let mut client = Client::new(server);
            all_connected.wait();
            let ask = |_| {
                let start = Instant::now();
                let (status, answer) = client.ask("POST", "/", body);
                assert_eq!((status, &answer[..]), (200, expected), "{}", String::from_utf8_lossy(&answer));
                start.elapsed()
            };
            (0..requests).map(ask).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        all_connected.wait();
        let start = Instant::now();
        let mut took: Vec<_> = running.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let rate = took.len() as f64 / start.elapsed().as_secs_f64();
        took.sort_unstable();
        Seen { rate, took }
    })
}

impl Seen {
    /// The time within which so many of a hundred were answered.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        self.took[(self.took.len() * percent / 100).min(self.took.len() - 1)]
    }
}
