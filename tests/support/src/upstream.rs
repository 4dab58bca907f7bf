//! A loopback server that records what it receives and answers what the test wants.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{Place, authority, http};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body, without transfer encoding.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header that came exactly once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let first = values.next();
        assert!(values.next().is_none(), "{name} came more than once");
        first
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("a JSON body: {}", self.text()))
    }
}

/// What the upstream does with a request.
pub enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes one by one, with this pause before each.
    Drip(Vec<u8>, Duration),
    /// Says nothing until the test ends.
    Hang,
    /// Closes without a word.
    Close,
}

impl Answer {
    /// A reply.
    #[must_use]
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("Connection: close\r\n\r\n");
        Self::Bytes([bytes.as_bytes(), body].concat())
    }

    /// 200 with a JSON body.
    #[must_use]
    pub fn json(body: &serde_json::Value) -> Self {
        Self::new(200, &[("Content-Type", "application/json")], body.to_string())
    }
}

type Handler = dyn Fn(&Received) -> Answer + Send + Sync;

/// A recording server. It stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    authority: Option<String>,
    recording: Recording,
    stopped: Arc<AtomicBool>,
}

/// What an upstream received; it outlives the upstream.
#[derive(Clone)]
pub(crate) struct Recording {
    name: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Upstream {
    /// A server without TLS; `name` is how places and sightings call it.
    pub fn http(name: &str, answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(name, None, None, Arc::new(answer))
    }

    /// A server with a certificate for `hosts`.
    pub fn https(
        name: &str,
        hosts: &[&str],
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let (tls, authority) = authority::tls(hosts);
        Self::start(name, Some(tls), Some(authority), Arc::new(answer))
    }

    fn start(
        name: &str,
        tls: Option<Arc<ServerConfig>>,
        authority: Option<String>,
        answer: Arc<Handler>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            authority,
            recording: Recording { name: name.to_owned(), received: Arc::default() },
            stopped: Arc::default(),
        };
        let (recording, stopped) = (upstream.recording.clone(), Arc::clone(&upstream.stopped));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let one = Connection {
                    tls: tls.clone(),
                    answer: Arc::clone(&answer),
                    recording: recording.clone(),
                    stopped: Arc::clone(&stopped),
                };
                thread::spawn(move || one.serve(stream));
            }
        });
        upstream
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How places and sightings call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.recording.name
    }

    /// The authority to trust, as PEM, when it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// What it received so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.recording.received.lock().unwrap().clone()
    }

    /// The one request it received.
    #[must_use]
    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "requests that {} received", self.name());
        received[0].clone()
    }

    pub(crate) fn recording(&self) -> Recording {
        self.recording.clone()
    }
}

impl Recording {
    pub(crate) fn places(&self) -> Vec<Place> {
        let name = &self.name;
        let places = |request: &Received| {
            let mut places = vec![
                Place::new(format!("upstream {name} target"), request.target.clone()),
                Place::new(format!("upstream {name} body"), request.body.clone()),
            ];
            for (header, value) in &request.headers {
                places.push(Place::new(format!("upstream {name} header {header}"), value.clone()));
            }
            places
        };
        self.received.lock().unwrap().iter().flat_map(places).collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread so that it sees the flag.
        TcpStream::connect(self.address).ok();
    }
}

struct Connection {
    tls: Option<Arc<ServerConfig>>,
    answer: Arc<Handler>,
    recording: Recording,
    stopped: Arc<AtomicBool>,
}

impl Connection {
    fn serve(self, stream: TcpStream) {
        match self.tls.clone() {
            None => self.exchange(stream),
            Some(tls) => self.exchange(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream)),
        }
    }

    fn exchange(&self, mut stream: impl Read + Write) {
        let Some(request) = read_request(&mut stream) else { return };
        self.recording.received.lock().unwrap().push(request.clone());
        match (self.answer)(&request) {
            Answer::Bytes(bytes) => {
                stream.write_all(&bytes).ok();
                stream.flush().ok();
            }
            Answer::Drip(bytes, pause) => {
                for byte in bytes {
                    thread::sleep(pause);
                    if stream.write_all(&[byte]).and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                }
            }
            Answer::Close => {}
            Answer::Hang => {
                while !self.stopped.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

fn read_request(stream: &mut impl Read) -> Option<Received> {
    let mut raw = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        if let Some(request) = parse(&raw) {
            return Some(request);
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => raw.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The request, once all of it is there.
fn parse(raw: &[u8]) -> Option<Received> {
    let (head, rest) = http::split_head(raw)?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = http::headers(lines);
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let body = match (value("transfer-encoding"), value("content-length")) {
        (Some("chunked"), _) => http::unchunk(rest)?,
        (_, Some(length)) => rest.get(..length.parse().ok()?)?.to_vec(),
        (_, None) => Vec::new(),
    };
    Some(Received { method, target, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_records_and_answers() {
        let upstream =
            Upstream::http("echo", |request| Answer::new(201, &[("X-Seen", &request.target)], &request.body));
        let request = http::Request::new("POST", "/a?b").header("X-One", "1").body("text");
        let reply = http::send(upstream.address(), &request).unwrap();
        assert_eq!(
            (reply.status, reply.header("x-seen"), reply.text().as_str()),
            (201, Some("/a?b"), "text")
        );
        let received = upstream.only();
        assert_eq!((received.method.as_str(), received.header("x-one")), ("POST", Some("1")));
        let names: Vec<_> = upstream.recording().places().into_iter().map(|place| place.name).collect();
        assert!(names.contains(&"upstream echo header x-one".to_owned()) && names.len() == 6, "{names:?}");
    }

    #[test]
    fn it_can_break_off() {
        let upstream = Upstream::http("closes", |_| Answer::Close);
        assert!(http::send(upstream.address(), &http::Request::new("GET", "/")).is_err());
        assert_eq!(upstream.only().target, "/");
    }
}
