//! `txco apply [DIR]`, `push` and `draft`: what changed in a workspace becomes what a chassis serves, each stack whole
//! or not at all; or it is only put there, to be looked at first.

use std::path::PathBuf;

use model::StackName;
use serde_json::{Value, json};
use txcl::Mode;

use super::SpaceFlags;
use super::compare::{Row, State, chosen, compared, left_out};
use super::local::{Local, LocalStack};
use super::ops::{Doing, ship};
use super::patience::{self, Patience, PatienceFlags};
use super::remote::{Remote, list, text};
use crate::cli::client::Refusal;
use crate::cli::output::{Complaint, Console};
use crate::cli::target::{Agreed, Carries};

/// The arguments of `txco apply`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ApplyArgs {
    /// A folder of the workspace [default: the current folder]
    #[arg(value_name = "DIR", conflicts_with = "workspace")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    flags: ApplyFlags,
    /// Apply only this stack
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
}

/// The arguments of `txco push` and `txco draft`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PushArgs {
    /// The stack
    #[arg(value_name = "STACK")]
    stack: String,
    #[command(flatten)]
    flags: ApplyFlags,
}

/// What `apply`, `push` and `draft` have in common.
#[derive(Debug, clap::Args)]
struct ApplyFlags {
    #[command(flatten)]
    space: SpaceFlags,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Also what has not changed
    #[arg(long)]
    force: bool,
    /// Only what has changed, which is so without it
    #[arg(long, conflicts_with = "force")]
    changed: bool,
    /// Leave out stacks whose name this fits: `*` is any run of characters, `?` is one. May be repeated
    #[arg(long, value_name = "GLOB")]
    skip: Vec<String>,
    #[command(flatten)]
    patience: PatienceFlags,
    /// Take what the Go chassis lets pass; the chassis itself must run with --rule-mode lenient
    #[arg(long)]
    lenient: bool,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    /// Of the Go chassis: rules are not checked here first. The chassis checks what it activates in any case
    #[arg(long)]
    no_validate: bool,
    /// Of the Go chassis; not needed here
    #[arg(long, hide = true)]
    verbose: bool,
}

impl ApplyArgs {
    pub(super) const fn json(&self) -> bool {
        self.flags.space.json
    }
}

impl PushArgs {
    pub(super) const fn json(&self) -> bool {
        self.flags.space.json
    }
}

/// Which command it is.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    only: Option<&'a str>,
    purpose: Purpose,
    /// How often a step is tried again when no flag says so.
    usual: u32,
}

/// What is done with what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It is served from now on.
    Activate,
    /// It lies there as a version that may be activated.
    Draft,
}

/// What became of a stack.
enum Became {
    Applied { version: u64, prior: Option<u64>, files: usize, told: Value },
    Drafted { version: u64, files: usize },
    Unchanged { version: Option<u64> },
    WouldBe { prior: Option<u64>, files: usize, state: State },
    Failed(String),
}

/// Applies.
pub(super) fn run(args: &ApplyArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let asked = Asked { only: args.stack.as_deref(), purpose: Purpose::Activate, usual: patience::APPLY };
    changed(&args.flags, args.dir.as_ref(), asked, console)
}

/// Applies one stack.
pub(super) fn push(args: &PushArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let asked = Asked { only: Some(&args.stack), purpose: Purpose::Activate, usual: patience::TYPED };
    changed(&args.flags, None, asked, console)
}

/// Puts one stack there, and activates nothing.
pub(super) fn draft(args: &PushArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let asked = Asked { only: Some(&args.stack), purpose: Purpose::Draft, usual: patience::TYPED };
    changed(&args.flags, None, asked, console)
}

