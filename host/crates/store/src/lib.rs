//! Rows at rest; this crate cannot decrypt any of them.
//!
//! **Use it when** something must survive a restart: tenants, their ops, sealed secrets, which
//! keys sealed them, and (in a file of their own) the actors who administer. **Not when** you want a secret's value (go to `vault`, which is the only
//! reader of [`SealedSecret`]) or a trace (files, written by `chassis`).
//!
//! Invariants:
//! 1. No key, no cleartext and no cipher comes near this crate; it depends on none.
//! 2. What was committed survives a power cut; what failed half-way never was. Writes are
//!    immediate transactions on one connection, `synchronous=FULL`.
//! 3. A file of the Go chassis is copied aside before it is changed for the first time,
//!    and only added to. A file of a newer txco is refused.
//! 4. A reader never keeps a row that a writer, here or in another process, has replaced:
//!    the cache is checked against SQLite's `data_version` before each use.
//! 5. A name resolves inside one tenant: its stack, then the stack's parents, then the
//!    whole tenant; a revocation made here ends the search where it stands.
//! 6. An op is its tenant's own: a component is stored under its digest, which is computed
//!    here, and nobody's push changes what another's op is.
//!    What an applied version calls is pinned to those bytes, and they stay while it does.
//! 7. A tenant keeps no more than its quotas; a transaction that would is undone whole.
//! 8. What changes tenants, secrets, ops or applied rules, or actors and what they may do,
//!    leaves a row of its file's audit chain in the same transaction, or does not happen.
//! 9. What is destroyed is in none of the database's files any more, or it is said that it is
//!    not so: the files are searched.
//! 10. A version of a stack becomes active whole, or nothing changes; what is served is what
//!     was activated, or it is said to be damaged.
//! 11. Errors carry kinds, names and paths; never SQL text, never a column's content.
//!
//! Tests: beside the code, and `tests/` over a real file in a temporary folder, with
//! `tests/vectors/store/go-runtime.sql` as the Go chassis's file.
#![deny(unsafe_op_in_unsafe_fn)]

mod refusal;
mod error;
mod row;
mod folder;
mod connection;
mod copy;
mod schema;
mod arrival;
mod backup;
mod cache;
mod wal_index;
mod quota;
mod chain;
mod store;
mod tenants;
mod runtime;
mod secrets;
mod resolve;
mod versions;
mod erase;
mod keys;
mod every;
mod ops;
mod stacks;
mod hostnames;
mod changes;
mod runs;
mod audit;
mod actors;

pub use actors::{
    ActorKey, ActorRecord, Actors, ActorsOpened, Enrolled, Invitation, Known, Member, Membership, NewActor,
    NewInvitation, Nonce, When,
};
pub use arrival::{Before, Differs, FallsThrough};
pub use audit::{AuditFilter, Seen, Verdict, Wrong};
pub use backup::{Database, Holdings, back_up, check_whole, holdings};
pub use chain::{AuditKeyRow, AuditRow, AuditSeal, By, Deed, Head};
pub use changes::{Changes, Watch};
pub use error::{Error, Quota};
pub use every::{Rewrapped, SealedValue, Versions};
pub use hostnames::{HostnameProof, HostnameRecord, MOST_HOSTNAMES, ProofMethod};
pub use ops::{NewBuild, Pushed, StoredBuild, StoredOp};
pub use quota::{Quotas, Usage};
pub use refusal::StackRefusal;
pub use row::{
    AadScheme, ActiveSecret, CheckValue, KeyId, Metadata, NONCE_BYTES, NewVersion, PolicyRow, Resolution,
    Retiring, SealedSecret, SealedVersion, SecretAddress, Tenant, VersionFacts, WRAPPED_DEK_BYTES,
    WrappedRow,
};
pub use runs::{
    Beginning, Cancelled, ClaimedRun, EndedWait, Ending, Joined, Living, NewRun, NewStep, NewWait, OpenRuns,
    Recovered, RunKey, RunRecord, RunRow, RunState, SealedBytes, Standing, TokenHash, WaitRecord, Which,
    WholeRun,
};
pub use runtime::{Limits, Ruling, SecretsUse, TenantRuntime};
pub use stacks::{
    Activated, Activation, Base, Change, KEPT_VERSIONS, MOST_FILE_BYTES, MOST_FILES, MOST_STACKS, Managed,
    Pin, Pinned, RuleRow, Served, StackFile, StackRecord, VersionAddress, VersionRecord, VersionStatus,
    WholeVersion, manifest_of,
};
pub use store::{Opened, Options, StackFallback, Store, Writing};
pub use versions::Used;
