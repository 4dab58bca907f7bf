//! `txco auth secrets rotate`: the next key.

use serde_json::json;
use vault::SchemeOne;

use super::place::{Place, failed, record, vault_failed};
use crate::cli::output::{Complaint, Console};
use crate::cli::passphrase::ask;

/// Flags of `txco auth secrets rotate`.
#[derive(clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let mut opened = flags.place.open(console)?;
    let files = opened.files("rotate")?;
    let unlocked = opened.obtained.unlocked.clone();
    let rotated = files.rotate(&opened.obtained.ring, unlocked.as_deref()).map_err(|error| failed(&error))?;
    let loaded = files.load(unlocked, &mut |path| ask(console, path)).map_err(|error| failed(&error))?;
    opened.obtained.ring = loaded.ring;
    let store = opened.store.clone();
    // Also notes the new key in the database.
    let vault = opened.vault_if_any()?;
    if let Some(store) = &store {
        record(store, ("keys.rotate", "ok"), rotated.new, &[rotated.old])?;
    }
    let waiting = vault.as_ref().map(|vault| vault.to_rewrap(SchemeOne::Keep)).transpose();
    let waiting = waiting.map_err(vault_failed)?.unwrap_or_default();
    if flags.place.json {
        return console.print(
            &json!({ "key_id": rotated.new.to_string(), "old_key_id": rotated.old.to_string(),
                     "file": files.path().display().to_string(), "to_rewrap": waiting })
            .to_string(),
        );
    }
    console.print(&format!("rotated: key {} seals from now on", rotated.new))?;
    console.print(&format!(
        "key {} stays in {} and opens what it sealed",
        rotated.old,
        files.folder().display()
    ))?;
    if waiting > 0 {
        console.print(&format!("next: txco auth secrets rewrap   ({waiting} rows to move)"))?;
    }
    console.print("next: txco auth secrets backup --to FILE   (the backup you have lacks the new key)")
}
