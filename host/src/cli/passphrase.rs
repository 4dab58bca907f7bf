//! A passphrase: typed unseen, or read from a descriptor.

use std::path::Path;

use vault::{MAX_PASSPHRASE, Passphrase};

use super::output::{Complaint, Console};
use crate::key_source::{KeyError, passphrase_of};

/// Asks a person for the passphrase of the sealed key at `path`.
pub(super) fn ask(console: &mut Console<'_>, path: &Path) -> Result<Passphrase, KeyError> {
    if !console.input.is_terminal() {
        return Err(KeyError::Locked(path.to_owned()));
    }
    let prompt = format!("passphrase of {}: ", path.display());
    typed(console, &prompt).map_err(|complaint| KeyError::Unanswered(complaint.message))
}

/// A passphrase that opens something: from the descriptor, or typed once.
pub(super) fn opening(
    console: &mut Console<'_>,
    descriptor: Option<u32>,
    prompt: &str,
) -> Result<Passphrase, Complaint> {
    match descriptor {
        Some(number) => passphrase_of(number).map_err(|e| Complaint::failed(e.to_string())),
        None if console.input.is_terminal() => typed(console, prompt),
        None => Err(Complaint::failed(
            "a passphrase is needed; run this on a terminal to be asked, or give --passphrase-fd N",
        )),
    }
}

/// A passphrase that seals something: long enough, and typed the same twice.
pub(super) fn choosing(
    console: &mut Console<'_>,
    descriptor: Option<u32>,
    prompt: &str,
) -> Result<Passphrase, Complaint> {
    let short = |e: vault::Error| Complaint::failed(e.to_string());
    let chosen = opening(console, descriptor, prompt)?.chosen().map_err(short)?;
    if descriptor.is_none() && !typed(console, "the same again: ")?.is(&chosen) {
        return Err(Complaint::failed("the two are not the same; nothing was written"));
    }
    Ok(chosen)
}

fn typed(console: &mut Console<'_>, prompt: &str) -> Result<Passphrase, Complaint> {
    let typed = console
        .input
        .hidden(prompt, MAX_PASSPHRASE, console.err)
        .map_err(|e| Complaint::failed(e.to_string()))?;
    Passphrase::new(&typed).map_err(|e| Complaint::failed(e.to_string()))
}
