//! What happened to a request, as files; written here and only here.
//!
//! The layout is the existing chassis's: `requests/<rid>/{in,out}.json`, `timeline.jsonl`,
//! `steps/<scope>-<rule>[-k]/{meta,op,in,out}.json`. Unlike there the id is ours (weakness
//! T1), folders are 0700 and files 0600 (T3), a step says which secrets it used (T7),
//! credentials that came in with the request are masked, and what rules ask to hide is hidden
//! (T2). Two events are ours: `stage.rules` says why each rule fired or did not, and
//! `stages.unreached` where the request never came.
//!
//! Values of secrets are never here: a step's input is the envelope, in which there are
//! none, and a credential prints as `[credential]`.

mod hiding;
mod retention;
mod step;
mod writer;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use model::{Envelope, Failure, Object, RequestId, Value};
use serde_json::json;
use txcl::{Clock, Rule, Tested};

pub(crate) use hiding::Hiding;
use retention::Keeper;
pub use retention::Retention;
pub(crate) use step::CANCELLED;
use step::millis;
pub use step::{SecretUse, Step};
use writer::Writer;

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

/// How much of a value that a test looked at is told, in bytes.
const FOUND_CAP: usize = 120;

/// How traces are written.
#[derive(Debug, Clone, Copy)]
pub struct TraceSettings {
    /// How much is kept of a request.
    pub mode: TraceMode,
    /// With a number, a thread beside the requests writes, and so many writes may wait for it
    /// before a request has to; without, each request writes itself.
    pub queue: Option<usize>,
    /// How much of one body is kept, in bytes.
    pub body_cap: usize,
    /// How long traces are kept.
    pub retention: Retention,
}

/// Where traces go.
#[derive(Debug)]
pub struct Trace {
    mode: TraceMode,
    body_cap: usize,
    folder: PathBuf,
    writer: Arc<Writer>,
    keeper: Arc<Keeper>,
}

impl Trace {
    /// Traces into `folder`, which is made when a mode needs it.
    ///
    /// # Errors
    /// When the folder cannot be made, or a thread not be had.
    pub fn open(settings: TraceSettings, folder: &Path) -> io::Result<Self> {
        if settings.mode == TraceMode::Off {
            return Ok(Self::off());
        }
        private_folder(&folder.join("requests"))?;
        let writer = settings.queue.map_or_else(|| Ok(Writer::default()), Writer::beside)?;
        let keeper = Keeper::start(folder, settings.retention)?;
        Ok(Self {
            mode: settings.mode,
            body_cap: settings.body_cap,
            folder: folder.to_owned(),
            writer: Arc::new(writer),
            keeper: Arc::new(keeper),
        })
    }

    /// A trace that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        let (writer, keeper) = (Arc::default(), Arc::default());
        Self { mode: TraceMode::Off, body_cap: 0, folder: PathBuf::new(), writer, keeper }
    }

    /// Waits until everything traced so far is in its file.
    pub(crate) fn flush(&self) {
        self.writer.flush();
    }

    /// Opens the record of one request. A record that cannot be written is reported once and
    /// keeps nothing more; the request goes on.
    pub(crate) fn begin(&self, start: &Start<'_>) -> Recording {
        if self.mode == TraceMode::Off {
            return Recording(None);
        }
        let recording = Recording(Some(Arc::new(Open {
            mode: self.mode,
            body_cap: self.body_cap,
            request: start.request.clone(),
            folder: self.folder.join("requests").join(start.request.as_str()),
            hiding: Arc::clone(start.hiding),
            writer: Arc::clone(&self.writer),
            keeper: Arc::clone(&self.keeper),
            broken: AtomicBool::new(false),
        })));
        recording.write(|open| {
            let facts = (!start.again).then(|| open.facts(start));
            Box::new(move |open| {
                private_folder(&open.folder.join("steps"))?;
                facts.map_or(Ok(0), |facts| write_private(&open.folder.join("in.json"), &facts))
            })
        });
        recording
    }
}

/// What is known when a request begins.
pub(crate) struct Start<'a> {
    pub(crate) request: &'a RequestId,
    pub(crate) tenant: &'a str,
    pub(crate) stack: &'a str,
    pub(crate) started: Timestamp,
    pub(crate) envelope: &'a Envelope,
    /// What its rules ask not to show.
    pub(crate) hiding: &'a Arc<Hiding>,
    /// Whether it began before, and goes on.
    pub(crate) again: bool,
}

