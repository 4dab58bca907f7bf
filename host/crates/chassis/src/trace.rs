//! What happened to a request, as files; written here and only here.
//!
//! The layout is the existing chassis's: `requests/<rid>/{in,out}.json`, `timeline.jsonl`,
//! `steps/<scope>-<rule>[-k]/{meta,op,in,out}.json`. Unlike there the id is ours (weakness
//! T1), folders are 0700 and files 0600 (T3), a step says which secrets it used (T7), and
//! credentials that came in with the request are masked.
//!
//! Values of secrets are never here: a step's input is the envelope, in which there are
//! none, and a credential prints as `[credential]`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::Timestamp;
use model::{Envelope, Failure, Object, RequestId, SecretName, Slot, Value};
use serde::Serialize;
use serde_json::json;

/// How much a trace keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceMode {
    /// Nothing.
    Off,
    /// Which rules ran, how long, with which secrets; no bodies.
    Summary,
    /// The same with rule texts, inputs and outputs.
    Full,
}

/// How much of one body a trace keeps, in bytes.
const BODY_CAP: usize = 65_536;

/// Where traces go.
#[derive(Debug)]
pub struct Trace {
    mode: TraceMode,
    folder: PathBuf,
}

/// One secret that a step used: its name, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretUse {
    /// The slot the rule declared.
    #[serde(serialize_with = "shown")]
    pub slot: Slot,
    /// The secret's name.
    #[serde(serialize_with = "shown")]
    pub name: SecretName,
    /// Which version was used, when it could be had.
    pub version: Option<u32>,
    /// `reveal` (into a guest) or `splice` (into a request).
    pub mode: &'static str,
    /// The op, or the origin that the request went to.
    pub destination: String,
}

fn shown<T: ToString, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

/// What one rule did in one scope.
#[derive(Debug, Clone)]
pub struct Step {
    /// The stack that the rule belongs to.
    pub stack: String,
    /// Its scope.
    pub scope: u32,
    /// Its name.
    pub rule: String,
    /// The operand of its EXEC as written, empty without one.
    pub operation: String,
    /// `txco`, `http`, `noop`, …
    pub transport: &'static str,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub elapsed: std::time::Duration,
    /// Which secrets it was given, and how.
    pub secrets: Vec<SecretUse>,
    /// Things worth knowing that were no failure, such as `credential_not_sent body.x`.
    pub notes: Vec<String>,
    /// What the op logged.
    pub log: Vec<String>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

impl Trace {
    /// Traces into `folder`, which is made when a mode needs it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(mode: TraceMode, folder: &Path) -> io::Result<Self> {
        if mode != TraceMode::Off {
            private_folder(&folder.join("requests"))?;
        }
        Ok(Self { mode, folder: folder.to_owned() })
    }

    /// A trace that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { mode: TraceMode::Off, folder: PathBuf::new() }
    }

    /// Opens the record of one request. A record that cannot be opened is reported once and
    /// keeps nothing; the request goes on.
    pub(crate) fn begin(&self, start: &Start<'_>) -> Recording {
        if self.mode == TraceMode::Off {
            return Recording(None);
        }
        let opened = Open::new(self.mode, &self.folder, start);
        match opened {
            Ok(open) => Recording(Some(open)),
            Err(error) => {
                tracing::warn!(request_id = %start.request, %error, "trace not written");
                Recording(None)
            }
        }
    }
}

/// What is known when a request begins.
pub(crate) struct Start<'a> {
    pub(crate) request: &'a RequestId,
    pub(crate) tenant: &'a str,
    pub(crate) stack: &'a str,
    pub(crate) started: Timestamp,
    pub(crate) envelope: &'a Envelope,
}

/// The record of one request, while it runs.
pub(crate) struct Recording(Option<Open>);

struct Open {
    mode: TraceMode,
    request: RequestId,
    folder: PathBuf,
    timeline: Mutex<File>,
}

impl Recording {
    /// A line of the timeline; `facts` is an object.
    pub(crate) fn event(&self, event: &str, facts: serde_json::Value) {
        self.write(|open| {
            let mut line = json!({ "ts": Timestamp::now().to_string(), "event": event });
            if let (Some(line), serde_json::Value::Object(facts)) = (line.as_object_mut(), facts) {
                line.extend(facts);
            }
            let mut text = line.to_string();
            text.push('\n');
            open.timeline.lock().map_err(|_| io::Error::other("poisoned"))?.write_all(text.as_bytes())
        });
    }

    /// One rule's step: its facts, and in full mode its text, input and output.
    pub(crate) fn step(&self, step: &Step, text: &str, input: Option<&Envelope>, output: Option<&Object>) {
        self.event("step.end", json!({ "stack": step.stack, "scope": step.scope, "name": step.rule,
            "status": step.status(), "duration_ms": step.millis(), "error": step.failure.as_ref().map(|f| f.fault.code()) }));
        self.write(|open| {
            let folder = open.step_folder(step)?;
            let (input, output) = (input.map(masked), output.map(|o| serde_json::to_string(o).unwrap_or_default()));
            let meta = json!({
                "trace_id": open.request.as_str(), "stack": step.stack, "scope": step.scope, "name": step.rule,
                "operation": step.operation, "transport": step.transport,
                "started_at": step.started.to_string(),
                "finished_at": (step.started + step.elapsed).to_string(),
                "duration_ms": step.millis(), "status": step.status(),
                "input_bytes": input.as_ref().map_or(0, String::len),
                "output_bytes": output.as_ref().map_or(0, String::len),
                "secrets": step.secrets, "notes": step.notes, "log": step.log,
                "error": step.failure.as_ref().map(|f| json!({
                    "code": f.fault.code(), "message": f.detail,
                    "secret": f.secret.as_ref().map(SecretName::as_str) })),
            });
            write_private(&folder.join("meta.json"), &format!("{meta:#}\n"))?;
            if open.mode == TraceMode::Full {
                write_private(&folder.join("op.json"), &format!("{:#}\n", json!({ "txcl": text })))?;
                write_private(&folder.join("in.json"), &capped(input.unwrap_or_default()))?;
                write_private(&folder.join("out.json"), &capped(output.unwrap_or_default()))?;
            }
            Ok(())
        });
    }

