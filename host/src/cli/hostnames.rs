//! `txco auth tenant hostnames`: which hosts lead to a tenant, and to which stack.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::encoded;
use super::output::{Complaint, Console, cell, table};
use super::people::{ChangeFlags, LookFlags, Place};
use super::usage;

/// Verbs of the Go chassis that this one has not.
const LATER: &[&str] = &["verify"];

/// The verbs.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// List the hosts that lead to the tenant
    #[command(visible_alias = "ls")]
    List(LookFlags),
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
    change: ChangeFlags,
}

/// Flags of `remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveFlags {
    /// The host
    #[arg(value_name = "HOST")]
    hostname: String,
    #[command(flatten)]
    change: ChangeFlags,
}

/// Runs what was typed.
pub(super) fn run(verb: Option<Verb>, console: &mut Console<'_>) -> ExitCode {
    let path = ["auth", "tenant", "hostnames"];
    let (word, json, done) = match verb {
        None => return usage::print(&path, console),
        Some(Verb::Unknown(words)) => return usage::unknown(&path, &words, LATER, console),
        Some(Verb::List(flags)) => ("list", flags.json, list(&flags, console)),
        Some(Verb::Add(flags)) => ("add", flags.change.json, add(&flags, console)),
        Some(Verb::Remove(flags)) => ("remove", flags.change.json, remove(&flags, console)),
    };
    let done = done.map_err(|complaint| complaint.of(&format!("auth tenant hostnames {word}")));
    console.end(json, done)
}

fn list(flags: &LookFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_see(flags, console)?;
    let reply = place.of_tenant("GET", "/hostnames", None)?;
    let mut rows = vec![["HOST", "STACK", "CREATED", "BY"].map(str::to_owned).to_vec()];
    for one in reply.body.get("hostnames").and_then(Value::as_array).into_iter().flatten() {
        let text = |member: &str| cell(one.get(member).and_then(Value::as_str).unwrap_or_default());
        rows.push(["hostname", "stack", "created_at", "created_by"].map(text).to_vec());
    }
    let shown = match rows.len() {
        1 => format!("no host leads to tenant {:?}", place.tenant),
        _ => table(&rows),
    };
    place.done(console, &reply.body, &shown)
}

fn add(flags: &AddFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_change(&flags.change, console)?;
    let body = json!({ "hostname": flags.hostname, "stack": flags.stack });
    let reply = place.of_tenant("POST", "/hostnames", Some(&body))?;
    let bound = reply.body.pointer("/hostname/hostname").and_then(Value::as_str).unwrap_or(&flags.hostname);
    let stack = flags.stack.as_deref().unwrap_or("its only stack");
    let shown = format!("{bound} leads to {stack} of tenant {:?}", place.tenant);
    place.done(console, &reply.body, &shown)
}

fn remove(flags: &RemoveFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_change(&flags.change, console)?;
    place.of_tenant("DELETE", &format!("/hostnames/{}", encoded(&flags.hostname)), None)?;
    let removed = json!({ "removed": flags.hostname, "tenant": place.tenant });
    place.done(console, &removed, &format!("{} leads no more to tenant {:?}", flags.hostname, place.tenant))
}
