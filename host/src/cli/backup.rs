//! `txco backup`: both databases into a folder, and whether such a folder is what it says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::output::{Complaint, Console};
use super::passphrase::ask;
use crate::backup::{self, Manifest, Opened};
use crate::config::{Config, ServeFlags};
use crate::key_source::KeyFiles;

/// What stands behind `backup`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BackupLine {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    take: TakeFlags,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Say whether a backup is whole and what opens it; nothing in it is changed
    Verify(VerifyFlags),
}

/// Flags of `txco backup`.
#[derive(clap::Args)]
struct TakeFlags {
    /// The folder to make; it must not be there, or be empty
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// The folder of the databases [$TXCO_DB_ROOT_DIR, default ./chassis/data/db]
    #[arg(long, value_name = "DIR")]
    db_root_dir: Option<String>,
    /// Whose databases: runtime-NAME.db and auth-NAME.db [$TXCO_ENV, default dev]
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Flags of `txco backup verify`.
#[derive(clap::Args)]
struct VerifyFlags {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    backup: PathBuf,
    /// The file of the master key; with it every version of the backup is opened
    #[arg(long, alias = "secret-master-key", value_name = "FILE")]
    path: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs what was typed.
pub(super) fn run(line: BackupLine, console: &mut Console<'_>) -> ExitCode {
    match line.verb {
        None => {
            let result = take(&line.take, console).map_err(|complaint| complaint.of("backup"));
            console.end(line.take.json, result)
        }
        Some(Verb::Verify(flags)) => {
            let result = verify(&flags, console).map_err(|complaint| complaint.of("backup verify"));
            console.end(flags.json, result)
        }
    }
}

fn take(flags: &TakeFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let to = flags.to.as_deref().ok_or_else(|| Complaint::usage("--to is required: the folder to make"))?;
    let typed = ServeFlags {
        db_root_dir: flags.db_root_dir.iter().cloned().collect(),
        env: flags.env.iter().cloned().collect(),
        ..ServeFlags::of_no_head()
    };
    let config = Config::read(typed, console.environment, &Vec::new())
        .map_err(|error| Complaint::usage(error.to_string()))?;
    let manifest = backup::take(&config.db_root_dir, &config.env, to)
        .map_err(|error| Complaint::failed(error.to_string()))?;
    if flags.json {
        return console
            .print(&json!({ "backup": to.display().to_string(), "manifest": manifest }).to_string());
    }
    console.print(&format!("backed up {} to {}", plural(manifest.files.len(), "database"), to.display()))?;
    tell(&manifest, console)?;
    console.note(&format!(
        "a backup without its master keys opens nothing, and with them anybody: keep them apart\nnext: txco backup verify {}",
        to.display()
    ));
    Ok(())
}

fn verify(flags: &VerifyFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let manifest = backup::verify(&flags.backup).map_err(|error| Complaint::failed(error.to_string()))?;
    let opened =
        flags.path.as_deref().map(|path| opened(&flags.backup, &manifest, path, console)).transpose()?;
    if flags.json {
        let opened = opened.as_ref().map(|opened| {
            json!({ "open": opened.open, "not_opened": opened.shut, "audit": opened.audit_wrong.is_none(),
                    "audit_wrong": opened.audit_wrong })
        });
        console.print(&json!({ "whole": true, "manifest": manifest, "opened": opened }).to_string())?;
    } else {
        console.print(&format!("{} is whole, taken {}", flags.backup.display(), manifest.taken_at))?;
        tell(&manifest, console)?;
        match &opened {
            None => console.print("  its versions were not opened: --path FILE gives the master key")?,
            Some(opened) => {
                console.print(&format!("  {} of {} versions open", opened.open, opened.open + opened.shut))?
            }
        }
    }
    let Some(opened) = opened else { return Ok(()) };
    match (opened.first_shut, opened.audit_wrong) {
        (Some(first), _) => Err(Complaint::failed(format!(
            "{} of the backup's versions do not open with these keys; the first is {} v{}: {}; restore the key that the \
             manifest names (`txco auth secrets restore`)",
            opened.shut, first.name, first.version_no, first.why
        ))),
        (None, Some(wrong)) => Err(Complaint::failed(format!(
            "the audit in the backup does not hold: {wrong}; take another backup"
        ))),
        (None, None) => Ok(()),
    }
}

/// Opens a backup with the key ring at `path`.
fn opened(
    backup: &Path,
    manifest: &Manifest,
    path: &Path,
    console: &mut Console<'_>,
) -> Result<Opened, Complaint> {
    let loaded = KeyFiles::at(path).load(None, &mut |path| ask(console, path));
    let ring = loaded.map_err(|error| Complaint::failed(error.to_string()))?.ring;
    backup::open_all(backup, manifest, ring).map_err(|error| Complaint::failed(error.to_string()))
}

fn tell(manifest: &Manifest, console: &mut Console<'_>) -> Result<(), Complaint> {
    for file in &manifest.files {
        console.print(&format!("  {}  {} bytes  sha256:{}", file.name, file.bytes, file.sha256))?;
    }
    let versions = usize::try_from(manifest.versions).unwrap_or(usize::MAX);
    let secrets = usize::try_from(manifest.secrets).unwrap_or(usize::MAX);
    console.print(&format!("  {}, {}", plural(secrets, "active secret"), plural(versions, "version")))?;
    for (key, versions) in &manifest.keys {
        let versions = usize::try_from(*versions).unwrap_or(usize::MAX);
        console.print(&format!("  key {key} opens {}", plural(versions, "version")))?;
    }
    if manifest.unnamed > 0 {
        console.print(&format!(
            "  {} of the Go chassis do not name their key",
            plural(usize::try_from(manifest.unnamed).unwrap_or(usize::MAX), "version")
        ))?;
    }
    Ok(())
}

fn plural(count: usize, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {word}{end}")
}
