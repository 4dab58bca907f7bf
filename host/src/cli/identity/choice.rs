//! Which key somebody becomes known by, and under which name it is kept.

use std::path::{Path, PathBuf};

use super::super::agent::Agent;
use super::super::home::{self, Home, LOCAL, NONE};
use super::super::output::{Complaint, Console};
use super::super::signer::{Signer, read_public};
use super::super::target::ChassisFlags;

/// Flags of everything that makes an identity.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct KeyFlags {
    #[command(flatten)]
    pub(super) chassis: ChassisFlags,
    /// What the chassis calls you [default: the profile's name]
    #[arg(long, value_name = "TEXT")]
    pub(super) label: Option<String>,
    /// What you are: human, ci, …
    #[arg(long, value_name = "WORD", default_value = "human")]
    pub(super) kind: String,
    /// Use a key that your ssh-agent holds (with --ssh-key: that one)
    #[arg(long)]
    pub(super) ssh_agent: bool,
    /// Use this private key; with --ssh-agent, the .pub beside it says which
    #[arg(long, value_name = "FILE")]
    pub(super) ssh_key: Option<PathBuf>,
    /// Do not ask before talking to another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A key that is not there may be minted, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mint {
    /// Only into the profile's own file, and only when nothing lies there.
    Fresh,
    /// When there is none.
    IfMissing,
    /// Never.
    Never,
}

impl KeyFlags {
    /// The name under which the identity is kept.
    pub(super) fn profile(&self, console: &Console<'_>) -> Result<String, Complaint> {
        let variable = || console.environment.variable("TXCO_PROFILE");
        let name = self.chassis.profile.clone().or_else(variable).unwrap_or_else(|| LOCAL.to_owned());
        if name == NONE {
            return Err(Complaint::usage("a profile cannot be called none"));
        }
        home::checked(&name).map(str::to_owned)
    }

    /// The key.
    pub(super) fn key(
        &self,
        home: &Home,
        name: &str,
        mint: Mint,
        console: &Console<'_>,
    ) -> Result<Signer, Complaint> {
        if self.ssh_agent {
            return self.held(console);
        }
        if mint == Mint::Fresh {
            return Signer::mint(&home.key_path(name), name);
        }
        if let Some(path) = &self.ssh_key {
            return Signer::read(path);
        }
        let own = home.key_path(name);
        let usual =
            console.environment.variable("HOME").map(|home| Path::new(&home).join(".ssh/id_ed25519-txco"));
        let path = if own.exists() { own } else { usual.unwrap_or(own) };
        if path.exists() {
            return Signer::read(&path);
        }
        if mint == Mint::IfMissing {
            return Signer::mint(&path, &format!("txco {name}"));
        }
        Err(Complaint::failed(format!("there is no key at {} (txco auth init makes one)", path.display())))
    }

    fn held(&self, console: &Console<'_>) -> Result<Signer, Complaint> {
        let agent = Agent::of(console.environment)
            .ok_or_else(|| Complaint::failed("--ssh-agent: SSH_AUTH_SOCK names no agent"))?;
        let failed = |error| Complaint::failed(format!("ssh-agent ({}): {error}", agent.path().display()));
        let held = agent.keys().map_err(failed)?;
        if let Some(path) = &self.ssh_key {
            let public = read_public(path).ok_or_else(|| {
                Complaint::failed(format!("no ed25519 public key at {} or beside it", path.display()))
            })?;
            if !held.iter().any(|key| key.public == public) {
                return Err(Complaint::failed(format!(
                    "the ssh-agent does not hold {} (ssh-add it)",
                    path.display()
                )));
            }
            return Ok(Signer::Agent { agent, public });
        }
        match held.as_slice() {
            [] => Err(Complaint::failed("the ssh-agent holds no ed25519 key (ssh-add one)")),
            [only] => Ok(Signer::Agent { agent, public: only.public }),
            several => {
                let names: Vec<_> = several.iter().map(|key| key.comment.as_str()).collect();
                Err(Complaint::failed(format!(
                    "the ssh-agent holds several ed25519 keys ({}); say which by --ssh-key FILE.pub",
                    names.join(", ")
                )))
            }
        }
    }
}
