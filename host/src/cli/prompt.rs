//! What a person types or a pipe brings: values hidden, whole and wiped.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

/// How long pasted lines may take to arrive behind the first one.
const PASTE: Duration = Duration::from_millis(150);

/// Where answers come from.
pub trait Input {
    /// Whether a person is there to be asked.
    fn is_terminal(&self) -> bool;

    /// All there is, up to `most` bytes and one more.
    ///
    /// # Errors
    /// What reading says.
    fn whole(&mut self, most: usize) -> io::Result<Zeroizing<Vec<u8>>>;

    /// One line without its end; `None` at the end of the input.
    ///
    /// # Errors
    /// What reading says.
    fn line(&mut self) -> io::Result<Option<String>>;

    /// Asks on `err` and reads one line that does not appear on the screen.
    ///
    /// # Errors
    /// [`Unanswered`].
    fn hidden(
        &mut self,
        prompt: &str,
        most: usize,
        err: &mut dyn Write,
    ) -> Result<Zeroizing<Vec<u8>>, Unanswered>;
}

/// Why there is no hidden answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Ctrl-C or Ctrl-D.
    #[error("aborted")]
    Aborted,
    /// More lines came right behind the first.
    #[error(
        "more than one line was pasted, and nothing was stored; use --from-file FILE, or pipe the value in"
    )]
    SeveralLines,
    /// More than a value may have.
    #[error("the value is too long to be typed; use --from-file FILE")]
    TooLong,
    /// The terminal.
    #[error("cannot read from the terminal: {0}")]
    Terminal(io::Error),
}

/// The standard input of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stdin;

impl Input for Stdin {
    fn is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn whole(&mut self, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        // Around the buffer of `std::io::stdin`, which is never wiped.
        let unbuffered = io::stdin().as_fd().try_clone_to_owned()?;
        read_whole(&mut File::from(unbuffered), most)
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn hidden(
        &mut self,
        prompt: &str,
        most: usize,
        err: &mut dyn Write,
    ) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
        let stdin = io::stdin();
        let quiet = Quiet::over(&stdin).map_err(Unanswered::Terminal)?;
        write!(err, "{prompt}").and_then(|()| err.flush()).map_err(Unanswered::Terminal)?;
        let answer = typed(&stdin, most);
        // Still unechoed: what was pasted behind the first line is thrown away here, and
        // neither shown nor left for the shell to run.
        let more = matches!(answer, Ok(_) | Err(Unanswered::TooLong)) && pasted_more(&stdin);
        writeln!(err).and_then(|()| err.flush()).ok();
        drop(quiet);
        if more { Err(Unanswered::SeveralLines) } else { answer }
    }
}

/// Reads at most `most` bytes and one more into a buffer that never moves.
pub(super) fn read_whole(from: &mut dyn Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.saturating_add(32)));
    from.take(most.saturating_add(1) as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A terminal that shows nothing and hands over each byte; itself again when dropped.
struct Quiet<'a> {
    terminal: &'a io::Stdin,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn over(terminal: &'a io::Stdin) -> io::Result<Self> {
        let before = rustix::termios::tcgetattr(terminal)?;
        let mut quiet = before.clone();
        // Not by line: a terminal's own line is cut at 4,095 bytes. No signals either:
        // Ctrl-C must not leave the shell without echo.
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        rustix::termios::tcsetattr(terminal, OptionalActions::Now, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = rustix::termios::tcflush(self.terminal, QueueSelector::IFlush);
        let _ = rustix::termios::tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Reads up to Enter, byte by byte, past the process's own buffer (which is not wiped).
fn typed(terminal: &io::Stdin, most: usize) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
    let mut value = Zeroizing::new(Vec::with_capacity(most.saturating_add(1)));
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        let read = match rustix::io::read(terminal, byte.as_mut_slice()) {
            Ok(read) => read,
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(Unanswered::Terminal(e.into())),
        };
        if read == 0 {
            return Err(Unanswered::Aborted);
        }
        match byte.first().copied() {
            Some(b'\r' | b'\n') => return Ok(value),
            Some(0x03 | 0x1c) => return Err(Unanswered::Aborted),
            Some(0x04) if value.is_empty() => return Err(Unanswered::Aborted),
            Some(0x04) => {}
            Some(0x15) => value.clear(),
            Some(0x08 | 0x7f) => rub_out(&mut value),
            Some(_) if value.len() >= most => return Err(Unanswered::TooLong),
            Some(other) => value.push(other),
            None => {}
        }
    }
}

/// Takes back one character, which may be several bytes of UTF-8.
fn rub_out(value: &mut Vec<u8>) {
    while let Some(byte) = value.pop() {
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

/// Whether bytes arrive behind Enter without a person's delay.
fn pasted_more(terminal: &io::Stdin) -> bool {
    let step = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    while waited < PASTE {
        if rustix::io::ioctl_fionread(terminal).is_ok_and(|pending| pending > 0) {
            return true;
        }
        std::thread::sleep(step);
        waited += step;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbing_out_takes_a_whole_character() {
        let mut value = "aé€".as_bytes().to_vec();
        rub_out(&mut value);
        assert_eq!(value, "aé".as_bytes());
        rub_out(&mut value);
        rub_out(&mut value);
        rub_out(&mut value);
        assert_eq!(value, b"");
    }

    #[test]
    fn reading_stops_one_byte_past_the_limit() {
        assert_eq!(read_whole(&mut &b"abcdef"[..], 3).unwrap().as_slice(), b"abcd");
        assert_eq!(read_whole(&mut &b"ab"[..], 3).unwrap().as_slice(), b"ab");
    }
}
