//! `txco auth tenant suspend, resume, limits, settings, runtime`: a tenant kept within bounds.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{self, encoded};
use super::output::{Complaint, Console, cell};
use super::target::{Agreed, Carries, ChassisFlags, Target};

/// Flags of what only looks.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowFlags {
    /// The tenant
    #[arg(value_name = "SLUG")]
    slug: String,
    #[command(flatten)]
    chassis: ChassisFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Flags of what changes something.
#[derive(Debug, clap::Args)]
pub(crate) struct ChangeFlags {
    #[command(flatten)]
    show: ShowFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Flags of `suspend`.
#[derive(Debug, clap::Args)]
pub(crate) struct SuspendFlags {
    #[command(flatten)]
    change: ChangeFlags,
    /// Why, for whoever sends requests
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// What they are answered: 402, 403 or 503 [default: 403]
    #[arg(long, value_name = "STATUS")]
    status: Option<u16>,
}

/// Flags of `limits`.
#[derive(Debug, clap::Args)]
pub(crate) struct LimitFlags {
    #[command(flatten)]
    change: ChangeFlags,
    /// Requests a second; 0 ends the limit
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Requests at once, after a while with few; 0 is as many as --rate
    #[arg(long, value_name = "N")]
    burst: Option<u32>,
    /// Requests at the same time; 0 ends the limit
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Requests to upstreams under way at once; 0 leaves it to the chassis (--egress-calls)
    #[arg(long, value_name = "N")]
    upstream_calls: Option<u32>,
}

/// Flags of `settings`.
#[derive(Debug, clap::Args)]
pub(crate) struct SettingFlags {
    #[command(flatten)]
    change: ChangeFlags,
    /// What it takes to activate rules that name a secret which they did not name before: implied
    /// (the capability to activate), or explicit (also secret:NAME:use)
    #[arg(long, value_name = "RULE", value_parser = ["implied", "explicit"])]
    secrets_use: String,
}

/// A command about a tenant's state.
pub(super) enum Verb {
    Suspend(SuspendFlags),
    Resume(ChangeFlags),
    Limit(LimitFlags),
    Settings(SettingFlags),
    Show(ShowFlags),
}

/// Runs a command.
pub(super) fn run(verb: &Verb, console: &mut Console<'_>) -> ExitCode {
    let (word, json, done) = match verb {
        Verb::Suspend(flags) => {
            let body = members([
                ("reason", flags.reason.clone().map(Value::from)),
                ("status", flags.status.map(Value::from)),
            ]);
            ("suspend", flags.change.show.json, change(&flags.change, "suspend", &body, console))
        }
        Verb::Resume(flags) => ("resume", flags.show.json, change(flags, "resume", &json!({}), console)),
        Verb::Limit(flags) => {
            let body = members([
                ("rate_limit_rps", flags.rate.map(Value::from)),
                ("rate_burst", flags.burst.map(Value::from)),
                ("concurrency_limit", flags.concurrency.map(Value::from)),
                ("upstream_calls_limit", flags.upstream_calls.map(Value::from)),
            ]);
            ("limits", flags.change.show.json, change(&flags.change, "limits", &body, console))
        }
        Verb::Settings(flags) => {
            let body = json!({ "secrets_use": flags.secrets_use });
            ("settings", flags.change.show.json, change(&flags.change, "settings", &body, console))
        }
        Verb::Show(flags) => ("runtime", flags.json, show(flags, console)),
    };
    console.end(json, done.map_err(|complaint| complaint.of(&format!("auth tenant {word}"))))
}

/// An object of what was said.
fn members<const N: usize>(all: [(&str, Option<Value>); N]) -> Value {
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn show(flags: &ShowFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.chassis, None, console.environment)?;
    target.may_read()?;
    let reply = client::call(&target, "GET", &path(&flags.slug, "runtime"), None)?;
    told(&reply.body, flags.json, console)
}

fn change(flags: &ChangeFlags, verb: &str, body: &Value, console: &mut Console<'_>) -> Result<(), Complaint> {
    let ShowFlags { slug, chassis, json } = &flags.show;
    let target = Target::choose(chassis, None, console.environment)?;
    target.may_change(console, Agreed::of(flags.yes, *json), Carries::Metadata)?;
    let reply = client::call(&target, "POST", &path(slug, verb), Some(body))?;
    told(&reply.body, *json, console)
}

fn path(slug: &str, verb: &str) -> String {
    format!("/v1/tenants/{}/{verb}", encoded(slug))
}

fn told(state: &Value, json: bool, console: &mut Console<'_>) -> Result<(), Complaint> {
    if json {
        return console.print(&state.to_string());
    }
    let text = |member: &str| cell(state.get(member).and_then(Value::as_str).unwrap_or_default());
    let number = |member: &str| state.get(member).and_then(Value::as_u64).unwrap_or_default();
    let limit = |member: &str, none: &str| match number(member) {
        0 => none.to_owned(),
        limit => limit.to_string(),
    };
    let suspended = match (state.get("suspended").and_then(Value::as_bool), text("deny_reason")) {
        (Some(true), reason) if reason.is_empty() => format!("yes, answers {}", number("deny_status")),
        (Some(true), reason) => format!("yes, answers {}: {reason}", number("deny_status")),
        _ => "no".to_owned(),
    };
    console.print(&format!(
        "tenant:       {}\nsuspended:    {suspended}\nrate:         {}\nburst:        {}\nconcurrency:  {}\nupstream:     {}\nsecrets use:  {}\nin flight:    {}",
        text("slug"),
        limit("rate_limit_rps", "no limit"),
        limit("rate_burst", "as the rate"),
        limit("concurrency_limit", "no limit"),
        limit("upstream_calls_limit", "as the chassis says"),
        text("secrets_use"),
        number("in_flight"),
    ))
}
