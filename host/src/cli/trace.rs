//! `txco trace [last|RID]`: what happened to a request, from its trace files.

mod record;
mod explain;
mod watch;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::RequestId;
use serde_json::json;

use super::output::{Complaint, Console, cell, table};
use crate::config::Environment;

pub(super) use record::{Given, Record, StepRecord};

/// How many requests a list shows.
const RECENT: usize = 20;

/// The arguments of `txco trace`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct TraceArgs {
    /// `last`, or a request id as in the X-Request-ID header; without it, recent requests
    request: Option<String>,
    /// Tell in words why each rule fired or did not; without a request, of the last one
    #[arg(long)]
    explain: bool,
    /// Show what went into this step and came out of it; the first is 1
    #[arg(long, value_name = "N", conflicts_with = "explain")]
    step: Option<usize>,
    /// Only requests in whose trace this text stands, in any case
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["request", "explain", "step"])]
    grep: Option<String>,
    /// Show requests as they end, until interrupted
    #[arg(long, conflicts_with_all = ["request", "explain", "step", "json"])]
    watch: bool,
    /// Show what went into every step and came out of it
    #[arg(long, conflicts_with_all = ["explain", "json"])]
    verbose: bool,
    /// Of the Go chassis: what is printed is always plain here
    #[arg(long, hide = true)]
    plain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The folder of the traces [$TXCO_TRACE_DIR, else that of `txco dev` in the workspace
    /// around here, else ./data/trace]
    #[arg(long, value_name = "DIR")]
    trace_dir: Option<PathBuf>,
}

/// Shows what was asked for.
pub(super) fn run(args: &TraceArgs, console: &mut Console<'_>) -> ExitCode {
    let here = std::env::current_dir().unwrap_or_default();
    let shown = answer(args, console, &here);
    console.end(args.json, shown)
}

/// `here` is where the search for a workspace begins.
fn answer(args: &TraceArgs, console: &mut Console<'_>, here: &Path) -> Result<(), Complaint> {
    let traces = folder(args, console.environment, here);
    if args.watch {
        return watch::follow(&traces, args.grep.as_deref(), console);
    }
    let about_one = args.explain || args.verbose || args.step.is_some();
    let text = match args.request.as_deref() {
        None if !about_one => list(args.json, &traces, args.grep.as_deref())?,
        None | Some("last") => {
            let last = recent(&traces, None)?.into_iter().next().ok_or_else(|| nothing(&traces))?;
            shown(args, &last)?
        }
        Some(text) => {
            let request = RequestId::parse(text).map_err(|_| {
                Complaint::usage(format!(
                    "trace: {text:?} is neither `last` nor a request id (req_ and 22 characters)"
                ))
            })?;
            let record = Record::read(&traces, &request).map_err(|error| {
                if error.kind() == io::ErrorKind::NotFound {
                    Complaint::failed(format!(
                        "trace: request {request} is not traced in {}",
                        traces.display()
                    ))
                } else {
                    unreadable(&error)
                }
            })?;
            shown(args, &record)?
        }
    };
    console.print(&text)
}

/// One request, as the flags ask for it.
fn shown(args: &TraceArgs, record: &Record) -> Result<String, Complaint> {
    if args.explain {
        let stages = record.stages().map_err(|error| unreadable(&error))?;
        return Ok(if args.json { format!("{:#}", json!(stages)) } else { explain::told(record, &stages) });
    }
    if let Some(number) = args.step {
        let step = number.checked_sub(1).and_then(|at| record.steps.get(at)).ok_or_else(|| {
            let steps = record.steps.len();
            Complaint::usage(format!("trace: there is no step {number}: {} has {steps}", record.request.rid))
        })?;
        return bodies(args.json, step);
    }
    if args.json {
        return Ok(format!("{:#}", json!(record)));
    }
    let mut text = render(record);
    if args.verbose {
        for step in &record.steps {
            text.push_str("\n\n");
            text.push_str(&bodies(false, step)?);
        }
    }
    Ok(text)
}

/// What went into a step and came out of it.
fn bodies(as_json: bool, step: &StepRecord) -> Result<String, Complaint> {
    let read = |file| step.body(file).map_err(|error| unreadable(&error));
    let (input, output) = (read("in.json")?, read("out.json")?);
    if as_json {
        return Ok(format!("{:#}", json!({ "step": step, "in": input, "out": output })));
    }
    let one = |body: Option<serde_json::Value>| {
        body.map_or_else(|| "not kept (--trace-mode full keeps it)".to_owned(), |body| format!("{body:#}"))
    };
    let body = |text: String| text.lines().map(cell).collect::<Vec<_>>().join("\n");
    Ok(format!("{}\nin  {}\nout {}", cell(&step.rule()), body(one(input)), body(one(output))))
}

fn nothing(traces: &Path) -> Complaint {
    Complaint::failed(format!(
        "trace: no request is traced in {}; traces are kept by `txco dev`, and by `txco serve --trace-mode summary`",
        traces.display()
    ))
}

