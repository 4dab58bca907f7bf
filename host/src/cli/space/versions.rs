//! `txco versions`, `rollback`, `activate` and `deactivate`: what was applied, and which of it is served.

use serde_json::{Value, json};

use super::SpaceFlags;
use super::apply::why;
use super::compare::{chosen, short};
use super::patience::{self, Patience, PatienceFlags};
use super::remote::{Active, Remote, text};
use crate::cli::client;
use crate::cli::output::{Complaint, Console, cell, table};
use crate::cli::project::Chosen;
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
    pub(super) change: Change,
}

/// The arguments of `txco activate`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ActivateArgs {
    /// The stack
    #[arg(value_name = "STACK")]
    stack: String,
    /// Its number, as `txco versions` lists it [default: the newest draft]
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    pub(super) change: Change,
}

/// The arguments of `txco deactivate`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DeactivateArgs {
    /// The stack
    #[arg(value_name = "STACK")]
    stack: String,
    #[command(flatten)]
    pub(super) change: Change,
}

/// Lists them.
pub(super) fn run(args: &VersionsArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let chosen = chosen(&args.space, console)?;
    chosen.target.may_read()?;
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant, patience: Patience::NONE };
    let versions = remote.versions(&args.stack, console)?;
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
    let none = format!("no other version of {} was ever active", args.stack);
    activate_one(&args.stack, args.version.as_deref(), &args.change, (earlier, &none), console)
}

/// Makes a draft, or the version that is named, the active one.
pub(super) fn activate(args: &ActivateArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let none = format!("{} has no draft (txco draft {} makes one)", args.stack, args.stack);
    activate_one(&args.stack, args.version.as_deref(), &args.change, (newest_draft, &none), console)
}

/// Lets no version be active.
pub(super) fn deactivate(args: &DeactivateArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let chosen = args.change.agreed(console)?;
    let remote = args.change.remote(&chosen);
    let rest = format!("stacks/{}/deactivate", client::encoded(&args.stack));
    let told = remote.call("POST", &rest, None, console)?.body;
    let prior = told.get("prior_version_number").and_then(Value::as_u64).unwrap_or_default();
    if args.change.space.json {
        return console.print(&json!({ "stack": args.stack, "prior_version": prior }).to_string());
    }
    console.print(&format!("✓ {} deactivated (was v{prior}); it answers nothing now", args.stack))
}

/// What commands that change which version is served have in common.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Change {
    #[command(flatten)]
    pub(super) space: SpaceFlags,
    #[command(flatten)]
    patience: PatienceFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Change {
    fn agreed(&self, console: &mut Console<'_>) -> Result<Chosen, Complaint> {
        let chosen = chosen(&self.space, console)?;
        chosen.target.may_change(console, Agreed::of(self.yes, self.space.json), Carries::Metadata)?;
        Ok(chosen)
    }

    fn remote<'c>(&self, chosen: &'c Chosen) -> Remote<'c> {
        let patience = Patience::of(&self.patience, patience::TYPED);
        Remote { target: &chosen.target, tenant: &chosen.tenant, patience }
    }
}

/// Which version is meant when none is named, and what to say when there is none.
type Otherwise<'a> = (fn(&[Value]) -> Option<&Value>, &'a str);

fn activate_one(
    stack: &str,
    typed: Option<&str>,
    change: &Change,
    (otherwise, none): Otherwise<'_>,
    console: &mut Console<'_>,
) -> Result<(), Complaint> {
    let asked = typed.map(numbered).transpose()?;
    let chosen = change.agreed(console)?;
    let remote = change.remote(&chosen);
    let versions = remote.versions(stack, console)?;
    let before: Active = remote.active(console)?.remove(stack).unwrap_or_default();
    let to = match asked {
        Some(asked) => versions.iter().find(|version| number(version) == asked).ok_or_else(|| {
            Complaint::failed(format!("{stack} has no version {asked} (txco versions {stack})"))
        })?,
        None => otherwise(&versions).ok_or_else(|| Complaint::failed(none))?,
    };
    let to_number = number(to);
    if Some(to_number) == before.version {
        return Err(Complaint::failed(format!("v{to_number} of {stack} is active already")));
    }
    let done = remote.activate(stack, to_number, text(to, "manifest_hash"), &before, console)?;
    let told = done.map_err(|refusal| Complaint::failed(why(&refusal)))?;
    if change.space.json {
        let prior = told.get("prior_version_number");
        let line = json!({ "stack": stack, "version": to_number, "prior_version": prior });
        return console.print(&line.to_string());
    }
    let was = before.version.map(|version| format!(" (was v{version})")).unwrap_or_default();
    console.print(&format!("✓ {stack} v{to_number} activated{was}"))
}

/// The number of a version, as it may be typed.
pub(super) fn numbered(typed: &str) -> Result<u64, Complaint> {
    let number = typed.strip_prefix('v').unwrap_or(typed).parse::<u64>();
    number.map_err(|_| Complaint::usage(format!("VERSION: {typed:?} is no number")))
}

fn newest_draft(versions: &[Value]) -> Option<&Value> {
    let drafts = versions.iter().filter(|version| text(version, "status") == "draft");
    drafts.max_by_key(|version| number(version))
}

/// The version that was active before: the one that was activated last of those that are not.
fn earlier(versions: &[Value]) -> Option<&Value> {
    let was = versions.iter().filter(|version| text(version, "status") == "superseded");
    was.max_by_key(|version| (text(version, "activated_at").to_owned(), number(version)))
}

fn number(version: &Value) -> u64 {
    version.get("version_number").and_then(Value::as_u64).unwrap_or_default()
}
