//! What the process gives up at its start, so that its memory stays its own.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::ledger::{Share, limit};

/// What [`harden`] reached; the host says so in one line at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardened {
    /// How many bytes of guests' memories can be locked (half of `RLIMIT_MEMLOCK`);
    /// `None` when there is no limit.
    pub memlock_budget: Option<u64>,
    /// Whether the kernel will write no core file of this process.
    pub core_dumps_off: bool,
    /// Whether other processes of the same user are kept from attaching to this one.
    pub undumpable: bool,
}

/// Raises the soft memory-lock limit to the hard one, and turns core dumps and
/// attaching by other processes of the same user off. Called once, by the host,
/// before any secret is in memory. What is refused is reported, not fatal.
#[must_use]
pub fn harden() -> Hardened {
    let memlock = getrlimit(Resource::Memlock);
    // Refused only where the limits forbid it; the budget below says what we have.
    let raised = setrlimit(Resource::Memlock, Rlimit { current: memlock.maximum, maximum: memlock.maximum });
    debug_assert!(raised.is_ok());
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    Hardened {
        memlock_budget: limit(Share::Half),
        core_dumps_off: setrlimit(Resource::Core, none).is_ok(),
        undumpable: set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok(),
    }
}
