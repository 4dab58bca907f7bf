//! What can end a call before its own limits do: the rule's deadline, and a caller who left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// How often a call looks whether its caller is still there.
const LOOK: Duration = Duration::from_millis(10);

/// Held by whoever waits for a call. When it is dropped the call ends within some
/// milliseconds: nobody would take its output.
#[derive(Debug, Default)]
pub struct Waiting(Arc<AtomicBool>);

/// What a call is tied to; the default is nothing.
#[derive(Debug, Clone, Default)]
pub struct Leash {
    /// When it ends at the latest.
    pub until: Option<Instant>,
    left: Option<Arc<AtomicBool>>,
}

impl Waiting {
    /// A leash of this hand.
    #[must_use]
    pub fn leash(&self, until: Instant) -> Leash {
        Leash { until: Some(until), left: Some(Arc::clone(&self.0)) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

impl Leash {
    /// What a call may take that could take `wall` by itself.
    pub(crate) fn time(&self, wall: Duration) -> Duration {
        self.until.map_or(wall, |until| wall.min(until.saturating_duration_since(Instant::now())))
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_loose(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(SeqCst))
    }

    /// How long a call runs that has `left`, before it is looked at again.
    pub(crate) fn stride(&self, left: Duration) -> Duration {
        if self.left.is_some() { left.min(LOOK) } else { left }
    }
}
