//! `txco op sign`: an operator's own key vouches for a component.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::place::{Component, signature_file};
use crate::cli::output::{Complaint, Console};
use crate::cli::prompt::read_whole;
use crate::op_signature::SigningKey;

/// The largest key file.
const MOST: usize = 4 << 10;

/// Flags of `txco op sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Components to sign; the signature goes beside each, as FILE.sig
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The key: Ed25519 as PKCS #8, in a file that is only yours
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Mint a key into this file first, and print what --op-trust-key takes
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    new_key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Signs.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let mut minted = None;
    let key = match (&flags.key, &flags.new_key) {
        (Some(file), _) => read(file)?,
        (None, Some(file)) => {
            let key = mint(file)?;
            let public = key.public().map(|key| key.to_string()).unwrap_or_default();
            console.note(&format!("minted {}; run the chassis with --op-trust-key and", file.display()));
            if !flags.json {
                console.print(&public)?;
            }
            minted = Some(public);
            key
        }
        (None, None) => {
            return Err(Complaint::usage("--key FILE is required, or --new-key FILE to mint one"));
        }
    };
    if flags.files.is_empty() && flags.new_key.is_none() {
        return Err(Complaint::usage("FILE is required"));
    }
    let mut signed = Vec::new();
    for file in &flags.files {
        let component = Component::read(file)?;
        let signature = key.sign(&component.facts.digest).ok_or_else(|| Complaint::failed("cannot sign"))?;
        let beside = signature_file(file);
        let cannot = |e: std::io::Error| Complaint::failed(format!("cannot write {}: {e}", beside.display()));
        std::fs::write(&beside, format!("{signature}\n")).map_err(cannot)?;
        let (name, beside) = (component.facts.manifest.name.as_str(), beside.display().to_string());
        if !flags.json {
            console.print(&format!("signed {name}: {beside}"))?;
        }
        signed.push(json!({ "op": name, "digest": component.facts.digest.to_string(), "signature": beside }));
    }
    if flags.json {
        console.print(&json!({ "trust_key": minted, "signed": signed }).to_string())
    } else {
        Ok(())
    }
}

fn mint(file: &Path) -> Result<SigningKey, Complaint> {
    let cannot = |e: std::io::Error| Complaint::failed(format!("cannot make {}: {e}", file.display()));
    let (key, der) = SigningKey::mint().ok_or_else(|| Complaint::failed("the system gives no randomness"))?;
    // Never over an existing one: what it signed could not be signed again.
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(cannot)?;
    made.write_all(&der).and_then(|()| made.sync_all()).map_err(cannot)?;
    Ok(key)
}

fn read(file: &Path) -> Result<SigningKey, Complaint> {
    let cannot =
        |why: &dyn std::fmt::Display| Complaint::failed(format!("cannot use {}: {why}", file.display()));
    let mut open = File::open(file).map_err(|e| cannot(&e))?;
    // Of the open file: what its name means may change in between.
    let about = open.metadata().map_err(|e| cannot(&e))?;
    if about.mode() & 0o077 != 0 {
        return Err(cannot(&format!("others may read it; chmod 600 {}", file.display())));
    }
    let bytes = read_whole(&mut open, MOST).map_err(|e| cannot(&e))?;
    let der = from_pem(&bytes).unwrap_or(bytes);
    SigningKey::of_pkcs8(&der).ok_or_else(|| cannot(&"it holds no Ed25519 key as PKCS #8"))
}

/// The DER inside PEM (`openssl genpkey -algorithm ed25519`); nothing when it is none.
fn from_pem(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    use base64::Engine as _;
    let text = std::str::from_utf8(bytes).ok()?;
    let inside = text.split_once("-----BEGIN PRIVATE KEY-----")?.1.split_once("-----END PRIVATE KEY-----")?.0;
    let packed = Zeroizing::new(inside.chars().filter(|c| !c.is_whitespace()).collect::<String>());
    base64::engine::general_purpose::STANDARD.decode(&*packed).ok().map(Zeroizing::new)
}
