//! Where commands read and write: handles they were given, never the process's own.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::prompt::Input;
use crate::config::Environment;

/// What a command talks to.
pub struct Console<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Everything said to a person.
    pub err: &'a mut dyn Write,
    /// Answers and values.
    pub input: &'a mut dyn Input,
    /// Settings that no flag gives.
    pub environment: &'a dyn Environment,
    /// Whether `err` shows colours.
    pub color: bool,
    /// Whether `err` is a terminal, where progress can be seen.
    pub terminal: bool,
}

/// Why a command ends without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// One line: what happened, and what to do about it.
    pub message: String,
    /// 1: it failed; 2: it was asked wrongly.
    pub code: u8,
}

impl Complaint {
    /// Something went wrong (exit code 1).
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// The command line is wrong (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// Everything was said already (exit code 1).
    #[must_use]
    pub fn silent() -> Self {
        Self::failed("")
    }

    /// The same, saying first which command it is about.
    #[must_use]
    pub fn of(mut self, command: &str) -> Self {
        if !self.message.is_empty() {
            self.message = format!("{command}: {}", self.message);
        }
        self
    }
}

impl Console<'_> {
    /// Writes a result; that it cannot be written is a failure, not a silence.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn print(&mut self, text: &str) -> Result<(), Complaint> {
        self.write(&format!("{text}\n"))
    }

    /// The same for a text that is printed as it is, without a line's end of ours.
    ///
    /// # Errors
    /// As [`Console::print`].
    pub fn write(&mut self, text: &str) -> Result<(), Complaint> {
        self.out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
            // Whoever read has enough of it, such as `| head`: nobody is to be told.
            .map_err(|e| {
                if e.kind() == std::io::ErrorKind::BrokenPipe {
                    return Complaint::silent();
                }
                Complaint::failed(format!("cannot write to stdout: {e}"))
            })
    }

    /// Says something beside the result; nobody listening is no failure.
    pub fn note(&mut self, text: &str) {
        writeln!(self.err, "{text}").and_then(|()| self.err.flush()).ok();
    }

    /// Ends a command: a complaint is one line on stderr, and with `json` an object on
    /// stdout when the command itself failed.
    pub fn end(&mut self, json: bool, result: Result<(), Complaint>) -> ExitCode {
        let Err(complaint) = result else { return ExitCode::SUCCESS };
        if complaint.message.is_empty() {
            return ExitCode::from(complaint.code);
        }
        if json && complaint.code == 1 {
            let wrapped = json!({ "error": complaint.message }).to_string();
            if self.print(&wrapped).is_ok() {
                return ExitCode::from(complaint.code);
            }
        }
        let (on, off) = if self.color { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        let message: String = complaint.message.chars().flat_map(visible).collect();
        self.note(&format!("{on}{message}{off}"));
        ExitCode::from(complaint.code)
    }
}

/// Control characters from outside (a server's message) must not command the terminal.
fn visible(c: char) -> Vec<char> {
    if c.is_control() && c != '\n' { c.escape_default().collect() } else { vec![c] }
}

/// A table with aligned columns, two spaces apart; empty cells print as `-`.
#[must_use]
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A cell of a table or a list: one line, `-` when there is nothing.
#[must_use]
pub(crate) fn cell(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.chars().flat_map(one_line).collect() }
}

fn one_line(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["NAME".to_owned(), "STACK".to_owned()], vec!["A".to_owned(), cell("")]];
        assert_eq!(table(&rows), "NAME  STACK\nA     -");
    }

    #[test]
    fn a_cell_is_one_line() {
        assert_eq!(cell("a\nb\x1b[2J"), r"a\nb\u{1b}[2J");
    }
}