/// The record of one request, while it runs.
pub(crate) struct Recording(Option<Arc<Open>>);

struct Open {
    mode: TraceMode,
    body_cap: usize,
    request: RequestId,
    folder: PathBuf,
    hiding: Arc<Hiding>,
    writer: Arc<Writer>,
    keeper: Arc<Keeper>,
    /// Something could not be written, and nothing more will be.
    broken: AtomicBool,
}

/// An envelope's document as its trace shows it. Made when a rule first needs it: hiding copies
/// the whole document, and the rules of a stage look at the same one.
pub(crate) type Shown = OnceLock<Value>;

/// Writes to files, and says how many bytes.
type Write = Box<dyn FnOnce(&Open) -> io::Result<usize> + Send>;

impl Recording {
    /// A line of the timeline; `facts` makes an object, and is only asked when it is written.
    pub(crate) fn event(&self, event: &str, facts: impl FnOnce() -> serde_json::Value) {
        self.write(|_| {
            let mut line = json!({ "ts": Timestamp::now().to_string(), "event": event });
            if let (Some(line), serde_json::Value::Object(facts)) = (line.as_object_mut(), facts()) {
                line.extend(facts);
            }
            let mut text = line.to_string();
            text.push('\n');
            Box::new(move |open| append_private(&open.folder.join("timeline.jsonl"), &text))
        });
    }

    /// One rule's step: its facts, and in full mode its text, input and output.
    pub(crate) fn step(&self, step: &Step, text: &str, input: Option<&Envelope>, output: Option<&Object>) {
        self.event("step.end", || {
            json!({ "stack": step.stack.as_str(), "scope": step.scope, "name": &*step.rule, "status": step.status(),
                "duration_ms": step.millis(), "error": step.failure.as_ref().map(|f| f.fault.code()) })
        });
        self.write(|open| {
            let input = input.map(|input| open.shown(input.document()).to_json()).unwrap_or_default();
            let output = output.map(|output| open.shown(&Value::Object(output.clone())).to_json());
            let output = output.unwrap_or_default();
            let mut meta = step.meta(&open.request, input.len(), output.len());
            let cut = [("input_truncated", input.len()), ("output_truncated", output.len())];
            let bodies = (open.mode == TraceMode::Full).then(|| {
                let op = format!("{:#}\n", json!({ "txcl": text }));
                [("op.json", op), ("in.json", open.capped(input)), ("out.json", open.capped(output))]
            });
            if let (Some(meta), true) = (meta.as_object_mut(), bodies.is_some()) {
                let cut = cut.into_iter().filter(|(_, bytes)| *bytes > open.body_cap);
                meta.extend(cut.map(|(name, _)| (name.to_owned(), json!(true))));
            }
            let meta = format!("{meta:#}\n");
            let folder = open.folder.join("steps").join(format!("{:04}-{}", step.scope, step.rule));
            Box::new(move |_| {
                let folder = again(&folder)?;
                let mut bytes = write_private(&folder.join("meta.json"), &meta)?;
                for (file, text) in bodies.into_iter().flatten() {
                    bytes += write_private(&folder.join(file), &text)?;
                }
                Ok(bytes)
            })
        });
    }

