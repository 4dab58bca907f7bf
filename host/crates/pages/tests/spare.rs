//! The pages that memories keep of what they grew: how many, that nobody can touch them, and what it saves.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use txco_pages::{Reservation, Reservations, Shape, unlocked_bytes};

const PAGE: usize = 64 * 1024;
const SHAPE: Shape = Shape { reservation: 1 << 32, guard: 1 << 25, accessible: PAGE };
const MOST: usize = 8;

/// Kilobytes by this name of the mapping at `address`, and its rights.
fn mapping(address: usize, name: &str) -> (usize, String) {
    let text = fs::read_to_string("/proc/self/smaps").unwrap();
    let begins = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let [start, end] = [start, end].map(|hex| usize::from_str_radix(hex, 16).ok());
        Some((start?..end?).contains(&address))
    };
    let mut lines = text.lines().skip_while(|line| begins(line) != Some(true));
    let rights = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let kib = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    (kib.trim().trim_end_matches(" kB").parse().unwrap(), rights)
}

/// Kilobytes behind the first page that are in memory and locked, though nobody may touch them.
fn spare(base: usize) -> usize {
    let (resident, rights) = mapping(base + PAGE, "Rss");
    assert_eq!(rights, "---p");
    let (locked, _) = mapping(base + PAGE, "Locked");
    assert_eq!(locked, resident, "what is kept is locked");
    resident
}

fn base(memory: &Reservation) -> usize {
    memory.base().as_ptr() as usize
}

/// Minor page faults of this thread so far.
fn faults() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(7).unwrap().parse().unwrap()
}

#[test]
fn eight_memories_keep_a_page_each_and_the_next_who_grows_faults_none() {
    // Half of it is for guests: what this test locks at once, and no more.
    let budget = (2 * MOST * 2 * PAGE) as u64;
    let hard = getrlimit(Resource::Memlock).maximum;
    setrlimit(Resource::Memlock, Rlimit { current: Some(2 * budget), maximum: hard }).unwrap();

    let pool = Reservations::new(4 * MOST);
    let grown = |pages: usize| {
        let mut memory = pool.take(SHAPE).unwrap();
        memory.grow_to(pages * PAGE).unwrap();
        memory
    };
    // What grew further gives all of it back.
    let further = grown(3);
    let at = base(&further);
    drop(further);
    assert_eq!(spare(at), 0);

    let many: Vec<_> = (0..2 * MOST).map(|_| grown(2)).collect();
    let bases: Vec<_> = many.iter().map(base).collect();
    drop(many);
    let kept = || bases.iter().map(|at| spare(*at)).collect::<Vec<_>>();
    assert_eq!(kept().iter().filter(|kib| **kib == PAGE / 1024).count(), MOST);
    assert_eq!(kept().iter().filter(|kib| **kib == 0).count(), MOST);
    assert_eq!(pool.idle(), 2 * MOST);

    // Those that have a spare, used again and again: nothing is faulted in.
    let again = |pages: usize| {
        let many: Vec<_> = (0..2 * MOST).map(|_| pool.take(SHAPE).unwrap()).collect();
        let mut with: Vec<_> = many.into_iter().filter(|memory| spare(base(memory)) > 0).collect();
        let before = faults();
        with.iter_mut().for_each(|memory| memory.grow_to(pages * PAGE).unwrap());
        faults() - before
    };
    assert_eq!(again(2), 0);
    assert_eq!((0..10).map(|_| again(2)).sum::<u64>(), 0);
    // Those that have grown beyond it give back what is beyond it.
    (0..5).for_each(|_| assert!(again(3) > 0));
    assert_eq!(kept().iter().sum::<usize>(), MOST * PAGE / 1024);
    assert_eq!(unlocked_bytes(), 0, "what is given back and what is kept is counted once");

    // With the memories go their spares: as many others may keep theirs.
    drop(pool);
    let pool = Reservations::new(4 * MOST);
    let mut memory = pool.take(SHAPE).unwrap();
    memory.grow_to(2 * PAGE).unwrap();
    let at = base(&memory);
    drop(memory);
    assert_eq!(spare(at), PAGE / 1024);
}
