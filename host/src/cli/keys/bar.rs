//! Progress that a person at a terminal can watch, and nobody else has to read.

use std::time::{Duration, Instant};

use crate::cli::output::Console;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);
const WIDTH: u64 = 24;

/// A line that is drawn over itself on a terminal, and not at all elsewhere.
pub(super) struct Bar {
    of: u64,
    what: &'static str,
    started: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    pub(super) fn new(what: &'static str, of: u64) -> Self {
        Self { of, what, started: Instant::now(), drawn: None }
    }

    /// Shows that `done` of all are done.
    pub(super) fn show(&mut self, done: u64, console: &mut Console<'_>) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY);
        if console.terminal && due {
            self.drawn = Some(Instant::now());
            let line = line(done, self.of, self.what, self.started.elapsed());
            write!(console.err, "\r{line}\x1b[K").and_then(|()| console.err.flush()).ok();
        }
    }

    /// Takes the line away again.
    pub(super) fn end(self, console: &mut Console<'_>) {
        if self.drawn.is_some() {
            write!(console.err, "\r\x1b[K").and_then(|()| console.err.flush()).ok();
        }
    }
}

fn line(done: u64, of: u64, what: &str, elapsed: Duration) -> String {
    // More may have come while it ran.
    let of = of.max(done).max(1);
    let full = done.saturating_mul(WIDTH) / of;
    let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
    let rate = done.saturating_mul(1000) / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    format!("[{bar}] {:>3}%  {done} of {of} {what}, {rate}/s", done.saturating_mul(100) / of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_and_never_overflows() {
        let second = Duration::from_secs(1);
        assert_eq!(line(0, 0, "rows", second), "[........................]   0%  0 of 1 rows, 0/s");
        assert_eq!(line(50, 200, "rows", second), "[######..................]  25%  50 of 200 rows, 50/s");
        assert_eq!(line(7, 5, "rows", second), "[########################] 100%  7 of 7 rows, 7/s");
        assert!(line(u64::MAX, u64::MAX, "rows", Duration::ZERO).contains('%'));
    }
}