    /// Why a rule fired or did not: the tests its WHEN came to, or in `because` what else
    /// stood in its way; and in full mode what the tests found. Nothing when nothing is traced.
    /// `shown` belongs to this very `envelope`, whose rules share it.
    pub(crate) fn considered(
        &self,
        rule: &Rule,
        envelope: &Envelope,
        shown: &Shown,
        clock: &Clock,
        fired: bool,
    ) -> Option<serde_json::Value> {
        let open = self.0.as_ref()?;
        let tests = rule.explain(envelope, clock);
        let shown = (open.mode == TraceMode::Full && !tests.is_empty())
            .then(|| shown.get_or_init(|| open.shown(envelope.document())));
        let told = |test: &Tested<'_>| {
            let mut told = json!({ "line": test.line, "test": test.text, "held": test.held });
            if let (Some(shown), Some(members)) = (shown, told.as_object_mut()) {
                let found = match (shown.get(test.path), envelope.get(test.path)) {
                    (Some(found), _) => found.to_json(),
                    // The place is left out, or lies in one that is masked as a whole.
                    (None, Some(_)) => "something that is hidden".to_owned(),
                    (None, None) => "nothing".to_owned(),
                };
                let (found, cut) = cap(&found, FOUND_CAP);
                members.insert(
                    "found".to_owned(),
                    json!(if cut { format!("{found}…") } else { found.to_owned() }),
                );
            }
            told
        };
        let tests: Vec<_> = tests.iter().map(told).collect();
        Some(json!({ "name": rule.name(), "fired": fired, "tests": tests }))
    }

    /// A rule that was not looked at, and why.
    pub(crate) fn passed_over(&self, rule: &Rule, because: &str) -> Option<serde_json::Value> {
        self.0.as_ref()?;
        Some(json!({ "name": rule.name(), "fired": false, "because": because }))
    }

    /// Whether anything is written.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The end of the request.
    pub(crate) fn end(&self, envelope: &Envelope, failure: Option<&Failure>, elapsed: std::time::Duration) {
        self.event("request.end", || {
            json!({
                "status": if failure.is_some() { "error" } else { "ok" },
                "error": failure.map(|f| f.fault.code()),
                "duration_ms": millis(elapsed),
            })
        });
        if self.0.as_ref().is_some_and(|open| open.mode == TraceMode::Full) {
            self.write(|open| {
                let text = open.capped(open.shown(envelope.document()).to_json());
                Box::new(move |open| write_private(&open.folder.join("out.json"), &text))
            });
        }
    }

    /// Has written what `prepare` makes ready now.
    fn write(&self, prepare: impl FnOnce(&Open) -> Write) {
        let Some(open) = &self.0 else { return };
        if open.broken.load(Ordering::Relaxed) {
            return;
        }
        let (write, later) = (prepare(open), Arc::clone(open));
        open.writer.write(move || match write(&later) {
            Ok(bytes) => later.keeper.wrote(bytes),
            Err(error) => {
                if !later.broken.swap(true, Ordering::Relaxed) {
                    tracing::warn!(request_id = %later.request, %error, "trace not written");
                }
            }
        });
    }
}

impl Open {
    fn shown(&self, document: &Value) -> Value {
        self.hiding.shown(document)
    }

    /// As much of a body as is kept, and whether that is not all of it.
    fn capped(&self, text: String) -> String {
        let (cut, truncated) = cap(&text, self.body_cap);
        if truncated { format!("{:#}\n", json!({ "truncated": true, "text": cut })) } else { text }
    }

    /// The text of `in.json`.
    fn facts(&self, start: &Start<'_>) -> String {
        let mut facts = json!({
            "rid": start.request.as_str(), "src": "http", "tenant": start.tenant, "stack": start.stack,
            "started_at": start.started.to_string(),
        });
        if let Some(facts) = facts.as_object_mut() {
            let payload = self.shown(start.envelope.document()).to_json();
            facts.insert("payload_bytes".to_owned(), json!(payload.len()));
            if self.mode == TraceMode::Full {
                let (cut, truncated) = cap(&payload, self.body_cap);
                facts.insert("payload_truncated".to_owned(), json!(truncated));
                facts.insert("payload".to_owned(), serde_json::from_str(cut).unwrap_or_else(|_| json!(cut)));
            }
        }
        format!("{facts:#}\n")
    }
}

/// `steps/0100-charge`, and `-2`, `-3` … when the rule runs again.
fn again(base: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    let mut folder = base.to_owned();
    loop {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number = number.saturating_add(1);
                base.clone_into(&mut folder);
                folder.as_mut_os_string().push(format!("-{number}"));
            }
            Err(error) => return Err(error),
        }
    }
}

fn cap(text: &str, most: usize) -> (&str, bool) {
    if text.len() <= most {
        return (text, false);
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text.get(..end).unwrap_or_default(), true)
}

fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write_private(path: &Path, text: &str) -> io::Result<usize> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).map(|()| text.len())
}

fn append_private(path: &Path, text: &str) -> io::Result<usize> {
    let mut file: File = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).map(|()| text.len())
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
