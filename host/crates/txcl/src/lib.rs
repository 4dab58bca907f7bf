//! Rule text to checked rules, and their evaluation; pure.
//!
//! **Use it when** a rule file is to be compiled ([`compile()`]), checked for people
//! ([`check`]) or run over an envelope ([`Rule`]). **Not when** the op it names is to be
//! called (go to `chassis`), a secret opened (`vault`) or a request sent (`egress`): here
//! secrets are names and credentials are numbers. The language is described in
//! `host/docs/txcl.md`.
//!
//! The life of a rule in one request: [`Rule::matches`], [`Rule::prepare`], the op (not
//! here), [`Rule::overlay`], the merge (not here), [`Rule::after`].
//!
//! Invariants:
//! 1. A [`Rule`] is immutable, and compiled once: no request can leave anything in it (E1).
//! 2. Compiling and evaluating are total: whatever the text and the envelope, they return
//!    or fail; nesting, size and what one evaluation writes are bounded.
//! 3. Every mistake has a place in the file, and a file is searched to its end.
//! 4. A credential is moved, joined, or compared with `null`; whatever else meets one fails
//!    with `credential_not_inspectable` (R1).
//! 5. Which secrets a rule can use, where they go and what it runs is known before it
//!    runs: names, formats, places and EXEC are literals.
//! 6. A failure names clause, path and line, never a value.
//!
//! Tests: beside the code; `compile/tests/` has the listings of the runbook, the examples
//! of the manual and random soups; `tests/vectors/txcl` the files.
#![forbid(unsafe_code)]

mod diagnostic;
mod clock;
mod token;
mod lexer;
mod similar;
mod number;
mod coerce;
mod budget;
mod function;
mod expr;
mod pattern;
mod condition;
mod cursor;
mod meant;
mod value;
mod when;
mod clause;
mod split;
mod control;
mod exec;
mod header;
mod ops;
mod secrets;
mod request;
mod params;
mod hidden;
mod waits;
mod rule;
mod kept;
mod flow;
mod build;
mod compile;
mod gap;
mod format;

pub use clock::Clock;
pub use compile::{check, compile};
pub use condition::Tested;
pub use control::{author_may_write, reply_may_write};
pub use diagnostic::{Color, Diagnostic, Diagnostics, Mode, RuleFile, Severity};
pub use exec::Exec;
pub use flow::Leads;
pub use format::format;
pub use hidden::Hidden;
pub use ops::{AnyOps, Known, Ops};
pub use request::{
    HTTP_PARAMS, IDEMPOTENCY_KEY, MAX_RETRIES, credential_hosts, credentials, duration, is_idempotent,
    query_value, retries,
};
pub use rule::{Prepared, Rule, Written};
pub use waits::Waits;
