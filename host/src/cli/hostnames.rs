//! `txco auth tenant hostnames`: which hosts lead to a tenant, and to which stack.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{self, Reply};
use super::output::{Complaint, Console, cell, table};
use super::target::{Agreed, Carries, Target, TenantFlags};
use super::usage;

/// Verbs of the Go chassis that this one has not.
const LATER: &[&str] = &["verify"];

/// The verbs.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// List the hosts that lead to the tenant
    #[command(visible_alias = "ls")]
    List(ListFlags),
    /// Send a host's requests to a stack of the tenant
    #[command(visible_alias = "attach")]
    Add(AddFlags),
    /// Let a host go
    #[command(visible_alias = "rm")]
    Remove(RemoveFlags),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// Flags of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListFlags {
    #[command(flatten)]
    tenant: TenantFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Flags of `add`.
#[derive(Debug, clap::Args)]
pub(crate) struct AddFlags {
    /// The host, such as shop.example.com
    #[arg(value_name = "HOST")]
    hostname: String,
    /// The stack that its requests enter [default: the tenant's only one]
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    #[command(flatten)]
    tenant: TenantFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Flags of `remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveFlags {
    /// The host
    #[arg(value_name = "HOST")]
    hostname: String,
    #[command(flatten)]
    tenant: TenantFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs what was typed.
pub(super) fn run(verb: Option<Verb>, console: &mut Console<'_>) -> ExitCode {
    let path = ["auth", "tenant", "hostnames"];
    let (word, json, done) = match verb {
        None => return usage::print(&path, console),
        Some(Verb::Unknown(words)) => return usage::unknown(&path, &words, LATER, console),
        Some(Verb::List(flags)) => ("list", flags.json, list(&flags, console)),
        Some(Verb::Add(flags)) => ("add", flags.json, add(&flags, console)),
        Some(Verb::Remove(flags)) => ("remove", flags.json, remove(&flags, console)),
    };
    let done = done.map_err(|complaint| complaint.of(&format!("auth tenant hostnames {word}")));
    console.end(json, done)
}

fn list(flags: &ListFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
    target.may_read()?;
    let tenant = flags.tenant.slug(console.environment);
    let reply = call(&target, "GET", &tenant, "", None)?;
    if flags.json {
        return console.print(&reply.body.to_string());
    }
    let mut rows = vec![["HOST", "STACK", "CREATED", "BY"].map(str::to_owned).to_vec()];
    for one in reply.body.get("hostnames").and_then(Value::as_array).into_iter().flatten() {
        let text = |member: &str| cell(one.get(member).and_then(Value::as_str).unwrap_or_default());
        rows.push(["hostname", "stack", "created_at", "created_by"].map(text).to_vec());
    }
    if rows.len() == 1 {
        return console.print(&format!("no host leads to tenant {tenant:?}"));
    }
    console.print(&table(&rows))
}

fn add(flags: &AddFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
    target.may_change(console, Agreed::of(flags.yes, flags.json), Carries::Metadata)?;
    let tenant = flags.tenant.slug(console.environment);
    let body = json!({ "hostname": flags.hostname, "stack": flags.stack });
    let reply = call(&target, "POST", &tenant, "", Some(&body))?;
    if flags.json {
        return console.print(&reply.body.to_string());
    }
    let bound = reply.body.pointer("/hostname/hostname").and_then(Value::as_str).unwrap_or(&flags.hostname);
    let stack = flags.stack.as_deref().unwrap_or("its only stack");
    console.print(&format!("{bound} leads to {stack} of tenant {tenant:?}"))
}

fn remove(flags: &RemoveFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
    target.may_change(console, Agreed::of(flags.yes, flags.json), Carries::Metadata)?;
    let tenant = flags.tenant.slug(console.environment);
    call(&target, "DELETE", &tenant, &format!("/{}", client::encoded(&flags.hostname)), None)?;
    if flags.json {
        return console.print(&json!({ "removed": flags.hostname, "tenant": tenant }).to_string());
    }
    console.print(&format!("{} leads no more to tenant {tenant:?}", flags.hostname))
}

fn call(
    target: &Target,
    method: &str,
    tenant: &str,
    rest: &str,
    body: Option<&Value>,
) -> Result<Reply, Complaint> {
    client::call(target, method, &format!("/v1/tenants/{}/hostnames{rest}", client::encoded(tenant)), body)
}
