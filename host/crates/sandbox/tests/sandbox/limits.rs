//! Each limit as a pair with one guest: at the limit it succeeds, one above it is exactly its fault.

use std::time::{Duration, Instant};

use model::Fault;
use sandbox::{Error, Limits, Op, Over};

use crate::bench::{dialled, op};

const PAGE: u64 = 65_536;

#[track_caller]
fn pair(op: &Op, at: u64, above: u64, over: Over, fault: Fault) {
    assert_eq!(dialled(op, at).map(drop), Ok(()), "at the limit");
    let error = dialled(op, above).unwrap_err();
    assert_eq!(error, Error::Over(over), "one above");
    assert_eq!(error.failure().fault, fault);
    assert_eq!(dialled(op, at).map(drop), Ok(()), "the next call");
}

#[test]
fn memory() {
    let limits = Limits::default();
    let over = Over::Memory(limits.memory);
    let most = limits.memory as u64 / PAGE;
    pair(&op("memory", limits), most, most + 1, over, Fault::OpOverMemory);
}

#[test]
fn wall_clock() {
    let wall = Duration::from_millis(60);
    let limits = Limits { wall, ..Limits::default() };
    let op = op("spin", limits);
    assert!(dialled(&op, 10_000).is_ok());
    let start = Instant::now();
    assert_eq!(dialled(&op, u64::MAX >> 1), Err(Error::Over(Over::Time(wall))));
    let took = start.elapsed();
    assert!(took >= wall, "ended early, after {took:?}");
    // Milliseconds on an idle machine; this only says that it ends.
    assert!(took < wall * 20, "ended late, after {took:?}");
    assert!(dialled(&op, 10_000).is_ok());
    assert_eq!(Error::Over(Over::Time(wall)).failure().fault, Fault::OpOverTime);
}

#[test]
fn the_same_guest_may_run_as_long_as_its_limit_says() {
    let spin = |wall| dialled(&op("spin", Limits { wall, ..Limits::default() }), 100_000_000);
    assert!(spin(Duration::from_secs(60)).is_ok());
    assert_eq!(spin(Duration::from_millis(1)), Err(Error::Over(Over::Time(Duration::from_millis(1)))));
}

#[test]
fn the_clock_wakes_up_for_a_call_after_a_pause() {
    let op = op("spin", Limits { wall: Duration::from_millis(20), ..Limits::default() });
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(150));
        assert!(matches!(dialled(&op, u64::MAX >> 1), Err(Error::Over(Over::Time(_)))));
    }
}

#[test]
fn stack() {
    let limits = |stack| Limits { stack, ..Limits::default() };
    let small = op("recurse", limits(512 << 10));
    // The deepest recursion that fits, by halving.
    let (mut fits, mut too_deep) = (1, 1_000_000);
    while too_deep - fits > 1 {
        let middle = (fits + too_deep) / 2;
        if dialled(&small, middle).is_ok() { fits = middle } else { too_deep = middle }
    }
    assert!(fits > 1_000, "only {fits} calls deep");
    pair(&small, fits, fits + 1, Over::Stack(512 << 10), Fault::OpOverStack);
    assert!(dialled(&op("recurse", limits(768 << 10)), fits + 1).is_ok(), "not the limit, something else");
}

#[test]
fn tables() {
    let limits = Limits::default();
    // The component's own wiring has a table too; what is left of the limit is what counts.
    let op = op("table", limits);
    let most = (900..=1_000).rev().find(|n| dialled(&op, *n).is_ok()).unwrap();
    assert!(most > 990, "{most}");
    pair(&op, most, most + 1, Over::Tables(1_000), Fault::OpOverTables);
}

#[test]
fn host_calls() {
    let most = u64::from(Limits::default().host_calls);
    pair(
        &op("hostcalls", Limits::default()),
        most,
        most + 1,
        Over::HostCalls(10_000),
        Fault::OpOverHostCalls,
    );
}

#[test]
fn arguments() {
    let limits = Limits::default();
    let most = limits.argument_bytes as u64;
    let over = Over::Arguments(limits.argument_bytes);
    let op = op("arguments", limits);
    pair(&op, most, most + 1, over, Fault::OpOverArguments);
    // So much that the engine refuses to move it at all.
    assert_eq!(dialled(&op, 100 * PAGE), Err(Error::Over(over)));
}

#[test]
fn handles() {
    let most = u64::from(Limits::default().handles);
    pair(&op("handles", Limits::default()), most, most + 1, Over::Handles(64), Fault::OpOverHandles);
}

#[test]
fn log_lines_and_their_length() {
    let over = Over::Log { lines: 32, bytes: 1024 };
    let op = op("log", Limits::default());
    let dial = |lines: u64, bytes: u64| lines << 32 | bytes;
    pair(&op, dial(32, 1024), dial(33, 1024), over, Fault::OpOverLog);
    pair(&op, dial(1, 1024), dial(1, 1025), over, Fault::OpOverLog);
    assert_eq!(dialled(&op, dial(32, 10)).unwrap().log.len(), 32);
}

#[test]
fn output() {
    let limits = Limits::default();
    let most = limits.output as u64;
    let over = Over::Output(limits.output);
    let op = op("output", limits);
    pair(&op, most, most + 1, over, Fault::OpOverOutput);
    // So much that the engine refuses to move it at all.
    assert_eq!(dialled(&op, 100 * PAGE), Err(Error::Over(over)));
}
