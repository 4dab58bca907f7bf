//! A workspace and the chassis that it is applied to: begun, applied, compared, rolled back.

mod init;
mod patience;
mod local;
mod remote;
mod ops;
mod compare;
mod apply;
mod lines;
mod diff;
mod versions;
mod cat;
mod pull;

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::{Complaint, Console};
use super::target::TenantFlags;

pub(super) use apply::{ApplyArgs, PushArgs};
pub(super) use cat::CatArgs;
pub(super) use init::InitArgs;
pub(super) use pull::PullArgs;
pub(super) use versions::{ActivateArgs, DeactivateArgs, RollbackArgs, VersionsArgs};

/// Which workspace, and which chassis.
#[derive(Debug, clap::Args)]
pub(super) struct SpaceFlags {
    /// A folder of the workspace [default: the current folder]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    #[command(flatten)]
    tenant: TenantFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `txco status` and `txco diff`.
#[derive(Debug, clap::Args)]
pub(super) struct LookArgs {
    /// Only this stack
    #[arg(value_name = "STACK")]
    stack: Option<String>,
    #[command(flatten)]
    space: SpaceFlags,
}

/// One of the commands about a workspace.
pub(super) enum Verb {
    Init(InitArgs),
    Apply(ApplyArgs),
    Status(LookArgs),
    Diff(LookArgs),
    Versions(VersionsArgs),
    Rollback(RollbackArgs),
    Push(PushArgs),
    Draft(PushArgs),
    Activate(ActivateArgs),
    Deactivate(DeactivateArgs),
    Cat(CatArgs),
    Pull(PullArgs),
}

/// Does it.
pub(super) fn run(verb: &Verb, console: &mut Console<'_>) -> ExitCode {
    let (word, json, done) = match verb {
        Verb::Init(args) => ("init", false, init::run(args, console)),
        Verb::Apply(args) => ("apply", args.json(), apply::run(args, console)),
        Verb::Status(args) => ("status", args.space.json, compare::run(args, console)),
        Verb::Diff(args) => ("diff", args.space.json, diff::run(args, console)),
        Verb::Versions(args) => ("versions", args.space.json, versions::run(args, console)),
        Verb::Rollback(args) => ("rollback", args.change.space.json, versions::roll_back(args, console)),
        Verb::Push(args) => ("push", args.json(), apply::push(args, console)),
        Verb::Draft(args) => ("draft", args.json(), apply::draft(args, console)),
        Verb::Activate(args) => ("activate", args.change.space.json, versions::activate(args, console)),
        Verb::Deactivate(args) => ("deactivate", args.change.space.json, versions::deactivate(args, console)),
        Verb::Cat(args) => ("cat", args.space.json, cat::run(args, console)),
        Verb::Pull(args) => ("pull", args.space.json, pull::run(args, console)),
    };
    let done = done.map_err(|complaint: Complaint| complaint.of(word));
    console.end(json, done)
}
