//! What a guest says: the lines that it logs, and what an interpreter prints of its own accord.

use zeroize::{Zeroize, Zeroizing};

use crate::limits::Meter;

/// Lines of a guest, wiped: a careless op quotes its secret in them.
pub(crate) struct Log {
    lines: Vec<String>,
    /// What was printed since the last end of a line; its room is made once, so that it leaves
    /// no copies behind.
    unfinished: Zeroizing<Vec<u8>>,
    dropped: u32,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { lines: Vec::new(), unfinished: Zeroizing::new(Vec::new()), dropped: 0 }
    }

    /// A line that the op logged; it has been counted.
    pub(crate) fn add(&mut self, line: String) {
        self.lines.push(line);
    }

    /// What the guest printed. A line more than there may be, or a part of one beyond its
    /// length, is dropped and no fault: it was not the op that decided to print.
    pub(crate) fn hear(&mut self, bytes: &[u8], meter: &mut Meter) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line(meter);
            } else if self.unfinished.len() < meter.line_bytes() {
                if self.unfinished.capacity() == 0 {
                    self.unfinished.reserve_exact(meter.line_bytes());
                }
                self.unfinished.push(byte);
            }
        }
    }

    /// The end of what is printed.
    pub(crate) fn end_line(&mut self, meter: &mut Meter) {
        if self.unfinished.is_empty() {
            return;
        }
        if meter.has_line() {
            self.lines.push(String::from_utf8_lossy(&self.unfinished).into_owned());
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
        self.unfinished.as_mut_slice().zeroize();
        self.unfinished.clear();
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How many lines were printed and are not there.
    pub(crate) const fn dropped(&self) -> u32 {
        self.dropped
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines.iter_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn heard(limits: Limits, pieces: &[&str]) -> (Vec<String>, u32) {
        let (mut log, mut meter) = (Log::new(), Meter::new(limits));
        pieces.iter().for_each(|piece| log.hear(piece.as_bytes(), &mut meter));
        log.end_line(&mut meter);
        (log.lines.clone(), log.dropped)
    }

    #[test]
    fn what_is_printed_in_pieces_is_lines() {
        let (lines, dropped) = heard(Limits::default(), &["one\ntw", "o\n\nth", "ree"]);
        assert_eq!((lines, dropped), (vec!["one".to_owned(), "two".to_owned(), "three".to_owned()], 0));
    }

    #[test]
    fn there_are_no_more_lines_than_there_may_be_and_none_is_longer() {
        let limits = Limits { log_lines: 2, log_line_bytes: 3, ..Limits::default() };
        assert_eq!(heard(limits.clone(), &["abc\nabc\n"]), (vec!["abc".to_owned(); 2], 0));
        assert_eq!(heard(limits, &["abcd\nabc\n", "x\ny"]), (vec!["abc".to_owned(); 2], 2));
    }
}
