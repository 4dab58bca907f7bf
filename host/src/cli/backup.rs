//! `txco backup`: both databases into a folder, and whether such a folder is what it says.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::output::{Complaint, Console};
use crate::backup::{self, Manifest};
use crate::config::{Config, ServeFlags};

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
        ..ServeFlags::default()
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
    if flags.json {
        return console.print(&json!({ "whole": true, "manifest": manifest }).to_string());
    }
    console.print(&format!("{} is whole, taken {}", flags.backup.display(), manifest.taken_at))?;
    tell(&manifest, console)
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
