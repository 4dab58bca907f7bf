//! `txco completion SHELL` and `txco man`: what shells and readers learn from the definitions of the commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use super::Line;
use super::output::{Complaint, Console};

/// The arguments of `txco completion`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionArgs {
    /// Whose completions to print; for instance `source <(txco completion bash)`
    shell: Supported,
}

/// The shells there are completions for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Supported {
    Bash,
    Zsh,
    Fish,
}

/// The arguments of `txco man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for every command into this folder, for instance ~/.local/share/man/man1;
    /// without it, print the page of `txco` itself
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints a shell's completions.
pub(super) fn completion(args: &CompletionArgs, console: &mut Console<'_>) -> ExitCode {
    let shell = match args.shell {
        Supported::Bash => Shell::Bash,
        Supported::Zsh => Shell::Zsh,
        Supported::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "txco", &mut script);
    let printed = console.print(String::from_utf8_lossy(&script).trim_end());
    console.end(false, printed)
}

/// Prints or writes manual pages (man 7 groff_man).
pub(super) fn man(args: &ManArgs, console: &mut Console<'_>) -> ExitCode {
    let told = match &args.dir {
        None => page(console),
        Some(folder) => pages(folder, console),
    };
    console.end(false, told)
}

fn page(console: &mut Console<'_>) -> Result<(), Complaint> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Line::command())
        .render(&mut page)
        .map_err(|error| Complaint::failed(format!("man: {error}")))?;
    console.print(String::from_utf8_lossy(&page).trim_end())
}

fn pages(folder: &std::path::Path, console: &mut Console<'_>) -> Result<(), Complaint> {
    let cannot = |error: std::io::Error| Complaint::failed(format!("man: {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    clap_mangen::generate_to(Line::command(), folder).map_err(cannot)?;
    console.print(&format!("manual pages written to {}; read them with: man txco", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::run;
    use super::super::testing::Played;
    use super::*;

    fn answer(words: &[&str]) -> (ExitCode, String, String) {
        let mut played = Played::default();
        let code = run(words.iter().map(OsString::from), &mut played.console());
        (code, played.out(), played.err())
    }

    #[test]
    fn every_shell_learns_every_verb() {
        for shell in ["bash", "zsh", "fish"] {
            let (code, out, err) = answer(&["txco", "completion", shell]);
            assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""), "{shell}");
            for word in ["serve", "rotate", "web-addr"] {
                assert!(out.contains(word), "{shell} does not know {word}");
            }
        }
        assert_eq!(answer(&["txco", "completion", "tcsh"]).0, ExitCode::from(2));
    }

    #[test]
    fn a_page_for_every_command() {
        let (_, out, _) = answer(&["txco", "man"]);
        assert!(out.contains(".TH txco 1"), "{out}");
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("man1");
        let (code, ..) = answer(&["txco", "man", "--dir", inside.to_str().unwrap()]);
        assert_eq!(code, ExitCode::SUCCESS);
        for page in ["txco.1", "txco-serve.1", "txco-auth-tenant-secrets-rotate.1"] {
            assert!(inside.join(page).is_file(), "{page}");
        }
    }
}
