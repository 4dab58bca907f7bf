//! Larger components have larger limits, each as a pair; and nothing of a secret stays in their memory.

use std::time::Duration;

use model::Fault;
use sandbox::{Error, Limits, Op, Over, Trust};

use crate::bench::{dialled, guest, name, sandbox};

const PAGE: u64 = 65_536;

/// A guest with so many bytes behind it that mean nothing.
fn padded(guest_name: &str, bytes: usize) -> Vec<u8> {
    let wasm = guest(guest_name);
    // A custom section: its number, its length (LEB128, always of four bytes), an empty name.
    let content = bytes - wasm.len() - 5;
    let length = (0..4).map(|at| (content >> (7 * at)) as u8 & 0x7f | if at < 3 { 0x80 } else { 0 });
    let section = [0].into_iter().chain(length).chain(std::iter::repeat_n(0, content));
    let padded: Vec<u8> = wasm.into_iter().chain(section).collect();
    assert_eq!(padded.len(), bytes);
    padded
}

fn large(guest_name: &str, limits: Limits) -> Op {
    let op =
        sandbox(limits).load(name(guest_name), &padded(guest_name, (1 << 20) + 1), Trust::Tenant).unwrap();
    assert!(op.large());
    op
}

#[track_caller]
fn pair(op: &Op, at: u64, above: u64, over: Over, fault: Fault) {
    assert_eq!(dialled(op, at).map(drop), Ok(()), "at the limit");
    assert_eq!(dialled(op, above), Err(Error::Over(over)), "one above");
    assert_eq!(over.fault(), fault);
    assert_eq!(dialled(op, at).map(drop), Ok(()), "the next call");
}

#[test]
fn a_component_is_large_by_its_bytes() {
    let load = |bytes| sandbox(Limits::default()).load(name("x"), &padded("memory", bytes), Trust::Tenant);
    assert!(!load(1 << 20).unwrap().large());
    assert!(load((1 << 20) + 1).unwrap().large());
}

#[test]
fn memory() {
    let limits = Limits { large_memory: 64 << 20, ..Limits::default() };
    let most = limits.large_memory as u64 / PAGE;
    pair(&large("memory", limits), most, most + 1, Over::Memory(64 << 20), Fault::OpOverMemory);
}

#[test]
fn tables() {
    let op = large("table", Limits::default());
    let most = (19_900..=20_000).rev().find(|n| dialled(&op, *n).is_ok()).unwrap();
    assert!(most > 19_990, "{most}");
    pair(&op, most, most + 1, Over::Tables(20_000), Fault::OpOverTables);
}

#[test]
fn wall_clock() {
    let spin = |wall: Duration, large_wall| {
        dialled(&large("spin", Limits { wall, large_wall, ..Limits::default() }), 100_000_000).map(drop)
    };
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(60));
    assert_eq!(spin(short, long), Ok(()));
    assert_eq!(spin(long, short), Err(Error::Over(Over::Time(short))));
}
