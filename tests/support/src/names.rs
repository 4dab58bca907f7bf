//! A name server on loopback that has the TXT records which a test gives it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The server. It stops when dropped.
pub struct NameServer {
    address: SocketAddr,
    records: Arc<Mutex<Vec<(String, String)>>>,
    stopped: Arc<AtomicBool>,
}

impl NameServer {
    /// One without records.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            records: Arc::default(),
            stopped: Arc::default(),
        };
        let (records, stopped) = (Arc::clone(&server.records), Arc::clone(&server.stopped));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // Who hangs up gets no answer.
                let _hung_up = stream.and_then(|stream| answer(stream, &records));
            }
        });
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives `name` one more TXT record.
    pub fn add(&self, name: &str, text: &str) {
        self.records.lock().unwrap().push((name.to_owned(), text.to_owned()));
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread so that it sees the flag.
        TcpStream::connect(self.address).ok();
    }
}

/// Answers one question over TCP (RFC 1035 §4): its header, the question again, and what there is.
fn answer(mut stream: TcpStream, records: &Mutex<Vec<(String, String)>>) -> io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut query)?;
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    let (name, question) = (labels.join("."), &query[12..at + 5]);
    let all = records.lock().unwrap();
    let texts: Vec<_> = all.iter().filter(|(of, _)| *of == name).map(|(_, text)| text.as_bytes()).collect();
    let no_such_name = if texts.is_empty() { 3 } else { 0 };
    let count = u16::try_from(texts.len()).unwrap().to_be_bytes();
    let mut said = [&query[..2], &[0x81, 0x80 | no_such_name, 0, 1], &count, &[0; 4], question].concat();
    for text in texts {
        let length = u8::try_from(text.len()).unwrap();
        // The question's name, TXT, IN, a minute, and one string.
        said.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
        said.extend(text);
    }
    stream.write_all(&[&u16::try_from(said.len()).unwrap().to_be_bytes(), &said[..]].concat())
}
