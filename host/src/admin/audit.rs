//! What every administrative request leaves, also a denied or failed one: a log line, and a row of the audit.
//!
//! A change leaves its row in the transaction that made it (`store`). Looks, failures and
//! denials leave theirs here, and only so many a minute, so that nobody can fill the disk
//! by being refused; how many were left out is a row too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use store::{By, Store};

use super::error::AdminError;

/// How many rows a minute tell of requests that changed nothing.
const MOST_A_MINUTE: u32 = 120;
const MINUTE: Duration = Duration::from_secs(60);

/// What was asked, as far as it is known when it ends.
#[derive(Debug, Clone)]
pub(crate) struct Deed<'a> {
    /// Who asked.
    pub by: By<'a>,
    /// The tenant's identifier; `-` when it never came to that.
    pub tenant: &'a str,
    /// The name of the secret or op; `-` when the request has none, or none that may be logged.
    pub subject: &'a str,
    /// The verb.
    pub action: &'static str,
    /// What it does when it goes well.
    pub effect: Effect,
}

/// What a verb does when it goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes something, and the change has its row already.
    Change,
    /// It only looks.
    Look,
}

/// The audit, as the admin head writes it.
pub(crate) struct Audit {
    store: Arc<Store>,
    asides: Mutex<Asides>,
}

/// The rows of this minute that tell of no change.
struct Asides {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Audit {
    #[must_use]
    pub(super) fn new(store: Arc<Store>) -> Self {
        let asides = Mutex::new(Asides { since: Instant::now(), written: 0, left_out: 0 });
        Self { store, asides }
    }

    /// A request about secrets has ended. The order of the line's fields is the runbook's;
    /// `secret_action` is what operators grep for.
    pub(crate) fn of_secret<T>(&self, deed: &Deed<'_>, result: &Result<T, AdminError>) {
        let outcome = outcome(result);
        tracing::info!(
            actor_id = deed.by.label(),
            tenant_id = deed.tenant,
            secret_name = deed.subject,
            action = deed.action,
            outcome,
            "secret_action"
        );
        self.row("", deed, outcome);
    }

    /// The same about ops; with the digests that were pushed, so that the log tells which
    /// bytes came from whom.
    pub(crate) fn of_op<T>(&self, deed: &Deed<'_>, digests: &str, result: &Result<T, AdminError>) {
        let outcome = outcome(result);
        tracing::info!(
            actor_id = deed.by.label(),
            tenant_id = deed.tenant,
            op_name = deed.subject,
            action = deed.action,
            digests,
            outcome,
            "op_action"
        );
        self.row("op.", deed, outcome);
    }

    /// The same about tenants.
    pub(crate) fn of_tenant<T>(&self, deed: &Deed<'_>, result: &Result<T, AdminError>) {
        let outcome = outcome(result);
        tracing::info!(
            actor_id = deed.by.label(),
            tenant_id = deed.tenant,
            action = deed.action,
            outcome,
            "tenant_action"
        );
        self.row("tenant.", deed, outcome);
    }

    /// The same about people: actors, keys, members, invitations. They are in a file of their
    /// own, so a change has no row yet. What a path names is written only when it looks like
    /// one of their identifiers.
    pub(crate) fn of_actor<T>(&self, deed: &Deed<'_>, result: &Result<T, AdminError>) {
        let outcome = outcome(result);
        let good = !deed.subject.is_empty()
            && deed.subject.len() <= 80
            && deed.subject.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let deed = Deed { subject: if good { deed.subject } else { "-" }, ..deed.clone() };
        tracing::info!(
            actor_id = deed.by.label(),
            tenant_id = deed.tenant,
            subject = deed.subject,
            action = deed.action,
            outcome,
            "actor_action"
        );
        if (deed.effect, outcome) == (Effect::Change, "ok") {
            let action = format!("actor.{}", deed.action);
            self.write(&[store::Deed::new(deed.by, &action, deed.tenant, deed.subject).outcome(outcome)]);
        } else {
            self.row("actor.", &deed, outcome);
        }
    }

    fn row(&self, domain: &str, deed: &Deed<'_>, outcome: &'static str) {
        if (deed.effect, outcome) == (Effect::Change, "ok") {
            return;
        }
        let action = format!("{domain}{}", deed.action);
        let (room, left_out) = self.room();
        let mut rows = Vec::new();
        if left_out > 0 {
            let told = store::Deed::new(By::Chassis, "audit.left_out", "-", "-");
            rows.push(told.fact("count", left_out));
        }
        if room {
            rows.push(store::Deed::new(deed.by, &action, deed.tenant, deed.subject).outcome(outcome));
        }
        self.write(&rows);
    }

    /// Whether this minute has room for a row more, and how many the one before left out.
    fn room(&self) -> (bool, u64) {
        let mut asides = self.asides.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out = 0;
        if asides.since.elapsed() >= MINUTE {
            left_out = asides.left_out;
            *asides = Asides { since: Instant::now(), written: 0, left_out: 0 };
        }
        let room = asides.written < MOST_A_MINUTE;
        if room {
            asides.written += 1;
        } else {
            asides.left_out += 1;
        }
        (room, left_out)
    }

    /// A row that cannot be written does not undo what was only looked at or refused.
    fn write(&self, rows: &[store::Deed<'_>]) {
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.store.note(rows) {
            tracing::warn!(%error, "the audit could not be written");
        }
    }
}

fn outcome<T>(result: &Result<T, AdminError>) -> &'static str {
    result.as_ref().map_or_else(AdminError::outcome, |_| "ok")
}
