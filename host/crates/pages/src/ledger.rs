//! Counts what is locked and what had to stay unlocked, for the whole process (R24).

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};

/// How much of `RLIMIT_MEMLOCK` memory of one kind may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Guests' memories: many, and a tenant decides how large they grow.
    Half,
    /// Keys and credentials: few and small, and guests must not be able to crowd them out.
    Whole,
}

/// Bytes of one mapping by how they are held.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) locked: usize,
    pub(crate) unlocked: usize,
}

/// The most memories that keep pages of what they grew while they lie idle.
const MOST_SPARES: usize = 8;

static SPARES: AtomicUsize = AtomicUsize::new(0);
static LOCKED: AtomicUsize = AtomicUsize::new(0);
static UNLOCKED: AtomicUsize = AtomicUsize::new(0);

/// Bytes that should be locked and are not, because the limit or the system refused.
#[must_use]
pub fn unlocked_bytes() -> u64 {
    UNLOCKED.load(Ordering::Relaxed) as u64
}

/// The most that `share` may lock: `None` is no limit.
pub(crate) fn limit(share: Share) -> Option<u64> {
    let soft = getrlimit(Resource::Memlock).current?;
    Some(match share {
        Share::Half => soft / 2,
        Share::Whole => soft,
    })
}

/// Takes `bytes` from the budget, when it has them.
pub(crate) fn claim(bytes: usize, share: Share) -> bool {
    let most = limit(share).map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let more = |now: usize| now.checked_add(bytes).filter(|sum| *sum <= most);
    LOCKED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

/// Counts `bytes` as unlocked.
pub(crate) fn count_unlocked(bytes: usize) {
    UNLOCKED.fetch_add(bytes, Ordering::Relaxed);
}

/// Gives back what a mapping held.
pub(crate) fn release(tally: Tally) {
    LOCKED.fetch_sub(tally.locked, Ordering::Relaxed);
    UNLOCKED.fetch_sub(tally.unlocked, Ordering::Relaxed);
}

/// Leave to keep pages of what was grown, given to so many memories of the process.
pub(crate) struct Spare(());

impl Spare {
    pub(crate) fn claim() -> Option<Self> {
        let more = |now: usize| (now < MOST_SPARES).then_some(now + 1);
        SPARES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(()))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        SPARES.fetch_sub(1, Ordering::Relaxed);
    }
}
