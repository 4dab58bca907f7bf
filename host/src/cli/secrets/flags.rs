//! What the secrets verbs take; flags may stand before or after NAME.

use std::path::PathBuf;

use super::named::{Common, Named};
use super::policy::{Explain, Policy};
use super::terms::{PolicyFlags, VersionFlags};
use super::versions::{Destroy, Prune, Rollback, Versions};

/// A verb.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Store a value you have: hidden prompt, pipe or file; rotates when the name exists
    Set(Box<Set>),
    /// Have the chassis mint a value; it is printed once
    #[command(visible_alias = "gen")]
    Generate(Box<Generate>),
    /// Replace the value: one of yours, or with --generate one of the chassis's
    Rotate(Box<Rotate>),
    /// List names and metadata
    #[command(visible_alias = "ls")]
    List(List),
    /// Show the metadata of one secret; the value never
    Show(Show),
    /// Change the description
    Describe(Describe),
    /// Revoke a secret and free its name
    #[command(visible_alias = "rm")]
    Revoke(Revoke),
    /// Store everything in a dotenv file, all of it or nothing
    Import(Import),
    /// List the versions: who made them, how often they are used, which are destroyed
    Versions(Versions),
    /// Put an older version back into use
    Rollback(Rollback),
    /// Destroy all but the newest versions
    Prune(Prune),
    /// Destroy one version for good, or those of revoked secrets
    Destroy(Destroy),
    /// Replace what the secret may be used for: hosts, ops, purposes
    Policy(Box<Policy>),
    /// Say whether a use would be allowed, and why
    Explain(Explain),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

impl Verb {
    /// How it is called in messages.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Set(_) => "set",
            Self::Generate(_) => "generate",
            Self::Rotate(flags) if flags.generate => "rotate --generate",
            Self::Rotate(_) => "rotate",
            Self::List(_) => "list",
            Self::Show(_) => "show",
            Self::Describe(_) => "describe",
            Self::Revoke(_) => "revoke",
            Self::Import(_) => "import",
            Self::Versions(_) => "versions",
            Self::Rollback(_) => "rollback",
            Self::Prune(_) => "prune",
            Self::Destroy(_) => "destroy",
            Self::Policy(_) => "policy",
            Self::Explain(_) => "explain",
            Self::Unknown(_) => "",
        }
    }

    /// Whether it prints JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Set(f) => f.named.common.json,
            Self::Generate(f) => f.named.common.json,
            Self::Rotate(f) => f.named.common.json,
            Self::List(f) => f.common.json,
            Self::Show(f) => f.named.common.json,
            Self::Describe(f) => f.named.common.json,
            Self::Revoke(f) => f.named.common.json,
            Self::Import(f) => f.common.json,
            Self::Versions(f) => f.named.common.json,
            Self::Rollback(f) => f.named.common.json,
            Self::Prune(f) => f.named.common.json,
            Self::Destroy(f) => f.named.common.json,
            Self::Policy(f) => f.named.common.json,
            Self::Explain(f) => f.named.common.json,
            Self::Unknown(_) => false,
        }
    }
}

/// Flags of `set`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    pub(super) named: Named,
    /// What it is for; without it an existing description stays
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// Read the value from a file, byte for byte; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) from_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) version: VersionFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) policy: PolicyFlags,
}

/// Flags of `generate`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(super) named: Named,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// How many random bytes, 1 to 4096; printed and stored as base64url text
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = byte_len())]
    pub(super) byte_len: u32,
    #[command(flatten)]
    pub(super) version: VersionFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) policy: PolicyFlags,
}

/// Flags of `rotate`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    pub(super) named: Named,
    /// Have the chassis mint the new value; it is printed once
    #[arg(long)]
    pub(super) generate: bool,
    /// With --generate: how many random bytes, 1 to 4096 [default: 32]
    #[arg(long, value_name = "N", value_parser = byte_len())]
    pub(super) byte_len: Option<u32>,
    /// Read the value from a file, byte for byte; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) from_file: Option<PathBuf>,
    /// For how long the version before stays in use for verifying, such as 24h; signing uses the new one
    #[arg(long, value_name = "SPAN")]
    pub(super) overlap: Option<String>,
    #[command(flatten)]
    pub(super) version: VersionFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

/// A number of random bytes: out of range is told before a chassis is asked.
fn byte_len() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=vault::MAX_GENERATED_BYTES as i64)
}

/// Flags of `list`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(super) common: Common,
}

/// Flags of `show`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(super) named: Named,
}

/// Flags of `describe`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Describe {
    #[command(flatten)]
    pub(super) named: Named,
    /// The new description; empty clears it
    #[arg(long, value_name = "TEXT")]
    pub(super) set: Option<String>,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

/// Flags of `revoke`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(super) named: Named,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

/// Flags of `import`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Import {
    /// The dotenv file; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
    /// Admin URL of the chassis, when --url is absent
    #[arg(value_name = "TARGET")]
    pub(super) target: Option<String>,
    /// As secrets of this stack instead of the tenant's
    #[arg(long, value_name = "STACK")]
    pub(super) stack: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}
