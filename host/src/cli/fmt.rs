//! `txco fmt [--check] [PATHS]`: rule files in the one layout.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use txcl::{Color, RuleFile};

use super::dev::workspace;
use super::output::{Complaint, Console};
use super::rule_files::{below, name, read};

/// The arguments of `txco fmt`.
#[derive(Debug, clap::Args)]
pub(super) struct FmtArgs {
    /// Rule files, and folders with all rule files below [default: the workspace around here]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing; exit with 1 when a file would change
    #[arg(long)]
    check: bool,
}

/// Formats, and names the files that change.
pub(super) fn run(args: &FmtArgs, console: &mut Console<'_>) -> ExitCode {
    let formatted = fmt(args, console).map_err(|complaint| complaint.of("fmt"));
    console.end(false, formatted)
}

fn fmt(args: &FmtArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let paths = match args.paths.as_slice() {
        [] => vec![workspace(Path::new("."))?.join("OPS")],
        paths => paths.to_vec(),
    };
    let color = if console.color { Color::Coloured } else { Color::Plain };
    let (mut broken, mut changed) = (0_usize, 0_usize);
    for path in below(&paths)? {
        let text = read(&path)?;
        let shown = path.display().to_string();
        match txcl::format(&RuleFile { path: &shown, name: &name(&path), text: &text }) {
            Ok(formatted) if formatted == text => {}
            Ok(formatted) => {
                changed += 1;
                if !args.check {
                    replace(&path, &formatted).map_err(|e| Complaint::failed(format!("{shown}: {e}")))?;
                }
                console.print(&shown)?;
            }
            Err(findings) => {
                broken += 1;
                console.note(findings.render(color).trim_end());
            }
        }
    }
    match (broken, args.check && changed > 0) {
        (0, false) => Ok(()),
        (0, true) => {
            Err(Complaint::failed(format!("{changed} files are laid out otherwise; run `txco fmt`")))
        }
        (_, _) => Err(Complaint::failed(format!("{broken} files do not parse and stay as they are"))),
    }
}

/// Puts a new text in the place of a file at once: whoever reads it, a `txco dev` that
/// watches, or somebody after a crash, sees the old text or the new.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // What a link leads to is replaced, not the link.
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let mut new = tempfile::Builder::new().prefix(".txco-fmt-").tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    new.persist(&path)?;
    Ok(())
}
