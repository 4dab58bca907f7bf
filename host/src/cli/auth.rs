//! `txco auth …`: keys of this machine, tenants and their secrets.

use std::process::ExitCode;

use super::output::{Complaint, Console};
use super::{audit, keys, secrets, tenants, usage};

/// Words that the command line will know in a later release.
const LATER: &[&str] = &[
    "accept",
    "bootstrap-local",
    "enroll",
    "init",
    "invitations",
    "invite",
    "login",
    "logout",
    "memberships",
    "profile",
    "profiles",
    "revoke-actor",
    "revoke-invitation",
    "revoke-key",
    "rotate-key",
    "sessions",
    "use",
    "whoami",
];
/// The same, below `auth tenant`.
const TENANT_LATER: &[&str] = &["grant", "hostnames", "members", "revoke", "update-caps"];

/// What stands behind `auth`.
#[derive(clap::Subcommand)]
pub(crate) enum Auth {
    /// The master key of this machine
    Secrets(KeyLine),
    /// One tenant: its secrets, or a new one
    Tenant(Box<TenantLine>),
    /// List the tenants
    Tenants(tenants::ListFlags),
    /// What was done here, and whether the record of it holds
    Audit(Box<AuditLine>),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// What stands behind `auth secrets`.
#[derive(clap::Args)]
pub(crate) struct KeyLine {
    #[command(subcommand)]
    command: Option<keys::Key>,
}

/// What stands behind `auth audit`.
#[derive(clap::Args)]
pub(crate) struct AuditLine {
    #[command(subcommand)]
    verb: Option<audit::Verb>,
}

/// What stands behind `auth tenant`.
#[derive(clap::Args)]
pub(crate) struct TenantLine {
    #[command(subcommand)]
    command: Option<Tenant>,
}

/// The commands of `auth tenant`.
#[derive(clap::Subcommand)]
pub(crate) enum Tenant {
    /// Create a tenant
    Create(tenants::CreateFlags),
    /// Set, generate, rotate, list, show, describe and revoke secrets
    Secrets(Box<SecretsLine>),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// What stands behind `auth tenant secrets`.
#[derive(clap::Args)]
pub(crate) struct SecretsLine {
    #[command(subcommand)]
    verb: Option<secrets::Verb>,
}

/// Runs what was typed.
pub(super) fn run(auth: Option<Auth>, console: &mut Console<'_>) -> ExitCode {
    match auth {
        None => usage::print(&["auth"], console),
        Some(Auth::Unknown(words)) => usage::unknown(&["auth"], &words, LATER, console),
        Some(Auth::Secrets(KeyLine { command })) => keys::run(command, console),
        Some(Auth::Tenants(flags)) => {
            let result = tenants::list(&flags, console);
            ended("auth tenants", flags.json, result, console)
        }
        Some(Auth::Audit(line)) => match line.verb {
            None => usage::print(&["auth", "audit"], console),
            Some(audit::Verb::Unknown(words)) => usage::unknown(&["auth", "audit"], &words, &[], console),
            Some(verb) => audit::run(verb, console),
        },
        Some(Auth::Tenant(line)) => match line.command {
            None => usage::print(&["auth", "tenant"], console),
            Some(Tenant::Unknown(words)) => {
                usage::unknown(&["auth", "tenant"], &words, TENANT_LATER, console)
            }
            Some(Tenant::Create(flags)) => {
                let result = tenants::create(&flags, console);
                ended("auth tenant create", flags.json, result, console)
            }
            Some(Tenant::Secrets(line)) => match line.verb {
                None => usage::print(&["auth", "tenant", "secrets"], console),
                Some(secrets::Verb::Unknown(words)) => {
                    usage::unknown(&["auth", "tenant", "secrets"], &words, &[], console)
                }
                Some(verb) => secrets::run(verb, console),
            },
        },
    }
}

fn ended(command: &str, json: bool, result: Result<(), Complaint>, console: &mut Console<'_>) -> ExitCode {
    console.end(json, result.map_err(|complaint| complaint.of(command)))
}
