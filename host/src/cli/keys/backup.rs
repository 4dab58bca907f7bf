//! `txco auth secrets backup --to F`: the key ring in one encrypted file.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use vault::{ForWhom, KeyId, MasterKey, Recipient, back_up};

use super::place::{Place, failed, listed, record, vault_failed};
use crate::cli::output::{Complaint, Console};
use crate::cli::passphrase::{ask, choosing};
use crate::key_source::Kept;

/// Flags of `txco auth secrets backup`.
#[derive(clap::Args)]
pub(crate) struct Flags {
    /// Where the backup goes; nothing may be there yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Encrypt it to this age recipient (age1…) and not under a passphrase; may be repeated
    #[arg(long, value_name = "AGE1…")]
    recipient: Vec<String>,
    /// Read the passphrase from an open descriptor
    #[arg(long, value_name = "N", conflicts_with = "recipient")]
    passphrase_fd: Option<u32>,
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let recipients = recipients(&flags.recipient)?;
    if flags.to.exists() {
        return Err(Complaint::failed(format!(
            "{} is there already; choose another name, and keep the old backup until the new one is safe",
            flags.to.display()
        )));
    }
    let opened = flags.place.open(console)?;
    let mut retired: Vec<MasterKey> = Vec::new();
    if let Kept::Files(files) = &opened.kept {
        let unlocked = opened.obtained.unlocked.as_ref();
        let found = files.retired(unlocked, &mut |path| ask(console, path)).map_err(|e| failed(&e))?;
        for error in found.left_out {
            console.note(&format!("warning: not in the backup: {error}"));
        }
        retired.extend(found.keys.into_iter().map(|(key, _)| key));
    }
    let ring = &opened.obtained.ring;
    let mut file = Vec::new();
    let encrypted = if recipients.is_empty() {
        let passphrase = choosing(console, flags.passphrase_fd, "passphrase for the backup: ")?;
        back_up(ring, &retired, &ForWhom::Passphrase(&passphrase), &mut file)
    } else {
        back_up(ring, &retired, &ForWhom::Recipients(&recipients), &mut file)
    };
    encrypted.map_err(vault_failed)?;
    let (ids, active) = (ring.ids(), ring.active().id());
    let retired: Vec<KeyId> = retired.iter().map(MasterKey::id).collect();
    let all: Vec<KeyId> = ids.iter().chain(&retired).copied().collect();
    let store = opened.store.clone();
    let _sealing = opened.vault_if_any()?;
    // Written down first: no copy of the keys comes into being without its row.
    let recorded =
        |outcome| store.as_ref().map_or(Ok(()), |s| record(s, ("keys.backup", outcome), active, &all));
    recorded("ok")?;
    if let Err(error) = write(&flags.to, &file) {
        recorded("failed")?;
        return Err(Complaint::failed(format!("cannot write {}: {error}", flags.to.display())));
    }
    say(flags, &ids, &retired, console)
}

fn recipients(texts: &[String]) -> Result<Vec<Recipient>, Complaint> {
    let parsed = texts.iter().map(|text| {
        Recipient::parse(text).ok_or_else(|| {
            Complaint::usage(format!("--recipient {text}: expected a public key of age, such as age1…"))
        })
    });
    parsed.collect()
}

/// The file appears whole, for its owner alone, and is on the disk.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a backup is none; that it stays there is the lesser trouble.
        fs::remove_file(path).ok();
    }
    written
}

fn say(flags: &Flags, ring: &[KeyId], retired: &[KeyId], console: &mut Console<'_>) -> Result<(), Complaint> {
    if flags.place.json {
        let ids = |ids: &[KeyId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let said =
            json!({ "to": flags.to.display().to_string(), "keys": ids(ring), "retired": ids(retired) });
        return console.print(&said.to_string());
    }
    console.print(&format!("wrote {} with keys {}", flags.to.display(), listed(ring)))?;
    if !retired.is_empty() {
        console.print(&format!("and, out of use, {}", listed(retired)))?;
    }
    console.print("keep it apart from the database; the database is not in it")
}
