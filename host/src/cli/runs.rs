//! `txco runs`: the requests that wait for workers or run on their own.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::Value;

use super::client::encoded;
use super::output::{Complaint, Console, cell, table};
use super::people::{ChangeFlags, LookFlags, Place};
use super::usage;

/// The verbs.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// List them, oldest first
    #[command(visible_alias = "ls")]
    List(ListFlags),
    /// Tell where one waits, for whom and until when
    Show(ShowFlags),
    /// End one: its client and its workers are told so, what it holds is gone
    Cancel(CancelFlags),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// Flags of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListFlags {
    /// Only in these states: waiting, ready, running, completed, failed, cancelled; open are the first three
    #[arg(long, value_name = "STATE,…", default_value = "open")]
    state: String,
    /// Only of requests that entered this stack
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// Only those that are older, such as 30m or 2d
    #[arg(long, value_name = "TIME")]
    older: Option<String>,
    /// At most how many, up to 1000
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Behind this one, as a list that was cut says
    #[arg(long, value_name = "RUN")]
    after: Option<String>,
    #[command(flatten)]
    look: LookFlags,
}

/// Flags of `show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowFlags {
    /// Its name: run_…
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    look: LookFlags,
}

/// Flags of `cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct CancelFlags {
    /// Its name: run_…
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    change: ChangeFlags,
}

/// Runs what was typed.
pub(super) fn run(verb: Option<Verb>, console: &mut Console<'_>) -> ExitCode {
    let path = ["runs"];
    let (word, json, done) = match verb {
        None => return usage::print(&path, console),
        Some(Verb::Unknown(words)) => return usage::unknown(&path, &words, &[], console),
        Some(Verb::List(flags)) => ("list", flags.look.json, list(&flags, console)),
        Some(Verb::Show(flags)) => ("show", flags.look.json, show(&flags, console)),
        Some(Verb::Cancel(flags)) => ("cancel", flags.change.json, cancel(&flags, console)),
    };
    console.end(json, done.map_err(|complaint| complaint.of(&format!("runs {word}"))))
}

fn list(flags: &ListFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_see(&flags.look, console)?;
    let mut query = format!("?state={}&limit={}", encoded(&flags.state), flags.limit);
    for (name, said) in [("stack", &flags.stack), ("older", &flags.older), ("after", &flags.after)] {
        if let Some(said) = said {
            query.push_str(&format!("&{name}={}", encoded(said)));
        }
    }
    let reply = place.of_tenant("GET", &format!("/runs{query}"), None)?;
    let heads = ["RUN", "TENANT", "STACK", "STATE", "BEGUN", "WAITS FOR", "SINCE", "EXPIRES", "REQUEST"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for one in reply.body.get("runs").and_then(Value::as_array).into_iter().flatten() {
        rows.push(vec![
            text(one, "id"),
            cell(&place.tenant),
            text(one, "stack"),
            text(one, "state"),
            text(one, "since"),
            waits_for(one),
            text(one, "waiting_since"),
            text(one, "expires_at"),
            text(one, "request_id"),
        ]);
    }
    let mut shown = match rows.len() {
        1 => format!("no such requests of tenant {:?} (--state {})", place.tenant, flags.state),
        _ => table(&rows),
    };
    if let Some(next) = reply.body.get("next").and_then(Value::as_str) {
        write!(shown, "\nthere are more: --after {next}").map_err(|_| Complaint::silent())?;
    }
    place.done(console, &reply.body, &shown)
}

fn show(flags: &ShowFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_see(&flags.look, console)?;
    let reply = place.of_tenant("GET", &format!("/runs/{}", encoded(&flags.run)), None)?;
    let (body, nothing) = (&reply.body, Value::Null);
    let one = body.get("run").unwrap_or(&nothing);
    let number =
        |member: &str| body.get(member).and_then(Value::as_u64).map(|n| n.to_string()).unwrap_or_default();
    let lines = [
        ("run", text(one, "id")),
        ("request", text(one, "request_id")),
        ("tenant", cell(&place.tenant)),
        ("stack", text(one, "stack")),
        ("state", text(one, "state")),
        ("why", text(body, "why")),
        ("begun", text(one, "since")),
        ("waits since", text(one, "waiting_since")),
        ("expires", text(one, "expires_at")),
        ("ended", text(one, "ended_at")),
        ("stage", text(body, "stage")),
        ("fuel used", number("fuel_used")),
        ("stages left", number("stages_left")),
    ];
    let said = lines.iter().filter(|(_, said)| !matches!(said.as_str(), "" | "-"));
    let mut shown: Vec<_> = said.map(|(name, said)| format!("{:<13}{said}", format!("{name}:"))).collect();
    let workers = body.get("workers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !workers.is_empty() {
        let mut rows = vec![["WORKER", "RULE", "STATE", "EXPIRES"].map(str::to_owned).to_vec()];
        rows.extend(
            workers.iter().map(|w| ["id", "rule", "state", "expires_at"].map(|m| text(w, m)).to_vec()),
        );
        shown.push(table(&rows));
    }
    place.done(console, body, &shown.join("\n"))
}

fn cancel(flags: &CancelFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_change(&flags.change, console)?;
    let reply = place.of_tenant("POST", &format!("/runs/{}/cancel", encoded(&flags.run)), None)?;
    let shown =
        format!("{} is cancelled: its client and its workers are answered 410 run_cancelled", flags.run);
    place.done(console, &reply.body, &shown)
}

fn waits_for(run: &Value) -> String {
    match run.get("workers").and_then(Value::as_u64) {
        None | Some(0) => "-".to_owned(),
        Some(1) => "1 worker".to_owned(),
        Some(n) => format!("{n} workers"),
    }
}

fn text(of: &Value, member: &str) -> String {
    cell(of.get(member).and_then(Value::as_str).unwrap_or_default())
}
