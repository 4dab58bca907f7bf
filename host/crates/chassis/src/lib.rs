//! The assembly line: rule, stage, op dispatch, merge, trace.
//!
//! **Use it when** an event is to be run through a workspace's rules. **Not when** it is
//! about a single op (`sandbox`), a single request out (`egress`), a secret at rest
//! (`vault`) or how an event reaches us (the `txco` package).
//!
//! The life of a request: the [`Space`] says by its host whose it is, and it keeps the
//! [`RuleSet`] it was led to; in [`Chassis::run`],
//! scope by scope, the files whose rules match run at once (`scope`), each rule in its own
//! [`Step`] (`dispatch`): its clauses are evaluated, the secrets it names are packed by the
//! vault for the one op or request that was declared, the op runs or the request is sent,
//! and what came back is projected, overlaid and merged. [`Trace`] writes it down. What a
//! request may spend on its way is counted by `fuel`.
//!
//! Invariants:
//! 1. A rule that declares a secret and cannot have it never runs its op (D3).
//! 2. Outputs merge in the order of file names, whatever finished first (D9).
//! 3. The bytes of a credential end with the request: `Credentials` is dropped in `run`.
//! 4. Which bytes an `op://NAME` means is settled when rules are loaded, and stays so for
//!    every request that runs under them.
//! 5. What waits for a worker holds no credential, is stored sealed, and goes on once.
//! 6. Nothing but `trace` writes about a request, and it writes names, never values.
//!
//! Tests: beside the code; `tests/blackbox` runs whole workspaces.

#![forbid(unsafe_code)]

mod settings;
mod merge;
mod operations;
mod workspace;
mod mock;
mod modes;
mod snapshot;
mod known;
mod registry;
mod trace;
mod unusable;
mod ruleset;
mod space;
mod admission;
mod callers;
mod grant;
mod protect;
mod reply;
mod request;
mod count;
mod life;
mod places;
mod rooms;
mod outbound;
mod fuel;
mod walk;
mod flow;
mod live;
mod lint;
mod dispatch;
mod calling;
mod references;
mod scope;
mod held;
mod standing;
mod keeping;
mod suspend;
mod journey;
mod joining;
mod chassis;
mod proof;
mod walking;
mod resume;
mod waiting;

pub use admission::{NotAdmitted, Pass, Suspension, Terms};
pub use chassis::{Chassis, Parts};
pub use count::{Counted, Totals, Use};
pub use lint::Lint;
pub use mock::fits;
pub use operations::Operations;
pub use references::{Reference, newly_used, unpermitted_uses};
pub use registry::{OpSource, PinnedOps};
pub use request::{Outcome, Owing, Piece, Request, RequestFailure, Ticket, Watch, Watchers};
pub use ruleset::RuleSet;
pub use settings::{Mocks, Settings, Waiting};
pub use space::{NoRoute, Route, Space, Unbound};
pub use standing::{Joins, Stands};
pub use trace::{Retention, SecretUse, Step, Trace, TraceMode, TraceSettings, traced_requests};
pub use unusable::{LoadErrors, Missing};
pub use waiting::{Delivery, RunStatus};
pub use workspace::{Misplaced, RulePlace, Source, rule_place, sources};

#[cfg(test)]
#[allow(unreachable_pub, reason = "the fuzz crate exports what is a module here")]
#[path = "../../../../fuzz/src/merging.rs"]
mod merging;
#[cfg(test)]
mod tests;
