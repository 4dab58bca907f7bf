//! A traced request read back from its folder, as `trace` and `demo` show it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use model::RequestId;
use serde::{Deserialize, Serialize};

/// A time as traces write it (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::cli) struct At(pub(in crate::cli) Timestamp);

impl TryFrom<String> for At {
    type Error = jiff::Error;
    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

impl From<At> for String {
    fn from(at: At) -> Self {
        at.0.to_string()
    }
}

/// What `in.json` says about a request.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct Begun {
    pub(in crate::cli) rid: String,
    #[serde(default)]
    pub(in crate::cli) tenant: String,
    #[serde(default)]
    pub(in crate::cli) stack: String,
    pub(in crate::cli) started_at: At,
    #[serde(default)]
    pub(in crate::cli) payload_bytes: u64,
}

/// How it ended, from the timeline; absent while it runs, or when the chassis was killed.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct Ended {
    pub(in crate::cli) status: String,
    #[serde(default)]
    pub(in crate::cli) duration_ms: f64,
    #[serde(default)]
    pub(in crate::cli) error: Option<String>,
}

/// One secret that a step was given: names only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(in crate::cli) struct Given {
    pub(in crate::cli) slot: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) version: Option<u32>,
    pub(in crate::cli) mode: String,
    pub(in crate::cli) destination: String,
}

/// What went wrong in a step.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct StepError {
    pub(in crate::cli) code: String,
    #[serde(default)]
    pub(in crate::cli) message: String,
    #[serde(default)]
    pub(in crate::cli) secret: Option<String>,
}

/// One step: `steps/*/meta.json`.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct StepRecord {
    pub(in crate::cli) stack: String,
    pub(in crate::cli) scope: u32,
    pub(in crate::cli) name: String,
    #[serde(default)]
    pub(in crate::cli) operation: String,
    pub(in crate::cli) started_at: At,
    pub(in crate::cli) duration_ms: f64,
    pub(in crate::cli) status: String,
    #[serde(default)]
    pub(in crate::cli) input_bytes: u64,
    #[serde(default)]
    pub(in crate::cli) output_bytes: u64,
    #[serde(default)]
    pub(in crate::cli) secrets: Vec<Given>,
    #[serde(default)]
    pub(in crate::cli) notes: Vec<String>,
    #[serde(default)]
    pub(in crate::cli) log: Vec<String>,
    #[serde(default)]
    pub(in crate::cli) error: Option<StepError>,
    #[serde(skip)]
    folder: PathBuf,
}

/// A test of a rule's WHEN, and how it went.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct TestRecord {
    pub(in crate::cli) line: usize,
    pub(in crate::cli) test: String,
    /// Absent when it met a credential.
    pub(in crate::cli) held: Option<bool>,
    #[serde(default)]
    pub(in crate::cli) found: Option<String>,
}

/// Whether a rule fired, and why.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct RuleRecord {
    pub(in crate::cli) name: String,
    pub(in crate::cli) fired: bool,
    #[serde(default)]
    pub(in crate::cli) tests: Vec<TestRecord>,
    #[serde(default)]
    pub(in crate::cli) because: Option<String>,
}

/// A stage where the request never came.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct Unreached {
    pub(in crate::cli) stack: String,
    pub(in crate::cli) scope: u32,
    pub(in crate::cli) rules: Vec<String>,
}

/// A job whose worker is waited for, now or later.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(in crate::cli) struct Waited {
    pub(in crate::cli) name: String,
}

