//! `txco auth invite, tenant members …`: other people at a chassis, and what each may do.

mod members;
mod invitations;
mod revoke;

use std::process::ExitCode;

use serde_json::Value;

use super::client::{self, Reply, encoded};
use super::output::{Complaint, Console};
use super::target::{Agreed, Carries, Target, TenantFlags};

pub(crate) use invitations::{InviteFlags, RevokeInvitationFlags};
pub(crate) use members::{GrantFlags, RemoveFlags};
pub(crate) use revoke::{RevokeActorFlags, RevokeKeyFlags};

/// Flags of what only looks.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct LookFlags {
    #[command(flatten)]
    tenant: TenantFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of what changes something.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ChangeFlags {
    #[command(flatten)]
    tenant: TenantFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A command about others.
pub(super) enum Verb {
    Members(LookFlags),
    Grant(GrantFlags),
    Remove(RemoveFlags),
    Memberships(LookFlags),
    Invite(InviteFlags),
    Invitations(LookFlags),
    RevokeInvitation(RevokeInvitationFlags),
    RevokeActor(RevokeActorFlags),
    RevokeKey(RevokeKeyFlags),
}

/// Runs a command, which is called `command` in messages.
pub(super) fn run(command: &str, verb: &Verb, console: &mut Console<'_>) -> ExitCode {
    let (json, result) = match verb {
        Verb::Members(flags) => (flags.json, members::list(flags, console)),
        Verb::Grant(flags) => (flags.change.json, members::grant(flags, console)),
        Verb::Remove(flags) => (flags.change.json, members::remove(flags, console)),
        Verb::Memberships(flags) => (flags.json, members::own(flags, console)),
        Verb::Invite(flags) => (flags.change.json, invitations::invite(flags, console)),
        Verb::Invitations(flags) => (flags.json, invitations::list(flags, console)),
        Verb::RevokeInvitation(flags) => (flags.change.json, invitations::revoke(flags, console)),
        Verb::RevokeActor(flags) => (flags.change.json, revoke::actor(flags, console)),
        Verb::RevokeKey(flags) => (flags.change.json, revoke::key(flags, console)),
    };
    console.end(json, result.map_err(|complaint| complaint.of(command)))
}

/// Where a command works.
pub(super) struct Place {
    target: Target,
    pub(super) tenant: String,
    json: bool,
}

impl Place {
    /// To look.
    pub(super) fn to_see(flags: &LookFlags, console: &Console<'_>) -> Result<Self, Complaint> {
        let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
        target.may_read()?;
        Ok(Self { target, tenant: flags.tenant.slug(console.environment), json: flags.json })
    }

    /// To change something, once a person has agreed to where.
    pub(super) fn to_change(flags: &ChangeFlags, console: &mut Console<'_>) -> Result<Self, Complaint> {
        let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
        let tenant = flags.tenant.slug(console.environment);
        target.may_change(console, Agreed::of(flags.yes, flags.json), Carries::Metadata)?;
        Ok(Self { target, tenant, json: flags.json })
    }

    /// A call about the tenant; `rest` is what follows it in the path.
    pub(super) fn of_tenant(
        &self,
        method: &str,
        rest: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Complaint> {
        self.of_tenant_or(|_| None, method, rest, body)
    }

    /// The same, where a refusal has words of its own.
    pub(super) fn of_tenant_or(
        &self,
        words: impl FnOnce(&client::Refusal) -> Option<String>,
        method: &str,
        rest: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Complaint> {
        let path = format!("/v1/tenants/{}{rest}", encoded(&self.tenant));
        client::ask(&self.target, method, &path, body, Vec::new())?.map_err(|refusal| match words(&refusal) {
            Some(text) => Complaint::failed(text),
            None => client::explained(&self.target, refusal),
        })
    }

    fn call(&self, method: &str, rest: &str, body: Option<&Value>) -> Result<Reply, Complaint> {
        self.of_tenant(method, &format!("/auth{rest}"), body)
    }

    /// Prints the reply as it is, or as people read it.
    pub(super) fn done(&self, console: &mut Console<'_>, body: &Value, text: &str) -> Result<(), Complaint> {
        if self.json { console.print(&body.to_string()) } else { console.print(text) }
    }
}

/// The one word that a command needs.
fn needed<'a>(word: Option<&'a str>, name: &str) -> Result<&'a str, Complaint> {
    word.filter(|word| !word.is_empty()).ok_or_else(|| Complaint::usage(format!("{name} is required")))
}

/// Capabilities as typed: separated by commas.
fn listed(caps: &str) -> Vec<String> {
    caps.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}

fn text(of: &Value, member: &str) -> String {
    of.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn capabilities(of: &Value) -> String {
    let all = of.get("capabilities").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
