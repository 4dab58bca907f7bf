//! What is said when a command line names no command, or an unknown one.

use std::process::ExitCode;

use clap::CommandFactory as _;

use super::Line;
use super::output::{Complaint, Console};

/// Prints the usage of the command at `path` on stdout.
pub(super) fn print(path: &[&str], console: &mut Console<'_>) -> ExitCode {
    let text = text_of(path);
    let printed = console.print(text.trim_end());
    console.end(false, printed)
}

/// Complains about a word that `path` does not know, or does not know yet.
pub(super) fn unknown(
    path: &[&str],
    words: &[String],
    later: &[&str],
    console: &mut Console<'_>,
) -> ExitCode {
    let word = words.first().map(String::as_str).unwrap_or_default();
    let place = path.join(" ");
    let before = if place.is_empty() { String::new() } else { format!("{place}: ") };
    if later.contains(&word) {
        let whole = if place.is_empty() { word.to_owned() } else { format!("{place} {word}") };
        let complaint = Complaint::usage(format!("{before}`txco {whole}` comes with a later release"));
        return console.end(false, Err(complaint));
    }
    let kind = if path.is_empty() { "command" } else { "subcommand" };
    let complaint = Complaint::usage(format!("{before}unknown {kind} {word:?}"));
    let code = console.end(false, Err(complaint));
    console.note(text_of(path).trim_end());
    code
}

fn text_of(path: &[&str]) -> String {
    let mut root = Line::command();
    // Only a built command knows its whole name.
    root.build();
    let command = path.iter().fold(&root, |command, word| command.find_subcommand(word).unwrap_or(command));
    command.clone().render_help().to_string()
}
