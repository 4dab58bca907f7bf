//! A new key for the same actor, and the end of the old one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::client::{self, encoded};
use super::super::home::{Home, Meta};
use super::super::output::{Complaint, Console};
use super::super::profile::{Profile, Source};
use super::super::signer::{Signer, public_path};
use super::super::target::{Access, Agreed, Carries, ChassisFlags, Target};

/// Flags of `txco auth rotate-key`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RotateFlags {
    #[command(flatten)]
    chassis: ChassisFlags,
    /// Enrol the new key by the enrolment secret of the chassis, as somebody new, instead of
    /// having the old key vouch for it
    #[arg(long, value_name = "WORDS")]
    secret: Option<String>,
    /// What the chassis calls somebody new [default: the profile's name]
    #[arg(long, value_name = "TEXT", requires = "secret")]
    label: Option<String>,
    /// What somebody new is: human, ci, … [default: human]
    #[arg(long, value_name = "WORD", requires = "secret")]
    kind: Option<String>,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Mints a key, has the old one vouch for it, and revokes the old one by the new. At every
/// step the profile names a key that is good.
pub(super) fn rotate(flags: &RotateFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let home = Home::needed(console.environment)?;
    let target = Target::choose(&flags.chassis, None, console.environment)?;
    let (profile, path) = match &target.access {
        Access::Signed(profile, signer) => {
            let path = signer.path().ok_or_else(|| {
                Complaint::failed(
                    "the key is in an ssh-agent: make a new one there, accept an invitation with it, and revoke this one",
                )
            })?;
            (profile.as_ref().clone(), path.to_owned())
        }
        Access::Unsigned | Access::Basic(_) => {
            return Err(Complaint::failed("no profile with a key is in use here (--profile NAME)"));
        }
    };
    target.may_change(console, Agreed::of(flags.yes, flags.json), Carries::Metadata)?;
    let fresh = with_end(&path, ".new");
    discard(&fresh)?;
    let signer = Signer::mint(&fresh, &format!("txco {}", profile.name))?;
    let reply = flags.enrolled(&target, &profile.name, &signer)?;
    let text = |member: &str| reply.body.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (actor, new, old) = (text("actor_id"), text("key_id"), profile.meta.key_id.clone());

    let archive = with_end(&path, &format!(".{old}"));
    let moved = |from: &Path, to: &Path| {
        fs::rename(from, to).map_err(|e| Complaint::failed(format!("cannot rename {}: {e}", from.display())))
    };
    moved(&path, &archive)?;
    fs::rename(public_path(&path), public_path(&archive)).ok();
    moved(&fresh, &path)?;
    fs::rename(public_path(&fresh), public_path(&path)).ok();
    let meta = Meta {
        key_id: new.clone(),
        public_key_b64: signer.public_b64(),
        key_path: path.display().to_string(),
        ..profile.meta.clone()
    };
    if profile.source == Source::KeyVariable {
        let bytes = serde_json::to_vec_pretty(&meta).map_err(|e| Complaint::failed(e.to_string()))?;
        super::super::home::write_whole(&with_end(&path, ".meta.json"), &bytes)?;
    } else {
        home.save(&profile.name, &meta)?;
    }

    // Somebody new may not revoke another's key; the old one always may revoke itself.
    let renewed = match flags.secret {
        Some(_) => target.signed(profile, Signer::read(&archive)?),
        None => target.signed(Profile { meta, ..profile }, Signer::read(&path)?),
    };
    client::call(&renewed, "POST", &format!("/auth/keys/{}/revoke", encoded(&old)), None).map_err(|complaint| {
        Complaint::failed(format!(
            "the new key {new} is in use, but the old one is not revoked: {} (txco auth revoke-key --key-id {old})",
            complaint.message
        ))
    })?;
    if flags.json {
        let archive = archive.display().to_string();
        let all = json!({ "actor_id": actor, "key_id": new, "revoked_key_id": old, "archive": archive });
        return console.print(&all.to_string());
    }
    console
        .print(&format!("rotated: new {actor} {new} (was {old})\nold key archived at {}", archive.display()))
}

impl RotateFlags {
    /// Makes the new key known.
    fn enrolled(&self, target: &Target, name: &str, signer: &Signer) -> Result<client::Reply, Complaint> {
        let mut body = json!({ "public_key_b64": signer.public_b64(), "algorithm": "ed25519" });
        let Some(secret) = &self.secret else {
            return client::call(target, "POST", "/auth/keys", Some(&body));
        };
        if let Value::Object(members) = &mut body {
            members.insert("label".to_owned(), self.label.as_deref().unwrap_or(name).into());
            members.insert("kind".to_owned(), self.kind.as_deref().unwrap_or("human").into());
        }
        let headers = vec![("x-txco-enroll-secret", Zeroizing::new(secret.clone()))];
        let answer = client::ask(target, "POST", "/auth/dev/enroll", Some(&body), headers)?;
        answer.map_err(client::Refusal::complaint)
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Removes what an earlier attempt left: a key that nobody knows.
fn discard(path: &Path) -> Result<(), Complaint> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Complaint::failed(format!("cannot remove {}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}
