//! A console whose input is played and whose output is kept; for tests.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};

use zeroize::Zeroizing;

use super::output::Console;
use super::prompt::{Input, Unanswered};

/// What is played and what was said.
#[derive(Default)]
pub(crate) struct Played {
    answers: Answers,
    environment: BTreeMap<&'static str, &'static str>,
    out: Vec<u8>,
    err: Vec<u8>,
}

#[derive(Default)]
struct Answers {
    terminal: bool,
    lines: VecDeque<String>,
    piped: Vec<u8>,
}

impl Played {
    /// A person who types these lines.
    pub(crate) fn on_terminal(lines: &[&str]) -> Self {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Self { answers: Answers { terminal: true, lines, piped: Vec::new() }, ..Self::default() }
    }

    /// A pipe with these bytes.
    pub(crate) fn piped(bytes: &[u8]) -> Self {
        let lines = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
        Self { answers: Answers { terminal: false, lines, piped: bytes.to_vec() }, ..Self::default() }
    }

    pub(crate) fn console(&mut self) -> Console<'_> {
        Console {
            out: &mut self.out,
            err: &mut self.err,
            input: &mut self.answers,
            environment: &self.environment,
            color: false,
            terminal: false,
        }
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap_or_default()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.err.clone()).unwrap_or_default()
    }
}

impl Input for Answers {
    fn is_terminal(&self) -> bool {
        self.terminal
    }

    fn whole(&mut self, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let end = self.piped.len().min(most.saturating_add(1));
        Ok(Zeroizing::new(self.piped.drain(..end).collect()))
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        Ok(self.lines.pop_front())
    }

    fn hidden(
        &mut self,
        prompt: &str,
        _: usize,
        err: &mut dyn Write,
    ) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
        writeln!(err, "{prompt}").map_err(Unanswered::Terminal)?;
        let line = self.lines.pop_front().ok_or(Unanswered::Aborted)?;
        Ok(Zeroizing::new(line.into_bytes()))
    }
}
