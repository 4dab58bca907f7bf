//! `txco versions` and `txco rollback`: what was applied, and an earlier one again.

use serde_json::{Value, json};

use super::SpaceFlags;
use super::apply::why;
use super::compare::{chosen, short};
use super::remote::{Remote, text};
use crate::cli::output::{Complaint, Console, cell, table};
use crate::cli::target::{Agreed, Carries};

/// The arguments of `txco versions`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct VersionsArgs {
    /// The stack
    #[arg(value_name = "STACK")]
    stack: String,
    #[command(flatten)]
    pub(super) space: SpaceFlags,
}

/// The arguments of `txco rollback`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RollbackArgs {
    /// The stack
    #[arg(value_name = "STACK")]
    stack: String,
    /// Its number, as `txco versions` lists it [default: the one that was active before]
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    pub(super) space: SpaceFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Lists them.
pub(super) fn run(args: &VersionsArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let chosen = chosen(&args.space, console)?;
    chosen.target.may_read()?;
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant };
    let versions = remote.versions(&args.stack)?;
    if args.space.json {
        return console.print(&json!({ "stack": args.stack, "versions": versions }).to_string());
    }
    let heads = ["VERSION", "STATUS", "FILES", "CREATED", "BY", "ACTIVATED", "MANIFEST"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for version in &versions {
        let files = version.get("files").and_then(Value::as_u64).unwrap_or_default();
        rows.push(vec![
            format!("v{}", number(version)),
            text(version, "status").to_owned(),
            files.to_string(),
            cell(text(version, "created_at")),
            cell(text(version, "created_by")),
            cell(text(version, "activated_at")),
            short(text(version, "manifest_hash")).to_owned(),
        ]);
    }
    console.print(&table(&rows))
}

/// Makes an earlier version the active one.
pub(super) fn roll_back(args: &RollbackArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let asked = args.version.as_deref().map(|typed| {
        let number = typed.strip_prefix('v').unwrap_or(typed).parse::<u64>();
        number.map_err(|_| Complaint::usage(format!("VERSION: {typed:?} is no number")))
    });
    let asked = asked.transpose()?;
    let chosen = chosen(&args.space, console)?;
    chosen.target.may_change(console, Agreed::of(args.yes, args.space.json), Carries::Metadata)?;
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant };
    let versions = remote.versions(&args.stack)?;
    let before = remote.active()?.remove(&args.stack).unwrap_or_default();
    let to = match asked {
        Some(asked) => versions.iter().find(|version| number(version) == asked).ok_or_else(|| {
            Complaint::failed(format!("{} has no version {asked} (txco versions {})", args.stack, args.stack))
        })?,
        None => earlier(&versions).ok_or_else(|| {
            Complaint::failed(format!("no other version of {} was ever active", args.stack))
        })?,
    };
    let to_number = number(to);
    if Some(to_number) == before.version {
        return Err(Complaint::failed(format!("v{to_number} of {} is active already", args.stack)));
    }
    let done = remote.activate(&args.stack, to_number, text(to, "manifest_hash"), &before)?;
    let told = done.map_err(|refusal| Complaint::failed(why(&refusal)))?;
    if args.space.json {
        let prior = told.get("prior_version_number");
        let line = json!({ "stack": args.stack, "version": to_number, "prior_version": prior });
        return console.print(&line.to_string());
    }
    let was = before.version.map(|version| format!(" (was v{version})")).unwrap_or_default();
    console.print(&format!("✓ {} v{to_number} activated{was}", args.stack))
}

/// The version that was active before: the one that was activated last of those that are not.
fn earlier(versions: &[Value]) -> Option<&Value> {
    let was = versions.iter().filter(|version| text(version, "status") == "superseded");
    was.max_by_key(|version| (text(version, "activated_at").to_owned(), number(version)))
}

fn number(version: &Value) -> u64 {
    version.get("version_number").and_then(Value::as_u64).unwrap_or_default()
}
