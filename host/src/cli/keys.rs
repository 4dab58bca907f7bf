//! `txco auth secrets …`: the keys of this machine, in their files and in what they open.
//!
//! These commands act on the key files and the database themselves, whether or not a chassis
//! runs on them: SQLite lets both write, and a chassis reads the ring again by itself
//! (`host/docs/decisions/0017-key-ring.md`).

mod place;
mod bar;
mod status;
mod rotate;
mod rewrap;
mod verify;
mod backup;
mod restore;

use std::process::ExitCode;

use super::output::Console;
use super::{init_key, usage};

/// The commands of `auth secrets`.
#[derive(clap::Subcommand)]
pub(crate) enum Key {
    /// Mint a master key; rarely needed, for the chassis mints one on its first start
    Init(init_key::Flags),
    /// Show the keys, what each is needed for, and what a backup must hold
    Status(status::Flags),
    /// Mint the next key and seal under it from now on; the old one keeps opening what it sealed
    Rotate(rotate::Flags),
    /// Move every stored version to the active key, while the chassis serves
    Rewrap(rewrap::Flags),
    /// Open every stored version, and report the first that does not open
    Verify(verify::Flags),
    /// Write the key ring into one encrypted file; the database is not in it
    Backup(backup::Flags),
    /// Take keys back into the ring: from a backup, or ones that were set aside
    Restore(restore::Flags),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// Runs what was typed behind `auth secrets`.
pub(super) fn run(command: Option<Key>, console: &mut Console<'_>) -> ExitCode {
    let (name, json, result) = match command {
        None => return usage::print(&["auth", "secrets"], console),
        Some(Key::Unknown(words)) => return usage::unknown(&["auth", "secrets"], &words, &[], console),
        Some(Key::Init(flags)) => ("init", flags.json, init_key::run(&flags, console)),
        Some(Key::Status(flags)) => ("status", flags.place.json, status::run(&flags, console)),
        Some(Key::Rotate(flags)) => ("rotate", flags.place.json, rotate::run(&flags, console)),
        Some(Key::Rewrap(flags)) => ("rewrap", flags.place.json, rewrap::run(&flags, console)),
        Some(Key::Verify(flags)) => ("verify", flags.place.json, verify::run(&flags, console)),
        Some(Key::Backup(flags)) => ("backup", flags.place.json, backup::run(&flags, console)),
        Some(Key::Restore(flags)) => ("restore", flags.place.json, restore::run(&flags, console)),
    };
    let command = format!("auth secrets {name}");
    console.end(json, result.map_err(|complaint| complaint.of(&command)))
}
