//! `txco auth secrets restore`: keys come back into the ring.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use vault::{ByWhat, KeyId, Restored, Unlocked, Vault, read_backup, wants_passphrase};
use zeroize::Zeroizing;

use super::place::{Place, failed, listed, record, source_of, store_of, vault_failed};
use crate::cli::output::{Complaint, Console};
use crate::cli::passphrase::{ask, choosing, opening};
use crate::config::Config;
use crate::key_source::{Adopted, IfMissing, Kept, KeyError, KeyFiles, Obtained};

/// Flags of `txco auth secrets restore`.
#[derive(clap::Args)]
pub(crate) struct Flags {
    /// The backup
    #[arg(long, value_name = "FILE", required_unless_present = "retired", conflicts_with = "retired")]
    from: Option<PathBuf>,
    /// Take back the keys that `init --force` set aside
    #[arg(long)]
    retired: bool,
    /// The file with the age identity that opens the backup
    #[arg(long, value_name = "FILE", conflicts_with_all = ["retired", "passphrase_fd"])]
    identity: Option<PathBuf>,
    /// Read the passphrase of the backup from an open descriptor
    #[arg(long, value_name = "N", conflicts_with = "retired")]
    passphrase_fd: Option<u32>,
    /// Where no ring is: seal the restored one by a passphrase, which is asked for
    #[arg(long, conflicts_with = "retired")]
    sealed: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let mut config = flags.place.config(console)?;
    let source = source_of(&mut config);
    let files = match source.kept() {
        Kept::Files(files) => files,
        Kept::Elsewhere(_) => {
            let label = source.label();
            return Err(Complaint::failed(format!(
                "{label} is read-only here; restore into a file with --path FILE, and give its keys from there"
            )));
        }
        Kept::Nowhere => return Err(Complaint::failed("no master key is configured")),
    };
    let present = match source.obtain(IfMissing::Refuse, &mut |path| ask(console, path)) {
        Ok(present) => present,
        Err(KeyError::Missing(_)) => None,
        Err(error) => return Err(failed(&error)),
    };
    let (adopted, unlocked) = match &flags.from {
        Some(from) => {
            let sealing = sealing(flags, present.as_ref(), &files, console)?;
            from_backup(flags, from, &files, present.as_ref(), sealing, console)?
        }
        None => {
            let adopted = from_retired(&files, present.as_ref(), console)?;
            (adopted, present.and_then(|obtained| obtained.unlocked))
        }
    };
    recorded(&config, &files, unlocked, &adopted, console)?;
    say(flags, &adopted, &files, console)
}

/// Opens the database with the ring as it is now, where there is one: the keys that came back
/// are known there from now on, and the audit tells that they did.
fn recorded(
    config: &Config,
    files: &KeyFiles,
    unlocked: Option<Arc<Unlocked>>,
    adopted: &Adopted,
    console: &mut Console<'_>,
) -> Result<(), Complaint> {
    let Some(store) = store_of(config)? else { return Ok(()) };
    let loaded = files.load(unlocked, &mut |path| ask(console, path)).map_err(|error| failed(&error))?;
    let active = loaded.ring.active().id();
    let _sealing = Vault::open(Arc::clone(&store), loaded.ring).map_err(vault_failed)?;
    let keys: Vec<KeyId> = adopted.added.iter().chain(&adopted.retired).copied().collect();
    record(&store, ("keys.restore", "ok"), active, &keys)
}

/// What seals a ring that was not there.
fn sealing(
    flags: &Flags,
    present: Option<&Obtained>,
    files: &KeyFiles,
    console: &mut Console<'_>,
) -> Result<Option<Arc<Unlocked>>, Complaint> {
    if !flags.sealed {
        return Ok(None);
    }
    if present.is_some() {
        return Err(Complaint::usage(format!(
            "--sealed is for a ring that is not there, and {} is; its keys are kept in the form it has",
            files.path().display()
        )));
    }
    let passphrase = choosing(console, None, "passphrase for the master key: ")?;
    let fresh = Unlocked::fresh(&passphrase).map_err(|error| Complaint::failed(error.to_string()))?;
    Ok(Some(Arc::new(fresh)))
}