/// What the timeline says about the way a request took, in its order.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "event")]
pub(in crate::cli) enum Stage {
    /// A stage, with all of its rules.
    #[serde(rename = "stage.rules")]
    Rules { stack: String, scope: u32, rules: Vec<RuleRecord> },
    /// A rule sent the request elsewhere.
    #[serde(rename = "stage.jump")]
    Jump { stack: String, scope: u32, to: String, from: u32 },
    /// A rule, or what went wrong in it, ended the request.
    #[serde(rename = "request.halt")]
    Halt {
        #[serde(default)]
        stack: Option<String>,
        #[serde(default)]
        scope: Option<u32>,
        #[serde(default)]
        rule: Option<String>,
        #[serde(default)]
        error: Option<String>,
    },
    /// Jobs were handed out that it goes on beside.
    #[serde(rename = "stage.defer")]
    Deferred { stack: String, scope: u32, waits: Vec<Waited> },
    /// It waits: behind a scope, or for what joins before one or at its end.
    #[serde(rename = "stage.suspend")]
    Waits {
        stack: String,
        scope: u32,
        #[serde(default)]
        waits: Vec<Waited>,
    },
    /// What workers said of such jobs joined it.
    #[serde(rename = "stage.join")]
    Joined { before: Option<String>, rules: Vec<String> },
    /// Where it never came.
    #[serde(rename = "stages.unreached")]
    Unreached { stages: Vec<Unreached> },
}

impl StepRecord {
    /// What a full trace keeps beside it, `in.json` or `out.json`: JSON, or the text that is left of it.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(in crate::cli) fn body(&self, file: &str) -> io::Result<Option<serde_json::Value>> {
        match fs::read_to_string(self.folder.join(file)) {
            Ok(text) => Ok(Some(serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `stack/scope/name`, as rules are called everywhere.
    pub(in crate::cli) fn rule(&self) -> String {
        format!("{}/{}/{}", self.stack, self.scope, self.name)
    }
}

/// A whole request.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Record {
    pub(in crate::cli) request: Begun,
    pub(in crate::cli) ended: Option<Ended>,
    pub(in crate::cli) steps: Vec<StepRecord>,
    #[serde(skip)]
    folder: PathBuf,
}

impl Record {
    /// Reads the record of `request` below the trace folder.
    ///
    /// # Errors
    /// `NotFound` when there is none; otherwise what cannot be read or is not a trace.
    pub(in crate::cli) fn read(traces: &Path, request: &RequestId) -> io::Result<Self> {
        Self::read_folder(&traces.join("requests").join(request.as_str()))
    }

    /// Reads the record in `folder`.
    ///
    /// # Errors
    /// As [`Record::read`].
    pub(in crate::cli) fn read_folder(folder: &Path) -> io::Result<Self> {
        let request = json(&folder.join("in.json"))?;
        let mut steps = Vec::new();
        if let Ok(entries) = fs::read_dir(folder.join("steps")) {
            for entry in entries {
                // A step that is being written has no meta.json yet.
                let folder = entry?.path();
                match json::<StepRecord>(&folder.join("meta.json")) {
                    Ok(step) => steps.push(StepRecord { folder, ..step }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        steps.sort_by(|a, b| (a.started_at, a.scope, &a.name).cmp(&(b.started_at, b.scope, &b.name)));
        let ended = events(folder)?.into_iter().rev().find(|event| event["event"] == "request.end");
        let ended = ended.and_then(|event| serde_json::from_value(event).ok());
        Ok(Self { request, ended, steps, folder: folder.to_owned() })
    }

    /// The way it took.
    ///
    /// # Errors
    /// When the timeline cannot be read.
    pub(in crate::cli) fn stages(&self) -> io::Result<Vec<Stage>> {
        // Other events are not about the way.
        Ok(events(&self.folder)?.into_iter().filter_map(|event| serde_json::from_value(event).ok()).collect())
    }
}

/// The events of a timeline; a line that is being written is passed over.
fn events(folder: &Path) -> io::Result<Vec<serde_json::Value>> {
    match fs::read_to_string(folder.join("timeline.jsonl")) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether `text` stands in a file of a request's folder, in any case of its letters.
pub(in crate::cli) fn holds(folder: &Path, text: &str) -> bool {
    let wanted = text.to_lowercase();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).is_ok_and(|text| text.to_lowercase().contains(&wanted)) {
                return true;
            }
        }
    }
    false
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<T> {
    serde_json::from_slice(&fs::read(path)?).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a trace: {error}", path.display()))
    })
}
