//! What the walls cost: calls of an op beside the same work done natively, in one run.
//!
//! Microseconds differ between machines and hours, ratios hardly: native and sandboxed
//! rounds alternate, and what is told is the median of the rounds' ratios.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use vault::OpBags;
use wasmtime::Store;

use crate::engine::Memories;
use crate::guest::Way;
use crate::hostcalls::Host;
use crate::leash::Leash;
use crate::{CodeCache, Error, Limits, Op, OpInput, Sandbox};

/// A sandbox whose guests run in memory as the engine hands it out by default: neither locked
/// nor wiped. To measure against; no secret that matters belongs in it.
///
/// # Errors
/// [`Error::Engine`].
pub fn stock(limits: Limits) -> Result<Sandbox, Error> {
    Sandbox::on(Memories::Stock, Way::Quickest, limits, CodeCache::Off)
}

/// A sandbox that calls every op through the engine's component layer, as it does those that are
/// not wired as usual. To compare with.
///
/// # Errors
/// [`Error::Engine`].
pub fn layered(limits: Limits) -> Result<Sandbox, Error> {
    Sandbox::on(Memories::Own, Way::Component, limits, CodeCache::Off)
}

/// An instance after its one call, with all its memory, until it is dropped.
pub struct Live {
    _store: Store<Host>,
}

impl Live {
    /// Calls `op` and keeps the instance.
    ///
    /// # Errors
    /// As [`Op::call`].
    pub fn after(op: &Op, input: OpInput, bags: OpBags) -> Result<Self, Error> {
        let (store, returned) = op.called(input, bags, &Leash::default())?;
        returned.map(|_| Self { _store: store })
    }
}

/// Bytes of this process that are in memory; `None` where the system does not tell.
#[must_use]
pub fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kib.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// What is measured.
pub struct Subject<'a, T> {
    /// Makes what one call uses up, such as its bags of secrets; its time is not taken.
    pub prepare: &'a (dyn Fn() -> T + Sync),
    /// One call.
    pub call: &'a (dyn Fn(T) + Sync),
    /// The same work without walls.
    pub native: &'a (dyn Fn() + Sync),
}

/// A call beside the native work.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// How many times as long the call took: the median of the rounds.
    pub ratio: f64,
    /// One call, median of the rounds.
    pub call: Duration,
    /// The native work, median of the rounds.
    pub native: Duration,
}

/// Calls per second of several threads at once.
#[derive(Debug, Clone, Copy)]
pub struct Throughput {
    /// Of the op.
    pub calls: f64,
    /// Of the native work.
    pub native: f64,
}

impl<T> Subject<'_, T> {
    /// Times `rounds` of `calls` calls each, after one round that warms up.
    #[must_use]
    pub fn beside(&self, rounds: u32, calls: u32) -> Beside {
        let round = |_| {
            let native = timed(calls, || (self.native)());
            (self.call_all(self.prepared(calls)) / calls, native)
        };
        round(0);
        let rounds: Vec<_> = (0..rounds.max(1)).map(round).collect();
        let ratios = rounds.iter().map(|(call, native)| call.as_secs_f64() / native.as_secs_f64());
        Beside {
            ratio: median(ratios.collect()),
            call: Duration::from_secs_f64(median(
                rounds.iter().map(|(call, _)| call.as_secs_f64()).collect(),
            )),
            native: Duration::from_secs_f64(median(rounds.iter().map(|(_, n)| n.as_secs_f64()).collect())),
        }
    }

    /// Minor page faults of `calls` warm calls; `None` where the system does not tell.
    #[must_use]
    pub fn faults(&self, calls: u32) -> Option<u64> {
        self.call_all(self.prepared(calls.min(1_000)));
        let prepared = self.prepared(calls);
        let before = faults()?;
        self.call_all(prepared);
        Some(faults()?.saturating_sub(before))
    }

    /// Lets `threads` threads make `calls` calls each, `rounds` times, native work in
    /// between; the medians.
    #[must_use]
    pub fn throughput(&self, threads: usize, rounds: u32, calls: u32) -> Throughput {
        let per_second = |took: Duration| threads as f64 * f64::from(calls) / took.as_secs_f64();
        let native = |_| per_second(at_once(threads, || (), |()| timed(calls, || (self.native)()) * calls));
        let sandboxed =
            |_| per_second(at_once(threads, || self.prepared(calls), |prepared| self.call_all(prepared)));
        let rounds: Vec<_> = (0..rounds.max(1)).map(|round| (native(round), sandboxed(round))).collect();
        Throughput {
            native: median(rounds.iter().map(|(native, _)| *native).collect()),
            calls: median(rounds.iter().map(|(_, calls)| *calls).collect()),
        }
    }

    fn prepared(&self, calls: u32) -> Vec<T> {
        (0..calls).map(|_| (self.prepare)()).collect()
    }

    fn call_all(&self, prepared: Vec<T>) -> Duration {
        let start = Instant::now();
        prepared.into_iter().for_each(|one| (self.call)(one));
        start.elapsed()
    }
}

/// The middle value; of none, zero.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Time of one run of `work`, over `times` of them.
#[must_use]
pub fn timed(times: u32, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..times).for_each(|_| work());
    start.elapsed() / times.max(1)
}

/// Does `work` on several threads from one moment on: how long until the last is done.
fn at_once<P>(
    threads: usize,
    prepare: impl Fn() -> P + Sync,
    work: impl Fn(P) -> Duration + Sync,
) -> Duration {
    let all_prepared = Barrier::new(threads);
    thread::scope(|scope| {
        let one = || {
            let prepared = prepare();
            all_prepared.wait();
            work(prepared)
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        // A thread that panicked has printed why; it did no work in no time.
        running.into_iter().filter_map(|thread| thread.join().ok()).max().unwrap_or_default()
    })
}

/// Minor page faults of this thread so far.
fn faults() -> Option<u64> {
    let stat = fs::read_to_string("/proc/thread-self/stat").ok()?;
    // The name in parentheses may hold anything; the tenth field overall is the eighth after it.
    stat.rsplit(')').next()?.split_whitespace().nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn spin(times: u32) {
        (0..times).for_each(|i| {
            black_box(i);
        });
    }

    #[test]
    fn what_takes_ten_times_as_long_is_told_so() {
        let subject = Subject { prepare: &|| 100_000, call: &spin, native: &|| spin(10_000) };
        let beside = subject.beside(9, 10);
        assert!((7.0..14.0).contains(&beside.ratio), "{beside:?}");
        assert!(beside.call > beside.native);
    }

    #[test]
    fn faults_are_counted() {
        let touch = |bytes: usize| drop(black_box(vec![1_u8; bytes]));
        let subject = Subject { prepare: &|| 64 << 20, call: &touch, native: &|| () };
        // So much is a fresh mapping each time, even of huge pages.
        assert!(subject.faults(5).is_some_and(|faults| faults >= 5));
        let idle = Subject { prepare: &|| 1, call: &spin, native: &|| () };
        assert!(idle.faults(50).is_some_and(|faults| faults < 50));
    }

    #[test]
    fn threads_are_measured_together() {
        let subject = Subject { prepare: &|| 50_000, call: &spin, native: &|| spin(50_000) };
        let one = subject.throughput(1, 5, 50);
        assert!(one.calls > 0.0 && one.native > 0.0);
        let ratio = one.calls / one.native;
        assert!((0.5..2.0).contains(&ratio), "{one:?}");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![3.0, 100.0, 1.0]), 3.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
