//! What is left of a call: nothing, and a warm call costs no page fault.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use sandbox::{Error, Limits, Over, Trust};
use vault::{Credentials, Reveal, SecretBag};

use crate::bench::{Secrets, dialled, guest, input, name, op, sandbox};

#[test]
fn a_guest_never_reads_past_its_end_after_one_that_grew() {
    let sandbox = sandbox(Limits::default());
    let load = |guest_name| sandbox.load(name(guest_name), &guest(guest_name), Trust::Tenant).unwrap();
    let (grows, reads) = (load("memory"), load("past-the-end"));
    for pages in [2, 17, 512] {
        dialled(&grows, pages).unwrap();
        for distance in [0, 1, 65_535, 65_536] {
            let error = dialled(&reads, distance).unwrap_err();
            let trap = matches!(&error, Error::Trapped { trap } if trap.contains("out of bounds memory access"));
            assert!(trap, "{distance} bytes past the end, after {pages} pages: {error:?}");
        }
    }
}

/// How often `needle`, given with every byte inverted, stands in the memory of this process.
fn copies(inverted: &[u8]) -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let (mut found, mut searched) = (0, 0);
    let mut buffer = vec![0; 1 << 20];
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|r| r.starts_with("rw"))) {
        let range = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [mut at, end] = [range.0, range.1].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        // The buffer itself holds what was read before.
        let own = buffer.as_ptr() as u64;
        while at < end {
            let len = (end - at).min(buffer.len() as u64) as usize;
            let overlaps = at < own + buffer.len() as u64 && own < at + len as u64;
            let read = if overlaps { Err(()) } else { memory.read_at(&mut buffer[..len], at).map_err(drop) };
            if let Ok(read) = read {
                searched += read;
                found += buffer[..read]
                    .windows(inverted.len())
                    .filter(|window| window.iter().zip(inverted).all(|(a, b)| *a == !*b))
                    .count();
            }
            at += len.saturating_sub(inverted.len() - 1).max(1) as u64;
            if len < buffer.len() {
                break;
            }
        }
        buffer.fill(0);
    }
    (found, searched)
}

/// A secret that stands nowhere else: its bytes are kept inverted.
fn canary(seed: u8) -> Vec<u8> {
    (0..48_u8).map(|i| !(i.wrapping_mul(151) ^ seed.wrapping_mul(91) ^ 0x5c)).collect()
}

fn plain(inverted: &[u8]) -> Vec<u8> {
    inverted.iter().map(|byte| !byte).collect()
}

#[test]
fn no_copy_of_a_secret_outlives_its_call() {
    let limits = Limits { wall: Duration::from_millis(50), ..Limits::default() };
    let op = sandbox(limits).load(name("reveal"), &guest("reveal"), Trust::Tenant).unwrap();
    let secrets = Secrets::new();
    let outcomes = [
        ("a normal return", 9),
        ("a crash", 5),
        ("the deadline", 6),
        ("a failure that quotes it", 3),
        ("a log line that quotes it", 4),
        ("a refused output", 0),
    ];
    for (seed, (outcome, what)) in (1..).zip(outcomes) {
        let inverted = canary(seed);
        let bag = {
            let mut value = plain(&inverted);
            let bag = secrets.bag(&op, "key", &value);
            value.fill(0);
            std::hint::black_box(&value);
            bag
        };
        // The search finds what there is to find.
        assert!(copies(&inverted).0 >= 1, "{outcome}: the bag itself was not found");
        let result = op.call(input(what), bag, &Credentials::new());
        match what {
            6 => assert!(matches!(result, Err(Error::Over(Over::Time(_)))), "{result:?}"),
            5 => assert!(matches!(result, Err(Error::Trapped { .. })), "{result:?}"),
            3 => assert!(matches!(result, Err(Error::Failed { .. })), "{result:?}"),
            0 => assert!(matches!(result, Err(Error::Output { .. })), "{result:?}"),
            _ => assert!(result.is_ok(), "{result:?}"),
        }
        let (found, searched) = copies(&inverted);
        assert!(searched > 1 << 20, "only {searched} bytes were searched");
        assert_eq!(found, 0, "copies of the secret after {outcome}");
    }
}

/// Minor page faults of this thread so far.
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(7).unwrap().parse().unwrap()
}

#[test]
fn a_warm_call_faults_no_page() {
    let op = op("spin", Limits::default());
    let credentials = Credentials::new();
    let call = || op.call(input(1), SecretBag::<Reveal>::empty(), &credentials).unwrap();
    (0..1_000).for_each(|_| drop(call()));
    let before = faults();
    (0..10_000).for_each(|_| drop(call()));
    // A handful for what is not the call: the allocator's own pages, this loop.
    let faults = faults() - before;
    assert!(faults < 100, "{faults} page faults in 10,000 warm calls");
}