fn from_backup(
    flags: &Flags,
    from: &Path,
    files: &KeyFiles,
    present: Option<&Obtained>,
    sealing: Option<Arc<Unlocked>>,
    console: &mut Console<'_>,
) -> Result<(Adopted, Option<Arc<Unlocked>>), Complaint> {
    let cannot =
        |path: &Path, e: std::io::Error| Complaint::failed(format!("cannot read {}: {e}", path.display()));
    let backup = fs::read(from).map_err(|e| cannot(from, e))?;
    let about = |error: vault::Error| Complaint::failed(format!("{}: {error}", from.display()));
    let restored: Restored = match (wants_passphrase(&backup).map_err(about)?, &flags.identity) {
        (true, _) => {
            let prompt = format!("passphrase of {}: ", from.display());
            let passphrase = opening(console, flags.passphrase_fd, &prompt)?;
            read_backup(&backup, &ByWhat::Passphrase(&passphrase))
        }
        (false, Some(path)) => {
            let text = Zeroizing::new(fs::read_to_string(path).map_err(|e| cannot(path, e))?);
            read_backup(&backup, &ByWhat::Identities(&text))
        }
        (false, None) => {
            return Err(Complaint::failed(format!(
                "{} is encrypted to a recipient; give the identity with --identity FILE",
                from.display()
            )));
        }
    }
    .map_err(about)?;
    let ring = present.map(|obtained| &obtained.ring);
    let unlocked = present.map_or(sealing, |obtained| obtained.unlocked.clone());
    let adopted = files.adopt(&restored, ring, unlocked.as_deref()).map_err(|error| failed(&error))?;
    Ok((adopted, unlocked))
}

fn from_retired(
    files: &KeyFiles,
    present: Option<&Obtained>,
    console: &mut Console<'_>,
) -> Result<Adopted, Complaint> {
    let present = present.ok_or_else(|| {
        Complaint::failed(format!(
            "{path} does not exist, so there is no ring to take keys back into; move one of the files of {folder} there",
            path = files.path().display(),
            folder = files.folder().display()
        ))
    })?;
    let unlocked = present.unlocked.as_ref();
    let found = files.retired(unlocked, &mut |path| ask(console, path)).map_err(|error| failed(&error))?;
    for error in found.left_out {
        console.note(&format!("warning: left as it is: {error}"));
    }
    let mut adopted = Adopted::default();
    for (key, path) in found.keys {
        files.reinstate(&key, &path, unlocked.map(AsRef::as_ref)).map_err(|error| failed(&error))?;
        if present.ring.find(key.id()).is_none() {
            adopted.added.push(key.id());
        }
    }
    Ok(adopted)
}

fn say(
    flags: &Flags,
    adopted: &Adopted,
    files: &KeyFiles,
    console: &mut Console<'_>,
) -> Result<(), Complaint> {
    if flags.place.json {
        let ids = |ids: &[KeyId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let said = json!({ "added": ids(&adopted.added), "retired": ids(&adopted.retired),
                           "active": adopted.active.map(|id| id.to_string()) });
        return console.print(&said.to_string());
    }
    if let Some(active) = adopted.active {
        console.print(&format!("restored: key {active} is the active one, in {}", files.path().display()))?;
        if !flags.sealed {
            console.note("the file is not sealed by a passphrase, whatever it was when it was backed up (restore --sealed seals it)");
        }
    }
    if adopted.added.is_empty() {
        console.print("every key was in the ring already; nothing to do")?;
    } else {
        console.print(&format!(
            "restored into the ring: {}; they open what they sealed",
            listed(&adopted.added)
        ))?;
    }
    if !adopted.retired.is_empty() {
        console.print(&format!("kept out of use: {}", listed(&adopted.retired)))?;
    }
    console.print("next: txco auth secrets verify")
}
