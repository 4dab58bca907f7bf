//! What goes into one call of an op, and what comes out.

use std::sync::Arc;

use model::{Envelope, Path, RequestId, Value};

/// Where the random bytes of a call come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Randomness {
    /// The operating system: what every call of a chassis has. With a fixed seed an op
    /// would repeat nonces.
    System,
    /// The same bytes in each run, for the tests of an op (`txco op test`).
    Seeded(u64),
}

/// The facts of one call. It is moved into the call; what may be large is shared, so that
/// a body of megabytes is never copied for an op that reads it piece by piece.
#[derive(Debug, Clone)]
pub struct OpInput {
    /// The id of the request.
    pub request: RequestId,
    /// The stack whose rule calls.
    pub stack: String,
    /// The scope within the stack.
    pub scope: u32,
    /// The rule's name.
    pub rule: String,
    /// The time pinned for this scope, in milliseconds since the epoch.
    pub now_millis: u64,
    /// The rule's `WITH` without `secrets`, an object.
    pub params: Arc<Value>,
    /// What the op receives.
    pub envelope: Arc<Envelope>,
    /// Where its random bytes come from.
    pub randomness: Randomness,
}

/// What an op returned.
#[derive(Debug, Clone, PartialEq)]
pub struct OpOutput {
    /// Its fields, in its order; a credential is a sealed value.
    pub fields: Vec<(Path, Value)>,
    /// What it logged.
    pub log: Vec<String>,
    /// How many lines were dropped, because an op that was shown a secret may not log (R21).
    pub log_dropped: u32,
}

/// Whose bytes an op is, and what it may therefore say (R21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// One of the ops this binary embeds: exactly the outputs of its manifest.
    Builtin,
    /// An op of a tenant or an embedder. Once shown a secret it returns what its manifest
    /// declares, in the classes that the secrets' policies allow; its words are withheld.
    Tenant,
    /// The same before the eyes of its author, with secrets of the author's own (`txco op
    /// run`): its words are shown.
    Author,
}
