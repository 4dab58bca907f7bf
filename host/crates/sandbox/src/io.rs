//! What goes into one call of an op, and what comes out.

use std::sync::Arc;

use model::{Envelope, Path, RequestId, Value};

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

/// Whose bytes an op is, and what it may therefore return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// One of the ops this binary embeds: exactly the classes of its lock file.
    Builtin {
        /// The classes it may return.
        classes: Vec<Class>,
        /// Whether it is quick enough to run on the thread that has the request (R26).
        inline: bool,
    },
    /// An op of a tenant or an embedder: once shown a secret, credentials only (R21).
    Tenant,
}

/// How much an output tells about the secrets an op was shown.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    serde::Deserialize,
    wasmtime::component::ComponentType,
    wasmtime::component::Lift,
)]
#[component(enum)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Class {
    /// Nothing.
    #[component(name = "data")]
    Data,
    /// One way only.
    #[component(name = "digest")]
    Digest,
    /// The secret can be computed from it.
    #[component(name = "credential")]
    Credential,
}
