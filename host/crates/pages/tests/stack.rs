//! What a call spilled on the stack is gone after it was cleared, however deep the call went.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::thread;

use txco_pages::clearing_stack;

const MOST: usize = 600 << 10;
/// Every byte inverted, so that the text itself stands where the test puts it and nowhere else.
const INVERTED: [u8; 16] = *b"\x8c\x8f\x96\x93\x93\x9a\x9b\xd2\x90\x91\xd2\x8b\x97\x9a\xce\xcd";

/// Leaves the text on the stack, once per KiB of so many.
#[inline(never)]
fn spill(kib: usize) {
    let mut frame = [0_u8; 1024];
    let text = INVERTED.map(|byte| !byte);
    if let Some(place) = frame.get_mut(500..516) {
        place.copy_from_slice(&text);
    }
    black_box(&mut frame);
    if kib > 1 {
        spill(kib - 1);
    }
    black_box(&mut frame);
}

/// How often the text stands within `MOST` bytes below the frame that `here` lies in.
#[inline(never)]
fn left(here: usize) -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut bytes = vec![0; MOST];
    memory.read_exact_at(&mut bytes, (here - MOST) as u64).unwrap();
    let found = bytes.windows(16).filter(|window| window.iter().zip(INVERTED).all(|(a, b)| *a == !b)).count();
    bytes.fill(0);
    black_box(&bytes);
    found
}

/// What is left of a call so deep, without and with clearing.
fn after(kib: usize, most: usize) -> (usize, usize) {
    let measured = move || {
        let anchor = black_box(0_u8);
        let here = &raw const anchor as usize;
        spill(kib);
        let before = left(here);
        clearing_stack(most, || spill(kib));
        (before, left(here))
    };
    thread::Builder::new().stack_size(4 << 20).spawn(measured).unwrap().join().unwrap()
}

#[test]
fn nothing_is_left_at_any_depth() {
    for kib in [1, 8, 14, 17, 19, 40, 300, 450] {
        let (before, cleared) = after(kib, MOST);
        // The search itself is a call, and overwrites the uppermost frames.
        assert!(kib < 14 || before > kib / 2, "{kib} KiB deep: only {before} were there at all");
        assert_eq!(cleared, 0, "{kib} KiB deep");
    }
}

#[test]
fn no_more_is_cleared_than_was_asked_for() {
    let (before, cleared) = after(400, 64 << 10);
    assert!(before > 300 && cleared > 250, "{before} and {cleared}");
}

#[test]
fn the_work_returns_what_it_made_and_may_panic() {
    assert_eq!(clearing_stack(MOST, || vec![1, 2, 3]), [1, 2, 3]);
    assert!(std::panic::catch_unwind(|| clearing_stack(MOST, || panic!("x"))).is_err());
}