fn changed(
    args: &ApplyFlags,
    dir: Option<&PathBuf>,
    asked: Asked<'_>,
    console: &mut Console<'_>,
) -> Result<(), Complaint> {
    let Asked { only, purpose, usual } = asked;
    if args.verbose {
        console.note("--verbose is of the Go chassis and does nothing here");
    }
    let flags = SpaceFlags {
        workspace: dir.cloned().or_else(|| args.space.workspace.clone()),
        tenant: args.space.tenant.clone(),
        json: args.space.json,
    };
    let chosen = chosen(&flags, console)?;
    let mut local = Local::read(flags.workspace.as_deref(), only, &chosen, console)?;
    if local.stacks.is_empty() {
        return Err(Complaint::failed("the workspace has no rules below OPS (`txco init` makes some)"));
    }
    let skipped = |stack: &StackName| args.skip.iter().any(|glob| chassis::fits(glob, stack.as_str()));
    local.stacks.retain(|stack, _| !skipped(stack));
    if !args.no_validate {
        local.check(if args.lenient { Mode::Lenient } else { Mode::Strict }, console)?;
    }
    let doing = if args.dry_run { Doing::Dry } else { Doing::Really };
    match doing {
        Doing::Dry => chosen.target.may_read()?,
        Doing::Really => {
            let agreed = Agreed::of(args.yes, flags.json);
            chosen.target.may_change(console, agreed, Carries::Metadata)?;
        }
    }
    if let Some(note) = left_out(chosen.mocks) {
        console.note(note);
    }
    let patience = Patience::of(&args.patience, usual);
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant, patience };
    let shipped = ship(&local, &remote, doing, console)?;
    let said = if doing == Doing::Dry { "would be pushed" } else { "pushed" };
    for name in &shipped {
        console.note(&format!("op://{name} {said}"));
    }
    let mut all = Vec::new();
    for row in compared(&local, &remote, only, console)? {
        let Some(files) = local.stacks.iter().find(|(stack, _)| stack.as_str() == row.stack) else {
            continue;
        };
        // A dry run has pushed nothing, so the comparison did not see it.
        let moved = files.1.calls.iter().any(|call| shipped.iter().any(|name| name == call.as_str()));
        let state = if moved && row.state == State::Same { State::Ops } else { row.state };
        let became = if state == State::Same && !args.force {
            Became::Unchanged { version: row.active.version }
        } else if doing == Doing::Dry {
            Became::WouldBe { prior: row.active.version, files: files.1.files.len(), state }
        } else {
            one(&remote, &row, files.1, purpose, console)?
        };
        if !flags.json {
            tell(&row.stack, &became, console)?;
        }
        all.push((row.stack, became));
    }
    if flags.json {
        let list: Vec<_> = all.iter().map(|(stack, became)| as_json(stack, became)).collect();
        console.print(&json!(list).to_string())?;
    } else {
        console.print(&recap(&all, purpose))?;
    }
    let failed = all.iter().any(|(_, became)| matches!(became, Became::Failed(_)));
    if failed { Err(Complaint::silent()) } else { Ok(()) }
}

/// Draft, files, activation; the chassis does the last as a whole or not.
fn one(
    remote: &Remote<'_>,
    row: &Row,
    local: &LocalStack,
    purpose: Purpose,
    console: &mut Console<'_>,
) -> Result<Became, Complaint> {
    let (number, manifest) = remote.upload(&row.stack, &local.files, console)?;
    if purpose == Purpose::Draft {
        let checked = remote.validate(&row.stack, number, console)?;
        let wrong: Vec<_> = list(&checked, "errors").map(|one| text(one, "err").to_owned()).collect();
        return Ok(match wrong.is_empty() {
            true => Became::Drafted { version: number, files: local.files.len() },
            false => Became::Failed(wrong.join("\n")),
        });
    }
    Ok(match remote.activate(&row.stack, number, &manifest, &row.active, console)? {
        Ok(told) => Became::Applied {
            version: number,
            prior: told.get("prior_version_number").and_then(Value::as_u64),
            files: local.files.len(),
            told,
        },
        Err(refusal) => Became::Failed(why(&refusal)),
    })
}

/// A refusal, with every problem that it names.
pub(super) fn why(refusal: &Refusal) -> String {
    let problems: Vec<_> = list(&refusal.detail, "errors").map(|one| text(one, "err").to_owned()).collect();
    if !problems.is_empty() {
        return problems.join("\n");
    }
    refusal.text.clone()
}

