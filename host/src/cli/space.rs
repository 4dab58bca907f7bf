//! A workspace and the chassis that it is applied to: begun, applied, compared, rolled back.

mod init;
mod local;
mod remote;
mod ops;
mod compare;
mod apply;
mod lines;
mod diff;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::{Complaint, Console};
use super::target::TenantFlags;

pub(super) use apply::ApplyArgs;
pub(super) use init::InitArgs;
pub(super) use versions::{RollbackArgs, VersionsArgs};

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
}

/// Does it.
pub(super) fn run(verb: &Verb, console: &mut Console<'_>) -> ExitCode {
    let (word, json, done) = match verb {
        Verb::Init(args) => ("init", false, init::run(args, console)),
        Verb::Apply(args) => ("apply", args.space.json, apply::run(args, console)),
        Verb::Status(args) => ("status", args.space.json, compare::run(args, console)),
        Verb::Diff(args) => ("diff", args.space.json, diff::run(args, console)),
        Verb::Versions(args) => ("versions", args.space.json, versions::run(args, console)),
        Verb::Rollback(args) => ("rollback", args.space.json, versions::roll_back(args, console)),
    };
    let done = done.map_err(|complaint: Complaint| complaint.of(word));
    console.end(json, done)
}
