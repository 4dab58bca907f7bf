//! The clock that ends calls: a thread that advances the engine's epoch while calls run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wasmtime::Engine;

use crate::Error;

/// How often the epoch advances, and so how exact a deadline is.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call after which the clock sleeps, so that an idle chassis is idle.
const IDLE_TICKS: u32 = 100;

/// Advances the epoch every millisecond, by an absolute schedule: a naive sleep per tick
/// drifts, and a deadline of 250 ms was measured to end 51 ms late.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    engine: Engine,
    running: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// A call that runs; while there is one the clock does not sleep.
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new().name("txco-epoch".to_owned()).spawn(move || its.tick());
        Ok(Self { shared, thread: Some(thread.map_err(|_| Error::Engine)?) })
    }

    /// Announces a call, and wakes the clock if it sleeps.
    pub(crate) fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.wake();
        }
        Running(&self.shared)
    }

    /// The deadline, in epochs from now, of a call that may take `wall`: one more, because
    /// the current tick is already under way.
    pub(crate) fn epochs(wall: Duration) -> u64 {
        u64::try_from(wall.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Shared {
    fn tick(&self) {
        let mut next = Instant::now() + TICK;
        let mut idle = 0;
        while !self.stop.load(SeqCst) {
            idle = if self.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
            if idle > IDLE_TICKS {
                self.sleep();
                (next, idle) = (Instant::now() + TICK, 0);
                continue;
            }
            match next.checked_duration_since(Instant::now()) {
                Some(early) if !early.is_zero() => thread::park_timeout(early),
                // On time or late: every tick that was missed is made up for.
                _ => {
                    self.engine.increment_epoch();
                    next += TICK;
                }
            }
        }
    }

    /// Sleeps until a call announces itself. `asleep` is set before `running` is looked at
    /// and a call does the reverse, so one of the two sees the other.
    fn sleep(&self) {
        self.asleep.store(true, SeqCst);
        while self.running.load(SeqCst) == 0 && !self.stop.load(SeqCst) {
            thread::park();
        }
        self.asleep.store(false, SeqCst);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say; a panic in it would have been the engine's.
            let _ended = thread.join();
        }
    }
}