fn tell(stack: &str, became: &Became, console: &mut Console<'_>) -> Result<(), Complaint> {
    match became {
        Became::Applied { version, prior, files, told } => {
            let prior = prior.map(|prior| format!("was v{prior}, ")).unwrap_or_default();
            console.print(&format!("✓ {stack} v{version} activated ({prior}{files} files)"))?;
            for pin in list(told, "ops") {
                let digest = text(pin, "digest").get(..12).unwrap_or_default();
                console.print(&format!("  op://{} pinned to {digest}", text(pin, "name")))?;
            }
            for warning in list(told, "warnings") {
                console.note(text(warning, "err"));
            }
            for secret in list(told, "secrets") {
                let (path, name) = (text(secret, "path"), text(secret, "name"));
                console.note(&format!(
                    "⚠ {path}: {name}: {} ({})",
                    text(secret, "why"),
                    text(secret, "code")
                ));
            }
            match text(told, "served") {
                "" | "now" => {}
                served => console.note(&format!("⚠ {stack} is stored and served {served}")),
            }
        }
        Became::Drafted { version, files } => {
            console.print(&format!("✓ {stack} v{version} drafted ({files} files)"))?;
            console.note(&format!("next: txco activate {stack} {version}"));
        }
        Became::Unchanged { .. } => {}
        Became::WouldBe { prior, files, state } => {
            let prior = prior.map(|prior| format!("is v{prior}, ")).unwrap_or_default();
            let what = if *state == State::Ops {
                "would be activated again for its ops"
            } else {
                "would be activated"
            };
            console.print(&format!("· {stack} {what} ({prior}{files} files)"))?;
        }
        Became::Failed(why) => console.note(&format!("✗ {stack} is not activated:\n{}", why.trim_end())),
    }
    Ok(())
}

fn recap(all: &[(String, Became)], purpose: Purpose) -> String {
    let word = match purpose {
        Purpose::Activate => "apply",
        Purpose::Draft => "draft",
    };
    let count = |which: fn(&Became) -> bool| all.iter().filter(|(_, became)| which(became)).count();
    let deployed = count(|b| matches!(b, Became::Applied { .. }));
    let drafted = count(|b| matches!(b, Became::Drafted { .. }));
    let would = count(|b| matches!(b, Became::WouldBe { .. }));
    let unchanged = count(|b| matches!(b, Became::Unchanged { .. }));
    let failed = count(|b| matches!(b, Became::Failed(_)));
    if deployed + drafted + would + failed == 0 {
        return format!("{word}: nothing to {word} ({unchanged} unchanged)");
    }
    let done = match purpose {
        Purpose::Activate if would > 0 => format!("{would} to deploy"),
        Purpose::Activate => format!("✓ {deployed} deployed"),
        Purpose::Draft if would > 0 => format!("{would} to draft"),
        Purpose::Draft => format!("✓ {drafted} drafted"),
    };
    let failed = if failed > 0 { format!(" · ✗ {failed} failed") } else { String::new() };
    format!("{word}: {done} · {unchanged} unchanged{failed}")
}

fn as_json(stack: &str, became: &Became) -> Value {
    match became {
        Became::Applied { version, prior, files, told } => json!({
            "stack": stack, "version": version, "prior_version": prior, "files": files,
            "activated": true, "unchanged": false, "secrets": told.get("secrets"),
        }),
        Became::Drafted { version, files } => json!({
            "stack": stack, "version": version, "files": files, "activated": false, "unchanged": false,
        }),
        Became::Unchanged { version } => {
            json!({ "stack": stack, "version": version, "activated": false, "unchanged": true })
        }
        Became::WouldBe { prior, files, .. } => json!({
            "stack": stack, "prior_version": prior, "files": files, "activated": false, "unchanged": false,
        }),
        Became::Failed(why) => {
            json!({ "stack": stack, "activated": false, "unchanged": false, "error": why })
        }
    }
}
