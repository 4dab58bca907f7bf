//! What is left of a call: nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use sandbox::{Error, Limits, Over, Trust};
use vault::Credentials;

use crate::bench::{Secrets, declared, dialled, guest, input, name, sandbox};

#[test]
fn a_guest_never_reads_past_its_end_after_one_that_grew() {
    let sandbox = sandbox(Limits::default());
    let load = |guest_name| sandbox.load(name(guest_name), &guest(guest_name), Trust::Tenant).unwrap();
    let (grows, reads) = (load("memory"), load("past-the-end"));
    for pages in [2, 17, 512] {
        dialled(&grows, pages).unwrap();
        for distance in [0, 1, 65_535, 65_536] {
            let error = dialled(&reads, distance).unwrap_err();
            let trap =
                matches!(&error, Error::Trapped { trap } if trap.contains("out of bounds memory access"));
            assert!(trap, "{distance} bytes past the end, after {pages} pages: {error:?}");
        }
    }
}

/// How often a text, given with every byte inverted, stands in the memory of this process,
/// and how many bytes were searched.
fn copies(inverted: &[u8]) -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let (mut found, mut searched) = (0, 0);
    let mut buffer = vec![0; 1 << 20];
    let own = buffer.as_ptr() as u64..buffer.as_ptr() as u64 + buffer.len() as u64;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|r| r.starts_with("rw"))) {
        let range = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [range.0, range.1].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        // Around the buffer, which holds what was read before.
        for (mut at, end) in [(start, end.min(own.start)), (start.max(own.end), end)] {
            while at < end {
                let len = usize::try_from(end - at).unwrap().min(buffer.len());
                // A mapping of another test may be gone by now.
                let read = memory.read_at(&mut buffer[..len], at).unwrap_or(0);
                searched += read;
                let windows = buffer[..read].windows(inverted.len());
                found += windows.filter(|w| w.iter().zip(inverted).all(|(a, b)| *a == !*b)).count();
                // The pieces overlap, so that nothing is missed where they meet.
                let last = at + len as u64 == end;
                at = if last { end } else { at + (len - inverted.len() + 1) as u64 };
            }
        }
    }
    buffer.fill(0);
    std::hint::black_box(&buffer);
    (found, searched)
}

/// A text that stands nowhere else in memory, because its bytes are kept inverted.
fn canary(seed: u8) -> Vec<u8> {
    (0..48_u8).map(|i| !(b'a' + i.wrapping_mul(151).wrapping_add(seed.wrapping_mul(91)) % 26)).collect()
}

fn plain(inverted: &[u8]) -> Vec<u8> {
    inverted.iter().map(|byte| !byte).collect()
}

#[test]
fn no_copy_of_a_secret_outlives_its_call() {
    let limits = Limits { wall: Duration::from_millis(50), ..Limits::default() };
    let manifest = "name = \"reveal\"\nfailures = [\"p\"]\n[[outputs]]\npath = \"p\"\nclass = \"digest\"";
    let op = sandbox(limits).load(name("reveal"), &declared("reveal", manifest), Trust::Tenant).unwrap();
    let secrets = Secrets::new();
    let outcomes = [
        ("a normal return", 9),
        ("a crash", 5),
        ("the deadline", 6),
        ("a failure that quotes it", 3),
        ("a log line that quotes it", 4),
        ("a refused output", 0),
        ("a path that spells it", 10),
        ("a failure with a declared code that quotes it", 11),
        ("a hundred copies", 100 << 32 | 13),
    ];
    for (seed, (outcome, what)) in (1..).zip(outcomes) {
        let inverted = canary(seed);
        let bags = {
            let mut value = plain(&inverted);
            let bags = secrets.bags(&op, "key", &value);
            value.fill(0);
            std::hint::black_box(&value);
            bags
        };
        // The search finds what there is to find.
        assert!(copies(&inverted).0 >= 1, "{outcome}: the bag itself was not found");
        let result = op.call(input(what), bags, &Credentials::new());
        match what {
            6 => assert!(matches!(result, Err(Error::Over(Over::Time(_)))), "{result:?}"),
            5 => assert!(matches!(result, Err(Error::Trapped { .. })), "{result:?}"),
            3 | 11 => assert!(matches!(result, Err(Error::Failed { .. })), "{result:?}"),
            0 | 10 => assert!(matches!(result, Err(Error::Output { .. })), "{result:?}"),
            _ => assert!(result.is_ok(), "{result:?}"),
        }
        let (found, searched) = copies(&inverted);
        assert!(searched > 1 << 20, "only {searched} bytes were searched");
        assert_eq!(found, 0, "copies of the secret after {outcome}");
    }
}