fn unreadable(error: &io::Error) -> Complaint {
    Complaint::failed(format!("trace: {error}"))
}

/// Where the traces are: said, or those of the workspace around `here`, or the default.
fn folder(args: &TraceArgs, environment: &dyn Environment, here: &Path) -> PathBuf {
    if let Some(said) = &args.trace_dir {
        return said.clone();
    }
    if let Some(said) = environment.variable("TXCO_TRACE_DIR") {
        return PathBuf::from(said);
    }
    let of_dev = here.ancestors().map(|folder| folder.join(".txco/dev/trace")).find(|folder| folder.is_dir());
    of_dev.unwrap_or_else(|| PathBuf::from("./data/trace"))
}

/// The folders of all traced requests, the newest last; none where nothing was traced yet.
fn folders(traces: &Path) -> Result<Vec<PathBuf>, Complaint> {
    match chassis::traced_requests(traces) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(|error| unreadable(&error)),
    }
}

/// The newest requests, newest first. A folder whose chassis was killed while it wrote the
/// first file is passed over.
fn recent(traces: &Path, grep: Option<&str>) -> Result<Vec<Record>, Complaint> {
    let folders = folders(traces)?;
    let mut records = Vec::new();
    let holds = |folder: &&PathBuf| grep.is_none_or(|text| record::holds(folder, text));
    for folder in folders.iter().rev().filter(holds) {
        match Record::read_folder(folder) {
            Ok(record) => records.push(record),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) => return Err(unreadable(&error)),
        }
        if records.len() == RECENT {
            break;
        }
    }
    Ok(records)
}

fn list(as_json: bool, traces: &Path, grep: Option<&str>) -> Result<String, Complaint> {
    let records = recent(traces, grep)?;
    if as_json {
        return Ok(format!("{:#}", json!({ "requests": records })));
    }
    match grep {
        _ if !records.is_empty() => Ok(rows(&records)),
        None => Err(nothing(traces)),
        Some(text) => {
            Err(Complaint::failed(format!("trace: no trace in {} holds {text:?}", traces.display())))
        }
    }
}

/// A line for each request.
fn rows(records: &[Record]) -> String {
    let mut rows =
        vec![["REQUEST", "STARTED", "STACK", "STATUS", "DUR", "STEPS"].map(str::to_owned).to_vec()];
    rows.extend(records.iter().map(|record| {
        let (status, duration) = end(record);
        let started = record.request.started_at.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let steps = record.steps.len().to_string();
        vec![cell(&record.request.rid), started, cell(&record.request.stack), status, duration, steps]
    }));
    table(&rows)
}

/// The table of one request, with the secrets of every step below it.
fn render(record: &Record) -> String {
    let (status, duration) = end(record);
    let request = &record.request;
    let mut rows = vec![["STEP", "OPERATION", "STATUS", "DUR", "IN→OUT"].map(str::to_owned).to_vec()];
    rows.extend(record.steps.iter().map(|step| {
        let bytes = format!("{}→{}", step.input_bytes, step.output_bytes);
        vec![
            cell(&step.rule()),
            cell(&step.operation),
            cell(&step.status),
            shown_millis(step.duration_ms),
            bytes,
        ]
    }));
    let table = table(&rows);
    let mut lines = table.lines();
    let mut text = format!(
        "{}  {}/{}  {status}  {duration}  {}\n\n{}",
        cell(&request.rid),
        cell(&request.tenant),
        cell(&request.stack),
        request.started_at.0,
        lines.next().unwrap_or_default(),
    );
    for (line, step) in lines.zip(&record.steps) {
        let mut say = |line: &str| {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "\n{line}");
        };
        say(line);
        for given in &step.secrets {
            say(&format!("  {}", cell(&shown_secret(given))));
        }
        if let Some(error) = &step.error {
            let secret = error.secret.as_ref().map(|name| format!(" (secret {name})")).unwrap_or_default();
            say(&format!("  {}", cell(&format!("{}: {}{secret}", error.code, error.message))));
        }
        for note in &step.notes {
            say(&format!("  note: {}", cell(note)));
        }
        for line in &step.log {
            say(&format!("  log: {}", cell(line)));
        }
    }
    text
}

/// `secrets.key  WEBHOOK_SECRET v1  reveal → txco://hmac-sign`.
fn shown_secret(given: &Given) -> String {
    let version = given.version.map_or_else(|| "(not had)".to_owned(), |version| format!("v{version}"));
    format!("secrets.{}  {} {version}  {} → {}", given.slot, given.name, given.mode, given.destination)
}

/// How a request ended, and after how long.
fn end(record: &Record) -> (String, String) {
    match &record.ended {
        None => ("unfinished".to_owned(), "-".to_owned()),
        Some(ended) => (cell(ended.error.as_ref().unwrap_or(&ended.status)), shown_millis(ended.duration_ms)),
    }
}

pub(super) fn shown_millis(millis: f64) -> String {
    if millis < 10.0 { format!("{millis:.2} ms") } else { format!("{millis:.0} ms") }
}

#[cfg(test)]
mod tests;
