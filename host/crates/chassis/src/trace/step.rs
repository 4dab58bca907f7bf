//! What one rule did, as its step's `meta.json` says it.

use std::sync::Arc;

use jiff::Timestamp;
use model::{Failure, Fault, RequestId, SecretName, Slot, StackName};
use serde::Serialize;
use serde_json::json;

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
    #[serde(serialize_with = "shown")]
    pub destination: Arc<str>,
}

fn shown<T: ToString, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

/// What one rule did in one scope.
#[derive(Debug, Clone)]
pub struct Step {
    /// The stack that the rule belongs to.
    pub stack: StackName,
    /// Its scope.
    pub scope: u32,
    /// Its name.
    pub rule: Arc<str>,
    /// The operand of its EXEC as written, empty without one.
    pub operation: Arc<str>,
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
    /// What its upstream went wrong with, where its rule goes on nevertheless.
    pub gone_on_after: Option<Fault>,
    /// Whether it was broken off together with its request.
    pub broken_off: bool,
}

/// How a request ends whose client left, and what ran of it.
pub(crate) const CANCELLED: &str = "cancelled";

impl Step {
    /// `ok`, `error` or `cancelled`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match (&self.failure, self.broken_off) {
            (Some(_), _) => "error",
            (None, true) => CANCELLED,
            (None, false) => "ok",
        }
    }

    pub(super) fn millis(&self) -> f64 {
        millis(self.elapsed)
    }

    /// What `meta.json` says.
    pub(super) fn meta(
        &self,
        request: &RequestId,
        input_bytes: usize,
        output_bytes: usize,
    ) -> serde_json::Value {
        json!({
            "trace_id": request.as_str(), "stack": self.stack.as_str(), "scope": self.scope, "name": &*self.rule,
            "operation": &*self.operation, "transport": self.transport,
            "started_at": self.started.to_string(),
            "finished_at": (self.started + self.elapsed).to_string(),
            "duration_ms": self.millis(), "status": self.status(),
            "input_bytes": input_bytes, "output_bytes": output_bytes,
            "secrets": self.secrets, "notes": self.notes, "log": self.log,
            "error": self.failure.as_ref().map(|f| json!({
                "code": f.fault.code(), "message": f.detail,
                "secret": f.secret.as_ref().map(SecretName::as_str) })),
        })
    }
}

pub(super) fn millis(elapsed: std::time::Duration) -> f64 {
    (elapsed.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
