//! A client of HTTP/2 by hand: no library has one that misbehaves.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame as it came.
pub struct Frame {
    kind: u8,
    flags: u8,
    /// Of which stream.
    pub stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// How much of a body it brings.
    #[must_use]
    pub fn data(&self) -> Option<usize> {
        (self.kind == DATA).then_some(self.payload.len())
    }

    /// The status that its headers begin with, one of those that have an index of their own, or
    /// `Some(0)` for another.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let first = self.payload.first().copied().unwrap_or(0);
        let known = match first {
            0x88 => 200,
            0x89 => 204,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            _ => 0,
        };
        (self.kind == HEADERS).then_some(known)
    }

    /// Whether it says that the connection ends.
    #[must_use]
    pub fn says_goodbye(&self) -> bool {
        self.kind == GOAWAY
    }

    /// Whether it ends its stream, and by a reset.
    #[must_use]
    pub fn ends(&self) -> Option<bool> {
        match self.kind {
            RST_STREAM => Some(true),
            DATA | HEADERS if self.flags & END_STREAM != 0 => Some(false),
            _ => None,
        }
    }
}

/// A connection.
pub struct Http2(TcpStream);

impl Http2 {
    /// One whose streams begin with a window of `window`; that of the connection is open throughout.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn connect(to: SocketAddr, window: u32) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut http2 = Self(stream);
        http2.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        let mut settings = vec![0, 4];
        settings.extend(window.to_be_bytes());
        http2.send(SETTINGS, 0, 0, &settings)?;
        http2.open(0, 1 << 30)?;
        Ok(http2)
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame)
    }

    /// `GET` of a short path, as stream `stream`.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn get(&mut self, stream: u32, path: &str) -> io::Result<()> {
        self.head(stream, 0x82, path, END_STREAM)
    }

    /// `POST` to a short path, whose body is still to come.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn post(&mut self, stream: u32, path: &str) -> io::Result<()> {
        self.head(stream, 0x83, path, 0)
    }

    /// The whole body of a request.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn body(&mut self, stream: u32, body: &[u8]) -> io::Result<()> {
        self.send(DATA, END_STREAM, stream, body)
    }

    fn head(&mut self, stream: u32, method: u8, path: &str, flags: u8) -> io::Result<()> {
        // http; the path and the authority `a`, as literals that are not indexed.
        let mut head = vec![method, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
        head.extend(path.as_bytes());
        head.extend([0x01, 0x01, b'a']);
        self.send(HEADERS, END_HEADERS | flags, stream, &head)
    }

    /// Opens a window by so much.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn open(&mut self, stream: u32, by: u32) -> io::Result<()> {
        self.send(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
    }

    /// Gives a stream up.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn reset(&mut self, stream: u32) -> io::Result<()> {
        self.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
    }

    /// The next frame; what keeps the connection alive is answered here.
    ///
    /// # Errors
    /// When the connection is gone, or silent for long.
    pub fn frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        match (frame.kind, frame.flags & 1) {
            (SETTINGS, 0) => self.send(SETTINGS, 1, 0, &[])?,
            (PING, 0) => self.send(PING, 1, 0, &frame.payload)?,
            _ => {}
        }
        Ok(frame)
    }

    /// Reads until `stream` has ended: how much of its body came, and whether it was reset.
    pub fn end(&mut self, stream: u32, mut got: impl FnMut(&mut Self, usize)) -> (usize, bool) {
        let mut all = 0;
        loop {
            let frame = self.frame().unwrap();
            if frame.stream != stream {
                continue;
            }
            all += frame.data().unwrap_or(0);
            if let Some(reset) = frame.ends() {
                return (all, reset);
            }
            if let Some(length) = frame.data() {
                got(self, length);
            }
        }
    }
}
