//! `txco status`: which stacks of a workspace are other than what a chassis serves.

use serde_json::json;

use super::LookArgs;
use super::local::Local;
use super::patience::Patience;
use super::remote::{Active, Remote};
use crate::cli::output::{Complaint, Console, cell, table};
use crate::cli::project::{Chosen, Mocks, Project};

/// How a stack here stands to the one there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Both have the same files.
    Same,
    /// Nothing is active there.
    New,
    /// Other files are active there.
    Changed,
    /// The files are the same; an op that its rules call was pushed since.
    Ops,
    /// It is active there and not here.
    There,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Ops => "ops changed",
            Self::There => "only there",
        }
    }
}

/// A stack, here and there.
pub(super) struct Row {
    pub(super) stack: String,
    /// The manifest of its files here.
    pub(super) local: Option<String>,
    pub(super) active: Active,
    pub(super) state: State,
}

/// Compares what lies here with what is active there; with `only`, nothing else there counts.
pub(super) fn compared(
    local: &Local,
    remote: &Remote<'_>,
    only: Option<&str>,
    console: &mut Console<'_>,
) -> Result<Vec<Row>, Complaint> {
    let mut there = remote.active(console)?;
    let mut rows = Vec::new();
    let mut ops = None;
    for (stack, files) in &local.stacks {
        let active = there.remove(stack.as_str()).unwrap_or_default();
        let manifest = files.manifest();
        let state = match active.version {
            None => State::New,
            Some(_) if active.manifest != manifest => State::Changed,
            Some(_) if files.calls.is_empty() => State::Same,
            Some(version) => {
                if ops.is_none() {
                    ops = Some(remote.ops(console)?);
                }
                let called = |one: &&[String; 3]| files.calls.iter().any(|call| call.as_str() == one[0]);
                let mut now: Vec<_> = ops.iter().flatten().filter(called).cloned().collect();
                let mut pinned = remote.pins(stack.as_str(), version, console)?;
                now.sort();
                pinned.sort();
                if now == pinned { State::Same } else { State::Ops }
            }
        };
        rows.push(Row { stack: stack.as_str().to_owned(), local: Some(manifest), active, state });
    }
    let others = there.into_iter().filter(|(_, active)| active.version.is_some() && only.is_none());
    rows.extend(others.map(|(stack, active)| Row { stack, local: None, active, state: State::There }));
    Ok(rows)
}

/// Compares and tells; exits with 1 when something differs.
pub(super) fn run(args: &LookArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let only = args.stack.as_deref();
    let (local, chosen) = here_and_there(args, console)?;
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant, patience: Patience::NONE };
    let rows = compared(&local, &remote, only, console)?;
    let same = rows.iter().all(|row| row.state == State::Same);
    if args.space.json {
        let all: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "stack": row.stack,
                    "state": row.state.word(),
                    "local_manifest": row.local,
                    "active_version": row.active.version,
                    "active_manifest": row.active.manifest,
                })
            })
            .collect();
        console.print(&json!(all).to_string())?;
    } else {
        let mut lines = vec![["STACK", "STATE", "ACTIVE", "HERE", "THERE"].map(str::to_owned).to_vec()];
        for row in &rows {
            let version = row.active.version.map(|version| format!("v{version}")).unwrap_or_default();
            lines.push(vec![
                row.stack.clone(),
                row.state.word().to_owned(),
                cell(&version),
                cell(short(row.local.as_deref().unwrap_or_default())),
                cell(short(&row.active.manifest)),
            ]);
        }
        console.print(&table(&lines))?;
    }
    if same { Ok(()) } else { Err(Complaint::silent()) }
}

/// The workspace, and the chassis that a command only looks at.
pub(super) fn here_and_there(
    args: &LookArgs,
    console: &mut Console<'_>,
) -> Result<(Local, Chosen), Complaint> {
    let chosen = chosen(&args.space, console)?;
    chosen.target.may_read()?;
    let local = Local::read(args.space.workspace.as_deref(), args.stack.as_deref(), &chosen, console)?;
    Ok((local, chosen))
}

/// What `txco.yaml` around here says, told where it is not read, and where that leads.
pub(super) fn chosen(flags: &super::SpaceFlags, console: &mut Console<'_>) -> Result<Chosen, Complaint> {
    let dir = flags.workspace.as_deref().unwrap_or_else(|| std::path::Path::new("."));
    // Whoever only names a chassis needs no workspace.
    let project = match crate::cli::dev::workspace(dir) {
        Ok(folder) => Project::read(&folder)?,
        Err(_) if flags.workspace.is_none() => Project::default(),
        Err(complaint) => return Err(complaint),
    };
    for one in &project.unread {
        console.note(&format!("txco.yaml: {one} is not read by this txco"));
    }
    project.choose(&flags.tenant, console.environment)
}

/// The first digits of a digest.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Whether mocks go along, for people.
pub(super) const fn left_out(mocks: Mocks) -> Option<&'static str> {
    match mocks {
        Mocks::Allowed => None,
        Mocks::Denied => Some("mocks stay here (mock: deny)"),
    }
}
