//! What every administrative request leaves, also a denied or failed one: a log line, and a row of the audit.
//!
//! A change leaves its row in the transaction that made it (`store`), in the chain of the file
//! that it changes. Looks, failures and
//! denials leave theirs here, and only so many a minute, so that nobody can fill the disk
//! by being refused; how many were left out is a row too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::{Hostname, OpName, SecretName, StackName};
use store::{By, Store};

use super::error::AdminError;

/// How many rows a minute tell of requests that changed nothing.
const MOST_A_MINUTE: u32 = 120;
const MINUTE: Duration = Duration::from_secs(60);

/// What was asked, as far as it is known when it ends.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    /// What it is done to.
    pub kind: Kind,
    /// The verb.
    pub action: &'static str,
    /// What it does when it goes well.
    pub effect: Effect,
    /// Who asked; `-` when nobody knows.
    pub by: String,
    /// The tenant's identifier; `-` when it never came to that.
    pub tenant: String,
    /// What it is about. It is written down only when it is a name: a path can contain anything.
    pub subject: String,
    /// Which bytes were pushed.
    pub digests: String,
}

/// What somebody does something to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The secrets of a tenant; `secret_action` is what operators grep for.
    Secret,
    /// The ops of a tenant, with the digests that were pushed, so that the log tells which
    /// bytes came from whom.
    Op,
    /// A tenant itself.
    Tenant,
    /// The stacks of a tenant: their versions and files.
    Stack,
    /// The hosts of a tenant.
    Hostname,
    /// People: actors, keys, members, invitations.
    Actor,
    /// Requests that wait.
    Run,
}

impl Deed {
    /// Somebody wants to do `action` to something of this kind.
    pub(crate) fn new(kind: Kind, action: &'static str, effect: Effect) -> Self {
        let nobody = || "-".to_owned();
        let (by, tenant, subject) = (nobody(), nobody(), nobody());
        Self { kind, action, effect, by, tenant, subject, digests: String::new() }
    }

    fn subject(&self) -> &str {
        let text = self.subject.as_str();
        let is_name = match self.kind {
            Kind::Secret => SecretName::parse(text).is_ok(),
            Kind::Op => OpName::parse(text).is_ok(),
            Kind::Tenant => false,
            Kind::Stack => StackName::parse(text).is_ok(),
            Kind::Hostname => Hostname::parse(text).is_ok_and(|host| host.as_str() == text),
            Kind::Actor | Kind::Run => is_identifier(text),
        };
        if is_name { text } else { "-" }
    }
}

fn is_identifier(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Kind {
    /// How the line of the log is called.
    const fn event(self) -> &'static str {
        match self {
            Self::Secret => "secret_action",
            Self::Op => "op_action",
            Self::Tenant => "tenant_action",
            Self::Stack => "stack_action",
            Self::Hostname => "hostname_action",
            Self::Actor => "actor_action",
            Self::Run => "run_action",
        }
    }

    /// What stands before the verb in a row.
    const fn domain(self) -> &'static str {
        match self {
            Self::Secret => "",
            Self::Op => "op.",
            Self::Tenant => "tenant.",
            Self::Stack => "stack.",
            Self::Hostname => "hostname.",
            Self::Actor => "actor.",
            Self::Run => "run.",
        }
    }
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

    /// A request has ended. The order of the line's fields is the runbook's.
    pub(crate) fn of<T>(&self, deed: &Deed, result: &Result<T, AdminError>) {
        let outcome = result.as_ref().map_or_else(AdminError::outcome, |_| "ok");
        let named = |kind| (deed.kind == kind).then(|| deed.subject());
        tracing::info!(
            actor_id = deed.by,
            tenant_id = deed.tenant,
            secret_name = named(Kind::Secret),
            op_name = named(Kind::Op),
            stack = named(Kind::Stack),
            hostname = named(Kind::Hostname),
            subject = named(Kind::Actor),
            run = named(Kind::Run),
            action = deed.action,
            digests = (deed.kind == Kind::Op).then_some(deed.digests.as_str()),
            outcome,
            "{}",
            deed.kind.event()
        );
        let action = format!("{}{}", deed.kind.domain(), deed.action);
        let row =
            store::Deed::new(By::Actor(&deed.by), &action, &deed.tenant, deed.subject()).outcome(outcome);
        // A change has its row already.
        if (deed.effect, outcome) != (Effect::Change, "ok") {
            self.aside(row);
        }
    }

    fn aside(&self, row: store::Deed<'_>) {
        let (room, left_out) = self.room();
        let mut rows = Vec::new();
        if left_out > 0 {
            let told = store::Deed::new(By::Chassis, "audit.left_out", "-", "-");
            rows.push(told.fact("count", left_out));
        }
        if room {
            rows.push(row);
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
