//! `txco auth …`: keys of this machine, tenants and their secrets.

use std::process::ExitCode;

use super::identity::{self, Verb as Oneself};
use super::output::{Complaint, Console};
use super::people::{self, Verb as Others};
use super::{audit, governing, hostnames, keys, secrets, tenants, usage};

/// Words that the command line will know in a later release.
const LATER: &[&str] = &["login", "sessions"];
/// The same, below `auth tenant`.
const TENANT_LATER: &[&str] = &[];

/// What stands behind `auth`.
#[derive(clap::Subcommand)]
pub(crate) enum Auth {
    /// The master key of this machine
    Secrets(KeyLine),
    /// One tenant: its secrets, or a new one
    Tenant(Box<TenantLine>),
    /// List the tenants you belong to
    Tenants(tenants::ListFlags),
    /// What was done here, and whether the record of it holds
    Audit(Box<AuditLine>),
    /// Become the first actor of a chassis, by the secret that it printed
    BootstrapLocal(identity::BootstrapFlags),
    /// Make a key for a profile, without telling anybody
    Init(identity::InitFlags),
    /// Become an actor with a key you have, by an enrolment secret
    Enroll(identity::EnrolFlags),
    /// Accept an invitation
    Accept(identity::AcceptFlags),
    /// Who you are at a chassis, and what you may do there
    Whoami(identity::WhoamiFlags),
    /// Replace your key by a new one
    RotateKey(identity::RotateFlags),
    /// Revoke a key
    RevokeKey(people::RevokeKeyFlags),
    /// Revoke an actor with all keys
    RevokeActor(people::RevokeActorFlags),
    /// Invite somebody; the token is printed once
    Invite(people::InviteFlags),
    /// List the invitations of a tenant
    Invitations(people::LookFlags),
    /// Take an invitation back
    RevokeInvitation(people::RevokeInvitationFlags),
    /// List the tenants you are a member of, with what you may do
    Memberships(people::LookFlags),
    /// List the profiles of this machine
    Profiles(identity::ListFlags),
    /// Use, show or remove a profile
    Profile(ProfileLine),
    /// Make a profile the active one
    Use(identity::NamedFlags),
    /// Sign nothing from now on
    Logout(identity::ListFlags),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// What stands behind `auth profile`.
#[derive(clap::Args)]
pub(crate) struct ProfileLine {
    #[command(subcommand)]
    command: Option<Profile>,
}

/// The commands of `auth profile`.
#[derive(clap::Subcommand)]
pub(crate) enum Profile {
    /// Make it the active one
    Use(identity::NamedFlags),
    /// Show it
    Show(identity::NamedFlags),
    /// Remove it, with its key on this machine
    Remove(identity::RemoveFlags),
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
    /// Refuse the tenant's requests from now on
    Suspend(governing::SuspendFlags),
    /// Let the tenant's requests in again
    Resume(governing::ChangeFlags),
    /// Limit the tenant's requests
    Limits(governing::LimitFlags),
    /// Say what it takes to use a secret in the tenant's rules
    Settings(governing::SettingFlags),
    /// Whether the tenant is suspended, its limits, what runs
    Runtime(governing::ShowFlags),
    /// List the members
    Members(people::LookFlags),
    /// Say what an actor may do in the tenant
    #[command(visible_alias = "update-caps")]
    Grant(people::GrantFlags),
    /// End a membership
    Revoke(people::RemoveFlags),
    /// Set, generate, rotate, list, show, describe and revoke secrets
    Secrets(Box<SecretsLine>),
    /// Which hosts lead to the tenant
    Hostnames(Box<HostnamesLine>),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// What stands behind `auth tenant hostnames`.
#[derive(clap::Args)]
pub(crate) struct HostnamesLine {
    #[command(subcommand)]
    verb: Option<hostnames::Verb>,
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
        Some(Auth::Profile(ProfileLine { command })) => profile(command, console),
        Some(Auth::BootstrapLocal(flags)) => {
            identity::run("auth bootstrap-local", &Oneself::Bootstrap(flags), console)
        }
        Some(Auth::Init(flags)) => identity::run("auth init", &Oneself::Init(flags), console),
        Some(Auth::Enroll(flags)) => identity::run("auth enroll", &Oneself::Enrol(flags), console),
        Some(Auth::Accept(flags)) => identity::run("auth accept", &Oneself::Accept(flags), console),
        Some(Auth::Whoami(flags)) => identity::run("auth whoami", &Oneself::Whoami(flags), console),
        Some(Auth::RotateKey(flags)) => identity::run("auth rotate-key", &Oneself::Rotate(flags), console),
        Some(Auth::Profiles(flags)) => identity::run("auth profiles", &Oneself::Profiles(flags), console),
        Some(Auth::Use(flags)) => identity::run("auth use", &Oneself::Use(flags), console),
        Some(Auth::Logout(flags)) => identity::run("auth logout", &Oneself::Logout(flags), console),
        Some(Auth::RevokeKey(flags)) => people::run("auth revoke-key", &Others::RevokeKey(flags), console),
        Some(Auth::RevokeActor(flags)) => {
            people::run("auth revoke-actor", &Others::RevokeActor(flags), console)
        }
        Some(Auth::Invite(flags)) => people::run("auth invite", &Others::Invite(flags), console),
        Some(Auth::Invitations(flags)) => {
            people::run("auth invitations", &Others::Invitations(flags), console)
        }
        Some(Auth::RevokeInvitation(flags)) => {
            people::run("auth revoke-invitation", &Others::RevokeInvitation(flags), console)
        }
        Some(Auth::Memberships(flags)) => {
            people::run("auth memberships", &Others::Memberships(flags), console)
        }
        Some(Auth::Tenant(line)) => match line.command {
            None => usage::print(&["auth", "tenant"], console),
            Some(Tenant::Unknown(words)) => {
                usage::unknown(&["auth", "tenant"], &words, TENANT_LATER, console)
            }
            Some(Tenant::Members(flags)) => {
                people::run("auth tenant members", &Others::Members(flags), console)
            }
            Some(Tenant::Grant(flags)) => people::run("auth tenant grant", &Others::Grant(flags), console),
            Some(Tenant::Revoke(flags)) => people::run("auth tenant revoke", &Others::Remove(flags), console),
            Some(Tenant::Create(flags)) => {
                let result = tenants::create(&flags, console);
                ended("auth tenant create", flags.json, result, console)
            }
            Some(Tenant::Suspend(flags)) => governing::run(&governing::Verb::Suspend(flags), console),
            Some(Tenant::Resume(flags)) => governing::run(&governing::Verb::Resume(flags), console),
            Some(Tenant::Limits(flags)) => governing::run(&governing::Verb::Limit(flags), console),
            Some(Tenant::Settings(flags)) => governing::run(&governing::Verb::Settings(flags), console),
            Some(Tenant::Runtime(flags)) => governing::run(&governing::Verb::Show(flags), console),
            Some(Tenant::Hostnames(line)) => hostnames::run(line.verb, console),
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

fn profile(command: Option<Profile>, console: &mut Console<'_>) -> ExitCode {
    match command {
        None => usage::print(&["auth", "profile"], console),
        Some(Profile::Unknown(words)) => usage::unknown(&["auth", "profile"], &words, &[], console),
        Some(Profile::Use(flags)) => identity::run("auth profile use", &Oneself::Use(flags), console),
        Some(Profile::Show(flags)) => identity::run("auth profile show", &Oneself::Show(flags), console),
        Some(Profile::Remove(flags)) => {
            identity::run("auth profile remove", &Oneself::Remove(flags), console)
        }
    }
}

fn ended(command: &str, json: bool, result: Result<(), Complaint>, console: &mut Console<'_>) -> ExitCode {
    console.end(json, result.map_err(|complaint| complaint.of(command)))
}
