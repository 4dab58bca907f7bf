//! A value as JSON text, made within a size and a time.

use std::io::{self, Write};
use std::time::Instant;

use model::Value;

/// How much is written between two looks at the clock.
const STRIDE: usize = 64 << 10;

/// Within what a text is to be made. No epoch interrupts a host call, so each has bounds of
/// its own.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// The longest text.
    pub(crate) most: usize,
    /// When the call is over.
    pub(crate) until: Instant,
}

/// Why there is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    TooLong,
    Late,
}

impl Bounds {
    /// The JSON text of `value`.
    pub(crate) fn json(self, value: &Value) -> Result<String, Stopped> {
        let mut text = Text { bytes: Vec::new(), looked: 0, bounds: self, stopped: None };
        // Nothing but the bounds can be in the way.
        let written = serde_json::to_writer(&mut text, value);
        match (written, text.stopped) {
            (_, Some(stopped)) => Err(stopped),
            (Ok(()) | Err(_), None) => String::from_utf8(text.bytes).map_err(|_| Stopped::TooLong),
        }
    }

    /// A copy of `text`.
    pub(crate) fn copy(self, text: &str) -> Result<String, Stopped> {
        if text.len() > self.most { Err(Stopped::TooLong) } else { Ok(text.to_owned()) }
    }
}

struct Text {
    bytes: Vec<u8>,
    /// How many bytes there were at the last look at the clock.
    looked: usize,
    bounds: Bounds,
    stopped: Option<Stopped>,
}

impl Write for Text {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let len = self.bytes.len().saturating_add(piece.len());
        if len > self.bounds.most {
            self.stopped = Some(Stopped::TooLong);
        } else if len - self.looked >= STRIDE {
            self.looked = len;
            if Instant::now() >= self.bounds.until {
                self.stopped = Some(Stopped::Late);
            }
        }
        if self.stopped.is_some() {
            return Err(io::Error::from(io::ErrorKind::QuotaExceeded));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bounds(most: usize) -> Bounds {
        Bounds { most, until: Instant::now() + Duration::from_secs(60) }
    }

    #[test]
    fn a_text_is_as_long_as_it_may_be_and_no_longer() {
        let value = Value::parse(br#"{"a":[1,"b",null]}"#).unwrap();
        let text = value.to_json();
        assert_eq!(bounds(text.len()).json(&value), Ok(text.clone()));
        assert_eq!(bounds(text.len() - 1).json(&value), Err(Stopped::TooLong));
        assert_eq!(bounds(3).copy("abc"), Ok("abc".to_owned()));
        assert_eq!(bounds(2).copy("abc"), Err(Stopped::TooLong));
    }

    #[test]
    fn a_long_text_ends_with_its_time() {
        let piece = Value::from("x".repeat(STRIDE / 2).as_str());
        let long = Value::Array(vec![piece.clone(), piece.clone()]);
        let late = Bounds { most: usize::MAX, until: Instant::now() };
        assert_eq!(late.json(&long), Err(Stopped::Late));
        assert_eq!(late.json(&piece), Ok(piece.to_json()), "looking at the clock is for what takes time");
        assert!(bounds(usize::MAX).json(&long).is_ok());
    }
}
