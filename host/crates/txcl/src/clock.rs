//! The time of a request, and why a value could not be had.

/// The time of a request, pinned when it enters a scope (R26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Now, as far as rules are concerned.
    pub now: jiff::Timestamp,
}

/// Why an expression has no value. The text names functions and paths, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Something looked into a credential (R1).
    Credential(String),
    /// Anything else.
    Failed(String),
}

impl Reason {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Credential(text) | Self::Failed(text) => text,
        }
    }
}
