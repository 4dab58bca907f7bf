//! `txco trace [last|RID]`: what happened to a request, from its trace files.

mod record;

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
#[derive(Debug, clap::Args)]
pub(super) struct TraceArgs {
    /// `last`, or a request id as in the X-Request-ID header; without it, recent requests
    request: Option<String>,
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
    let text = match args.request.as_deref() {
        None => list(args.json, &traces)?,
        Some("last") => show(args.json, recent(&traces)?.first().ok_or_else(|| nothing(&traces))?),
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
            show(args.json, &record)
        }
    };
    console.print(&text)
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

/// The newest requests, newest first. A folder whose chassis was killed while it wrote the
/// first file is passed over.
fn recent(traces: &Path) -> Result<Vec<Record>, Complaint> {
    let folders = match chassis::traced_requests(traces) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut records = Vec::new();
    for folder in folders.iter().rev() {
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

fn list(as_json: bool, traces: &Path) -> Result<String, Complaint> {
    let records = recent(traces)?;
    if as_json {
        return Ok(format!("{:#}", json!({ "requests": records })));
    }
    if records.is_empty() {
        return Err(nothing(traces));
    }
    let mut rows =
        vec![["REQUEST", "STARTED", "STACK", "STATUS", "DUR", "STEPS"].map(str::to_owned).to_vec()];
    rows.extend(records.iter().map(|record| {
        let (status, duration) = end(record);
        let started = record.request.started_at.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let steps = record.steps.len().to_string();
        vec![cell(&record.request.rid), started, cell(&record.request.stack), status, duration, steps]
    }));
    Ok(table(&rows))
}

fn show(as_json: bool, record: &Record) -> String {
    if as_json { format!("{:#}", json!(record)) } else { render(record) }
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
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::super::testing::Played;
    use super::*;

    const RID: &str = "req_1111111111111111111112";

    fn traced() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let request = folder.path().join("requests").join(RID);
        let write = |file: &str, text: &str| {
            let path = request.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "in.json",
            &format!(
                r#"{{"rid":"{RID}","src":"http","tenant":"default","stack":"orders","started_at":"2026-11-23T18:00:00Z","payload_bytes":12}}"#
            ),
        );
        write(
            "timeline.jsonl",
            "{\"ts\":\"x\",\"event\":\"request.start\"}\n{\"ts\":\"x\",\"event\":\"request.end\",\"status\":\"error\",\"error\":\"secret_not_found\",\"duration_ms\":12.5}\n",
        );
        write(
            "steps/0200-deliver/meta.json",
            r#"{"trace_id":"x","stack":"orders","scope":200,"name":"deliver","operation":"https://partner.example.com/orders",
               "transport":"http","started_at":"2026-11-23T18:00:00.2Z","finished_at":"x","duration_ms":0.25,"status":"error",
               "input_bytes":10,"output_bytes":0,"secrets":[{"slot":"headers.authorization","name":"API_KEY","version":null,"mode":"splice","destination":"https://partner.example.com"}],
               "notes":["a\u001b[2Jb"],"log":[],"error":{"code":"secret_not_found","message":"no such secret","secret":"API_KEY"}}"#,
        );
        write(
            "steps/0100-sign/meta.json",
            r#"{"trace_id":"x","stack":"orders","scope":100,"name":"sign","operation":"txco://hmac-sign","transport":"txco",
               "started_at":"2026-11-23T18:00:00.1Z","finished_at":"x","duration_ms":1.5,"status":"ok","input_bytes":412,"output_bytes":96,
               "secrets":[{"slot":"key","name":"WEBHOOK_SECRET","version":3,"mode":"reveal","destination":"hmac-sign"}],
               "notes":[],"log":["hello"],"error":null}"#,
        );
        fs::create_dir(request.join("steps/0300-being-written")).unwrap();
        folder
    }

    fn shown(folder: &Path, request: Option<&str>, json: bool) -> Result<String, Complaint> {
        let args =
            TraceArgs { request: request.map(str::to_owned), json, trace_dir: Some(folder.to_owned()) };
        let mut played = Played::piped(b"");
        answer(&args, &mut played.console(), Path::new("/"))?;
        Ok(played.out())
    }

    #[test]
    fn a_request_shows_its_steps_and_what_secrets_they_were_given() {
        let folder = traced();
        let want = "\
req_1111111111111111111112  default/orders  secret_not_found  12 ms  2026-11-23T18:00:00Z

STEP                OPERATION                           STATUS  DUR      IN→OUT
orders/100/sign     txco://hmac-sign                    ok      1.50 ms  412→96
  secrets.key  WEBHOOK_SECRET v3  reveal → hmac-sign
  log: hello
orders/200/deliver  https://partner.example.com/orders  error   0.25 ms  10→0
  secrets.headers.authorization  API_KEY (not had)  splice → https://partner.example.com
  secret_not_found: no such secret (secret API_KEY)
  note: a\\u{1b}[2Jb
";
        assert_eq!(shown(folder.path(), Some("last"), false).unwrap(), want);
        assert_eq!(shown(folder.path(), Some(RID), false).unwrap(), want);
    }

    #[test]
    fn recent_requests_are_listed() {
        let folder = traced();
        let text = shown(folder.path(), None, false).unwrap();
        assert!(
            text.starts_with("REQUEST  ") && text.contains(RID) && text.contains("secret_not_found"),
            "{text}"
        );
    }

    #[test]
    fn json_is_for_machines() {
        let folder = traced();
        let one: serde_json::Value =
            serde_json::from_str(&shown(folder.path(), Some("last"), true).unwrap()).unwrap();
        assert_eq!(one["steps"][0]["secrets"][0]["name"], "WEBHOOK_SECRET");
        let many: serde_json::Value =
            serde_json::from_str(&shown(folder.path(), None, true).unwrap()).unwrap();
        assert_eq!(many["requests"][0]["request"]["rid"], RID);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = traced();
        let missing = shown(folder.path(), Some("req_1111111111111111111113"), false).unwrap_err();
        assert_eq!(missing.code, 1);
        assert!(missing.message.contains("req_1111111111111111111113 is not traced in"), "{missing:?}");
        for text in ["../../etc", "req_x", "LAST"] {
            let error = shown(folder.path(), Some(text), false).unwrap_err();
            assert_eq!(error.code, 2, "{error:?}");
        }
        let empty = tempfile::tempdir().unwrap();
        for request in [None, Some("last")] {
            let error = shown(empty.path(), request, false).unwrap_err();
            assert!(error.message.contains("no request is traced in"), "{error:?}");
        }
    }

    #[test]
    fn the_folder_is_found() {
        let workspace = tempfile::tempdir().unwrap();
        let inside = workspace.path().join("OPS/a");
        let args = TraceArgs { request: None, json: false, trace_dir: None };
        fs::create_dir_all(&inside).unwrap();
        assert_eq!(folder(&args, &BTreeMap::<&str, &str>::new(), &inside), Path::new("./data/trace"));
        fs::create_dir_all(workspace.path().join(".txco/dev/trace")).unwrap();
        assert_eq!(
            folder(&args, &BTreeMap::<&str, &str>::new(), &inside),
            workspace.path().join(".txco/dev/trace")
        );
        let env = BTreeMap::from([("TXCO_TRACE_DIR", "/t")]);
        assert_eq!(folder(&args, &env, &inside), Path::new("/t"));
    }
}
