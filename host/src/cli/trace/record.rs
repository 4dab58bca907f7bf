//! A traced request read back from its folder, as `trace` and `demo` show it.

use std::fs;
use std::io;
use std::path::Path;

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
}

impl StepRecord {
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
                match json::<StepRecord>(&entry?.path().join("meta.json")) {
                    Ok(step) => steps.push(step),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        steps.sort_by(|a, b| (a.started_at, a.scope, &a.name).cmp(&(b.started_at, b.scope, &b.name)));
        Ok(Self { request, ended: ended(&folder.join("timeline.jsonl"))?, steps })
    }
}

/// The `request.end` of a timeline, when it has one.
fn ended(timeline: &Path) -> io::Result<Option<Ended>> {
    let text = match fs::read_to_string(timeline) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let end = text.lines().rev().find_map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        (event.get("event")?.as_str()? == "request.end").then_some(event)
    });
    Ok(end.and_then(|event| serde_json::from_value(event).ok()))
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<T> {
    serde_json::from_slice(&fs::read(path)?).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a trace: {error}", path.display()))
    })
}
