//! Each limit as a pair with one guest: at the limit it succeeds, one above it is exactly its fault.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Fault;
use sandbox::{Error, Limits, Op, Over, Trust};
use vault::Credentials;

use crate::bench::{Secrets, declared, dialled, input, name, nothing, op, sandbox};

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

/// The guest that uses keys, with leave to say what it made.
fn using(limits: Limits) -> Op {
    let manifest = "name = \"keys\"\n[[outputs]]\npath = \"p\"\nclass = \"digest\"";
    sandbox(limits).load(name("keys"), &declared("keys", manifest), Trust::Tenant).unwrap()
}

const DIGEST: u64 = 1 << 8;

#[test]
fn keys_are_handles_too() {
    let (op, secrets) = (using(Limits::default()), Secrets::new());
    let opened = |what: u64, count: u64| {
        let bags = secrets.bags(&op, "key", b"Jefe");
        op.call(input(count << 32 | what), bags, &Credentials::new()).map(drop)
    };
    assert_eq!(opened(14, 64), Ok(()));
    assert_eq!(opened(14, 65), Err(Error::Over(Over::Handles(64))));
    // One at a time there may be many.
    assert_eq!(opened(15, 1_000), Ok(()));
}

#[test]
fn what_is_signed_counts_as_argument() {
    let limits = Limits::default();
    let most = limits.argument_bytes as u64;
    let (op, secrets) = (using(limits), Secrets::new());
    let signed = |bytes: u64| {
        let bags = secrets.bags(&op, "key", b"Jefe");
        op.call(input(bytes << 32 | DIGEST | 12), bags, &Credentials::new()).map(drop)
    };
    // The name of the slot counts too.
    assert_eq!(signed(most - 3), Ok(()));
    assert_eq!(signed(most - 2), Err(Error::Over(Over::Arguments(1 << 20))));
}

#[test]
fn a_message_is_no_longer_than_what_a_guest_could_hold() {
    let limits = Limits { wall: Duration::from_secs(60), ..Limits::default() };
    let most = limits.memory;
    let (op, secrets) = (using(limits), Secrets::new());
    let signed = |times: u64| {
        let mut input = input(times << 32 | DIGEST | 13);
        let mut envelope = model::Envelope::default();
        envelope.receive_body(model::Value::Null, Arc::from(vec![0; 1 << 20]));
        input.envelope = Arc::new(envelope);
        op.call(input, secrets.bags(&op, "key", b"Jefe"), &Credentials::new()).map(drop)
    };
    assert_eq!(signed(32), Ok(()));
    assert_eq!(signed(33), Err(Error::Over(Over::Message(most))));
    assert_eq!(Over::Message(most).fault(), Fault::OpOverArguments);
}

#[test]
fn an_input_is_no_longer_than_what_a_guest_could_hold() {
    let memory = 1 << 20;
    let op = op("input", Limits { memory, ..Limits::default() });
    let asked = |bytes: usize| {
        let mut input = input(0);
        let text = "x".repeat(bytes - r#"{"x":""}"#.len());
        let document = [("x".to_owned(), model::Value::from(text.as_str()))].into_iter().collect();
        input.envelope = Arc::new(model::Envelope::new(document).unwrap());
        op.call(input, nothing(), &Credentials::new()).map(drop)
    };
    // The guest puts it behind its first 4 KiB.
    assert_eq!(asked(memory - 4096), Ok(()));
    assert_eq!(asked(memory + 1), Err(Error::Over(Over::Memory(memory))));
}

#[test]
fn a_host_call_does_not_outlive_the_call() {
    let wall = Duration::from_millis(5);
    let limits = Limits { wall, memory: 1 << 30, ..Limits::default() };
    let (op, secrets) = (using(limits), Secrets::new());
    let mut input = input(60 << 32 | DIGEST | 13);
    let mut envelope = model::Envelope::default();
    envelope.receive_body(model::Value::Null, Arc::from(vec![0; 16 << 20]));
    input.envelope = Arc::new(envelope);
    let bags = secrets.bags(&op, "key", b"Jefe");
    let start = Instant::now();
    // A gigabyte to sign takes half a second at best.
    assert_eq!(op.call(input, bags, &Credentials::new()), Err(Error::Over(Over::Time(wall))));
    let took = start.elapsed();
    assert!(took >= wall && took < wall * 20, "{took:?}");
}

#[test]
fn a_message_of_more_handles_than_there_may_be() {
    let (op, secrets) = (using(Limits::default()), Secrets::new());
    let signed = |times: u64| {
        let bags = secrets.bags(&op, "key", b"Jefe");
        op.call(input(times << 32 | DIGEST | 13), bags, &Credentials::new()).map(drop)
    };
    // The engine's own count, for lent ones: it stands behind ours with some room.
    assert_eq!(signed(64), Ok(()));
    assert_eq!(signed(200), Err(Error::Over(Over::Handles(64))));
}

#[test]
fn random_bytes_at_once() {
    pair(&op("random", Limits::default()), 4096, 4097, Over::Random(4096), Fault::OpOverRandom);
    assert_eq!(
        dialled(&op("random", Limits::default()), u64::from(u32::MAX)),
        Err(Error::Over(Over::Random(4096)))
    );
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
