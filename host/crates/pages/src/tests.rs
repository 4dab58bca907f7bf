//! What this crate promises, read back from the kernel's own account of the process.

use std::sync::Arc;

use crate::{Error, Locked, Pocket, Reservations, Shape};

const PAGE: usize = 64 * 1024;
const SHAPE: Shape = Shape { reservation: 1 << 32, guard: 1 << 25, accessible: PAGE };

/// The `/proc/self/smaps` entry of the mapping that `address` lies in.
fn smaps(address: usize) -> String {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut entry = String::new();
    let mut found = false;
    for line in text.lines() {
        let range = line.split_whitespace().next().and_then(|r| r.split_once('-'));
        let bounds = range.and_then(|(a, b)| {
            Some((usize::from_str_radix(a, 16).ok()?, usize::from_str_radix(b, 16).ok()?))
        });
        if let Some((start, end)) = bounds {
            found = (start..end).contains(&address);
        }
        if found {
            entry.push_str(line);
            entry.push('\n');
        }
    }
    assert!(!entry.is_empty(), "no mapping at {address:x}");
    entry
}

fn flags(address: usize) -> Vec<String> {
    let entry = smaps(address);
    let line = entry.lines().find_map(|l| l.strip_prefix("VmFlags:")).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

fn rights(address: usize) -> String {
    smaps(address).split_whitespace().nth(1).unwrap().to_owned()
}

/// Fills what a guest could write, as wasm does: through the pointer's address.
fn scribble(memory: &mut crate::Reservation) {
    memory.bytes_mut().fill(0xAA);
}

#[test]
fn locked_bytes_are_locked_undumpable_and_wiped_on_fork() {
    let mut key = Locked::zeroed(32).unwrap();
    assert_eq!(key.bytes(), [0; 32]);
    key.bytes_mut().fill(7);
    assert_eq!(key.bytes(), [7; 32]);
    let flags = flags(key.bytes().as_ptr() as usize);
    for flag in ["lo", "dd", "wf"] {
        assert!(flags.iter().any(|f| f == flag), "{flag} is missing in {flags:?}");
    }
}

#[test]
fn what_is_opened_for_a_call_is_locked_and_in_no_core_dump_whatever_its_length() {
    for len in [0, 1, 64, 65, 512, 4096, 4097, 256 << 10] {
        let pocket = Pocket::zeroed(len);
        assert_eq!((pocket.len(), pocket.bytes().len(), pocket.is_empty()), (len, len, len == 0));
        let flags = flags(pocket.bytes().as_ptr() as usize);
        for flag in ["lo", "dd", "wf"] {
            assert!(flags.iter().any(|f| f == flag), "{len} bytes: {flag} is missing in {flags:?}");
        }
    }
}

#[test]
fn pockets_have_bytes_of_their_own_and_share_pages() {
    let fill = |number: u8| {
        let mut pocket = Pocket::zeroed(48);
        assert_eq!(pocket.bytes(), [0; 48], "a former owner's bytes");
        pocket.bytes_mut().fill(number);
        pocket
    };
    for round in 1..=3 {
        let pockets: Vec<_> = (0..1_000).map(|number| fill((number % 251) as u8)).collect();
        for (number, pocket) in pockets.iter().enumerate() {
            assert_eq!(pocket.bytes(), [(number % 251) as u8; 48], "round {round}, number {number}");
        }
        let mut pages: Vec<_> = pockets.iter().map(|p| p.bytes().as_ptr() as usize / 4096).collect();
        pages.sort_unstable();
        pages.dedup();
        assert!(pages.len() < 1_000 / 8, "{} pages", pages.len());
    }
}

#[test]
fn a_page_that_faults_follows_locked_bytes() {
    let key = Locked::zeroed(4096).unwrap();
    assert_eq!(rights(key.bytes().as_ptr() as usize), "rw-p");
    assert_eq!(rights(key.bytes().as_ptr() as usize + 4096), "---p");
}

#[test]
fn any_length_is_given_and_comes_back_zero() {
    for round in 0..3 {
        for len in [0, 1, 4095, 4096, 4097, 65_536] {
            let mut bytes = Locked::zeroed(len).unwrap();
            assert_eq!(bytes.bytes().len(), len);
            assert!(
                bytes.bytes().iter().all(|b| *b == 0),
                "round {round}, {len} bytes: a former owner's bytes"
            );
            bytes.bytes_mut().fill(0xAA);
        }
    }
    assert!(matches!(Locked::zeroed(usize::MAX), Err(Error::NoMemory { .. })));
}

#[test]
fn a_memory_is_recycled_wiped() {
    let pool = Reservations::new(4);
    let mut memory = pool.take(SHAPE).unwrap();
    let first = memory.base();
    scribble(&mut memory);
    drop(memory);
    assert_eq!(pool.idle(), 1);
    let memory = pool.take(SHAPE).unwrap();
    assert_eq!(memory.base(), first, "not recycled");
    assert!(memory.bytes().iter().all(|b| *b == 0));
    assert_eq!(memory.accessible(), PAGE);
}

#[test]
fn a_memory_that_grew_is_shrunk_before_it_is_recycled() {
    // By a page, which stays for the next, and by more.
    for (pages, stays) in [(2, true), (3, false)] {
        let pool = Reservations::new(4);
        let mut memory = pool.take(SHAPE).unwrap();
        let base = memory.base().as_ptr() as usize;
        memory.grow_to(pages * PAGE).unwrap();
        assert_eq!(rights(base + PAGE), "rw-p");
        scribble(&mut memory);
        drop(memory);
        assert_eq!(rights(base + PAGE), "---p");
        assert_eq!(flags(base + PAGE).iter().any(|flag| flag == "lo"), stays, "{pages} pages");
        let mut memory = pool.take(SHAPE).unwrap();
        assert_eq!((memory.base().as_ptr() as usize, memory.accessible()), (base, PAGE));
        memory.grow_to(3 * PAGE).unwrap();
        assert!(memory.bytes().iter().all(|b| *b == 0), "grown memory holds a former guest's bytes");
    }
}

#[test]
fn only_the_same_shape_is_recycled() {
    let pool = Reservations::new(4);
    let base = pool.take(SHAPE).unwrap().base();
    for other in [
        Shape { accessible: 2 * PAGE, ..SHAPE },
        Shape { guard: PAGE, ..SHAPE },
        Shape { reservation: 1 << 20, ..SHAPE },
    ] {
        assert_ne!(pool.take(other).unwrap().base(), base, "{other:?}");
    }
}

#[test]
fn sizes_that_break_the_guard_are_refused() {
    let pool = Reservations::new(4);
    let small = Shape { reservation: PAGE, guard: PAGE, accessible: PAGE };
    let mut memory = pool.take(small).unwrap();
    assert_eq!(memory.grow_to(2 * PAGE), Err(Error::Size { bytes: 2 * PAGE, capacity: PAGE }));
    assert!(pool.take(Shape { accessible: 2 * PAGE, ..small }).is_err());
    assert!(pool.take(Shape { accessible: 100, ..small }).is_err());
    assert!(pool.take(Shape { reservation: usize::MAX, ..small }).is_err());
}

#[test]
fn the_oldest_idle_memory_goes_when_there_are_too_many() {
    let pool = Reservations::new(2);
    let in_use: Vec<_> = (0..5).map(|_| pool.take(SHAPE).unwrap()).collect();
    drop(in_use);
    assert_eq!(pool.idle(), 2);
}

#[test]
fn memories_are_taken_and_put_back_from_many_threads() {
    let pool = Reservations::new(8);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let pool = Arc::clone(&pool);
            std::thread::spawn(move || {
                for round in 0..200 {
                    let mut pocket = Pocket::zeroed(round);
                    assert!(pocket.bytes().iter().all(|b| *b == 0));
                    pocket.bytes_mut().fill(0xAA);
                    let mut memory = pool.take(SHAPE).unwrap();
                    assert!(memory.bytes().iter().all(|b| *b == 0));
                    scribble(&mut memory);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(pool.idle() <= 8);
}