    /// The end of the request.
    pub(crate) fn end(&self, envelope: &Envelope, failure: Option<&Failure>, elapsed: std::time::Duration) {
        self.event(
            "request.end",
            json!({
                "status": if failure.is_some() { "error" } else { "ok" },
                "error": failure.map(|f| f.fault.code()),
                "duration_ms": millis(elapsed),
            }),
        );
        self.write(|open| match open.mode {
            TraceMode::Full => write_private(&open.folder.join("out.json"), &masked(envelope)),
            TraceMode::Off | TraceMode::Summary => Ok(()),
        });
    }

    fn write(&self, write: impl FnOnce(&Open) -> io::Result<()>) {
        if let Some(open) = &self.0
            && let Err(error) = write(open)
        {
            tracing::warn!(request_id = %open.request, %error, "trace not written");
        }
    }
}

impl Open {
    fn new(mode: TraceMode, root: &Path, start: &Start<'_>) -> io::Result<Self> {
        let folder = root.join("requests").join(start.request.as_str());
        private_folder(&folder.join("steps"))?;
        let mut facts = json!({
            "rid": start.request.as_str(), "src": "http", "tenant": start.tenant, "stack": start.stack,
            "started_at": start.started.to_string(),
        });
        if let Some(facts) = facts.as_object_mut() {
            let payload = masked(start.envelope);
            facts.insert("payload_bytes".to_owned(), json!(payload.len()));
            if mode == TraceMode::Full {
                let (cut, truncated) = cap(&payload);
                facts.insert("payload_truncated".to_owned(), json!(truncated));
                facts.insert("payload".to_owned(), serde_json::from_str(cut).unwrap_or_else(|_| json!(cut)));
            }
        }
        write_private(&folder.join("in.json"), &format!("{facts:#}\n"))?;
        let timeline = private_file(&folder.join("timeline.jsonl"))?;
        Ok(Self { mode, request: start.request.clone(), folder, timeline: Mutex::new(timeline) })
    }

    /// `steps/0100-charge`, and `-2`, `-3` … when the rule runs again.
    fn step_folder(&self, step: &Step) -> io::Result<PathBuf> {
        let base = self.folder.join("steps").join(format!("{:04}-{}", step.scope, step.rule));
        let mut again = 1_u32;
        let mut folder = base.clone();
        loop {
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    again = again.saturating_add(1);
                    folder.clone_from(&base);
                    folder.as_mut_os_string().push(format!("-{again}"));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Step {
    /// `ok` or `error`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.failure.is_some() { "error" } else { "ok" }
    }

    fn millis(&self) -> f64 {
        millis(self.elapsed)
    }
}

fn millis(elapsed: std::time::Duration) -> f64 {
    (elapsed.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// The envelope as text, with the credentials that a client sent along masked.
fn masked(envelope: &Envelope) -> String {
    const HEADERS: [&str; 3] = ["Authorization", "Proxy-Authorization", "Cookie"];
    const MASK: &str = "[masked]";
    let mut document = envelope.document().clone();
    let place = model::Path::from_segments(["_txc", "web", "req"]).unwrap_or_default();
    if let Some(mut request) = document.remove(&place) {
        if let Value::Object(request) = &mut request {
            if let Some(Value::Object(headers)) = request.get_mut("headers") {
                for (_, value) in
                    headers.iter_mut().filter(|(n, _)| HEADERS.iter().any(|h| h.eq_ignore_ascii_case(n)))
                {
                    *value = Value::from(MASK);
                }
            }
            if let Some(cookies) = request.get_mut("cookies") {
                *cookies = Value::from(MASK);
            }
        }
        // It was just taken from this place, so it can be put back.
        let _infallible: Result<(), model::PathError> = document.set(&place, request);
    }
    document.to_json()
}

fn cap(text: &str) -> (&str, bool) {
    if text.len() <= BODY_CAP {
        return (text, false);
    }
    let mut end = BODY_CAP;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text.get(..end).unwrap_or_default(), true)
}

fn capped(text: String) -> String {
    let (cut, truncated) = cap(&text);
    if truncated { format!("{:#}\n", json!({ "truncated": true, "text": cut })) } else { text }
}

fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    private_file(path)?.write_all(text.as_bytes())
}

/// The folders of traced requests below `folder`, the newest last.
///
/// # Errors
/// When the folder cannot be read.
pub fn traced_requests(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join("requests"))? {
        let path = entry?.path();
        let begun = fs::metadata(path.join("in.json")).and_then(|m| m.modified());
        if let Ok(begun) = begun {
            found.push((begun, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests;
