//! The words of a command line, before and after the parser: dashes as Go takes them, and one line of complaint.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _};

use super::Line;
use super::output::{Complaint, Console};

/// The same line with two dashes before long flags that have one: Go takes both.
pub(super) fn with_two_dashes(arguments: Vec<OsString>) -> Vec<OsString> {
    let one = |word: &OsString| word.to_str().is_some_and(|word| name(word).is_some());
    if !arguments.iter().any(one) {
        return arguments;
    }
    let root = Line::command();
    let (mut command, mut flags) = (&root, true);
    let widened = arguments.into_iter().skip(1).map(|word| {
        let Some(text) = word.to_str() else { return word };
        flags &= text != "--";
        if let Some(below) = command.find_subcommand(text) {
            command = below;
        } else if flags && name(text).is_some_and(|name| knows(command, name)) {
            return OsString::from(format!("-{text}"));
        }
        word
    });
    std::iter::once(OsString::from("txco")).chain(widened).collect()
}

/// The name in `-name` or `-name=value`, when there is one of several letters.
fn name(word: &str) -> Option<&str> {
    let rest = word.strip_prefix('-').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))?;
    let name = rest.split_once('=').map_or(rest, |(name, _)| name);
    (name.len() > 1).then_some(name)
}

fn knows(command: &Command, name: &str) -> bool {
    // That one comes with every command.
    name == "help"
        || command.get_arguments().any(|argument| {
            argument.get_long() == Some(name)
                || argument.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
        })
}

/// What the parser says: help on stdout, a complaint on one line of stderr.
pub(super) fn misread(error: &clap::Error, words: &[OsString], console: &mut Console<'_>) -> ExitCode {
    let text = error.render().to_string();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other kind is a complaint, also those clap adds"
    )]
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let printed = console.print(text.trim_end());
            console.end(false, printed)
        }
        _ => {
            let place = place(words);
            let before = if place.is_empty() { String::new() } else { format!("{place}: ") };
            let help = if place.is_empty() { String::new() } else { format!("{place} ") };
            let said = one_line(&text);
            console.end(false, Err(Complaint::usage(format!("{before}{said} (txco {help}--help)"))))
        }
    }
}

/// The command that a line names.
fn place(words: &[OsString]) -> String {
    let root = Line::command();
    let (mut command, mut path) = (&root, Vec::new());
    for word in words.iter().skip(1) {
        let Some(below) = word.to_str().and_then(|word| command.find_subcommand(word)) else { break };
        command = below;
        path.push(below.get_name());
    }
    path.join(" ")
}

/// The parser's reason and its advice, without its usage.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    // That advice would make a value of a mistyped flag.
    let said = lines.filter(|line| !line.starts_with("For more information") && !line.contains("use '-- "));
    let said = said.filter(|line| !line.is_empty()).fold(String::new(), |mut said, line| {
        let between = if said.is_empty() {
            ""
        } else if said.ends_with(':') || line.starts_with('[') {
            " "
        } else {
            "; "
        };
        said.push_str(between);
        said.push_str(line.strip_prefix("tip: ").unwrap_or(line));
        said
    });
    said.strip_prefix("error: ").unwrap_or(&said).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Played;
    use super::*;

    fn widened(line: &str) -> String {
        let words = with_two_dashes(line.split(' ').map(OsString::from).collect());
        words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        for (typed, meant) in [
            (
                "txco auth tenant secrets set -tenant acme K -description=x -json",
                "txco auth tenant secrets set --tenant acme K --description=x --json",
            ),
            // `--name` is an older name of `--profile`.
            ("txco auth enroll -name x", "txco auth enroll --name x"),
            ("txco serve -web-addr :1 --log-level debug -h", "txco serve --web-addr :1 --log-level debug -h"),
            ("txco auth tenant revoke A -y", "txco auth tenant revoke A -y"),
            ("txco lint -nonsense -- -json", "txco lint -nonsense -- -json"),
            ("txco whoami -1", "txco whoami -1"),
            ("txco auth -help", "txco auth --help"),
        ] {
            assert_eq!(widened(typed), meant);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_on_one_line_with_its_command() {
        for (typed, said) in [
            (
                "txco auth tenant secrets gen K --byte-len 0",
                "auth tenant secrets generate: invalid value '0' for '--byte-len <N>': 0 is not in 1..=4096 \
                 (txco auth tenant secrets generate --help)\n",
            ),
            (
                "txco completion tcsh",
                "completion: invalid value 'tcsh' for '<SHELL>' [possible values: bash, zsh, fish]; a similar \
                 value exists: 'zsh' (txco completion --help)\n",
            ),
            ("txco whoami --bogus", "whoami: unexpected argument '--bogus' found (txco whoami --help)\n"),
        ] {
            let mut played = Played::default();
            let code = super::super::run(typed.split(' ').map(OsString::from), &mut played.console());
            assert_eq!((code, played.err()), (ExitCode::from(2), said.to_owned()));
        }
    }
}
