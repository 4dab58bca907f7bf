//! `txco auth tenant hostnames`: which hosts lead to a tenant, and to which stack.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{Refusal, encoded};
use super::output::{Complaint, Console, cell, table};
use super::people::{ChangeFlags, LookFlags, Place};
use super::usage;

/// The verbs.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// List the hosts that lead to the tenant
    #[command(visible_alias = "ls")]
    List(LookFlags),
    /// Send a host's requests to a stack of the tenant
    #[command(visible_alias = "attach")]
    Add(AddFlags),
    /// Prove that a host is the tenant's: it is asked for what only its owner can make it say
    Verify(VerifyFlags),
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
    #[arg(value_name = "HOST", required_unless_present = "mint", default_value = "")]
    hostname: String,
    /// The stack that its requests enter [default: the tenant's only one]
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// Let the chassis invent a host, as the Go chassis does: not here
    #[arg(long, hide = true)]
    mint: bool,
    #[command(flatten)]
    change: ChangeFlags,
}

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyFlags {
    /// The host
    #[arg(value_name = "HOST")]
    hostname: String,
    /// How: http-01 asks http://HOST/.well-known/txco-verify/…; dns-txt looks for a record of _txco-challenge.HOST, and also
    /// takes a host that another tenant has
    #[arg(long, value_name = "METHOD", default_value = "http-01", value_parser = ["http-01", "dns-txt"])]
    method: String,
    /// The stack that its requests enter once it is proven [default: the one they entered]
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
        Some(Verb::Unknown(words)) => return usage::unknown(&path, &words, &[], console),
        Some(Verb::List(flags)) => ("list", flags.json, list(&flags, console)),
        Some(Verb::Add(flags)) => ("add", flags.change.json, add(&flags, console)),
        Some(Verb::Verify(flags)) => ("verify", flags.change.json, verify(&flags, console)),
        Some(Verb::Remove(flags)) => ("remove", flags.change.json, remove(&flags, console)),
    };
    let done = done.map_err(|complaint| complaint.of(&format!("auth tenant hostnames {word}")));
    console.end(json, done)
}

fn list(flags: &LookFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_see(flags, console)?;
    let reply = place.of_tenant("GET", "/hostnames", None)?;
    let mut rows = vec![["HOST", "STACK", "CREATED", "BY", "VERIFIED"].map(str::to_owned).to_vec()];
    for one in reply.body.get("hostnames").and_then(Value::as_array).into_iter().flatten() {
        let text = |member: &str| cell(one.get(member).and_then(Value::as_str).unwrap_or_default());
        rows.push(["hostname", "stack", "created_at", "created_by", "verified_at"].map(text).to_vec());
    }
    let shown = match rows.len() {
        1 => format!("no host leads to tenant {:?}", place.tenant),
        _ => table(&rows),
    };
    place.done(console, &reply.body, &shown)
}

fn add(flags: &AddFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    if flags.mint {
        let why = "--mint: this chassis invents no hosts, it has no suffix for them; name one: add shop.example.com";
        return Err(Complaint::usage(why));
    }
    let place = Place::to_change(&flags.change, console)?;
    let body = json!({ "hostname": flags.hostname, "stack": flags.stack });
    let reply = place.of_tenant("POST", "/hostnames", Some(&body))?;
    let bound = reply.body.pointer("/hostname/hostname").and_then(Value::as_str).unwrap_or(&flags.hostname);
    let stack = flags.stack.as_deref().unwrap_or("its only stack");
    let shown = format!("{bound} leads to {stack} of tenant {:?}", place.tenant);
    place.done(console, &reply.body, &shown)?;
    warn(&reply.body, console);
    Ok(())
}

/// Says what the chassis says of a host that leads to no rules.
fn warn(reply: &Value, console: &mut Console<'_>) {
    if let Some(warning) = reply.get("warning").and_then(Value::as_str) {
        console.note(&format!("⚠ {warning}"));
    }
}

fn verify(flags: &VerifyFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_change(&flags.change, console)?;
    let body = json!({ "method": flags.method, "stack": flags.stack });
    let rest = format!("/hostnames/{}/verify", encoded(&flags.hostname));
    let reply = place.of_tenant_or(unproven, "POST", &rest, Some(&body))?;
    place.done(
        console,
        &reply.body,
        &format!("{} is proven to be of tenant {:?}", flags.hostname, place.tenant),
    )?;
    warn(&reply.body, console);
    Ok(())
}

/// What the host said, and what it was to say, is more than a line of details.
fn unproven(refusal: &Refusal) -> Option<String> {
    if refusal.code != "hostname_unverified" {
        return None;
    }
    let said = |name| refusal.detail.get(name).and_then(Value::as_str);
    Some(format!("not proven: {}; {}", said("err")?, said("hint")?))
}

fn remove(flags: &RemoveFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_change(&flags.change, console)?;
    place.of_tenant("DELETE", &format!("/hostnames/{}", encoded(&flags.hostname)), None)?;
    let removed = json!({ "removed": flags.hostname, "tenant": place.tenant });
    place.done(console, &removed, &format!("{} leads no more to tenant {:?}", flags.hostname, place.tenant))
}
