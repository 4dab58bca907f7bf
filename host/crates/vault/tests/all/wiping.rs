//! Where a value lies in this process's memory, and how long: once per call, and not at all after its last use (weaknesses C3, C4).

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use model::Class;
use txco_vault::{Caller, Credentials, Error, Origin, SecretValue, Wants};

use crate::house::{House, destination, on, op, reference, tenant};

const LENGTH: usize = 48;

/// The bytes of the value, one by one: it is never whole in this test.
fn byte(i: usize) -> u8 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[2]
}

/// How often the value stands in the memory that this process can write to.
fn copies() -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut piece = vec![0; 1 << 20];
    let own = piece.as_ptr().addr() as u64;
    let own = own..own + piece.len() as u64;
    let (mut found, mut searched) = (0, 0);
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut words = line.split_whitespace();
        let (range, access) = (words.next().unwrap(), words.next().unwrap());
        if !access.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let hex = |text| u64::from_str_radix(text, 16).unwrap();
        let (mut at, end) = (hex(from), hex(to));
        while at < end {
            piece.fill(0);
            let most = usize::try_from(end - at).unwrap().min(piece.len());
            let Ok(read) = memory.read_at(&mut piece[..most], at) else { break };
            searched += read;
            found += piece[..read]
                .windows(LENGTH)
                .zip(at..)
                // Where it is read to is not where it lies.
                .filter(|(_, address)| !own.contains(address))
                .filter(|(window, _)| window.iter().enumerate().all(|(i, found)| *found == byte(i)))
                .count();
            if read < most || at + read as u64 >= end {
                break;
            }
            at += (read - (LENGTH - 1)) as u64;
        }
    }
    assert!(searched > 1 << 20, "searched only {searched} bytes");
    found
}

/// Whether a core dump would hold what lies there: the kernel's own account.
fn dumped(bytes: &[u8]) -> bool {
    let (place, mut inside) = (bytes.as_ptr().addr() as u64, false);
    for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
        let hex = |text| u64::from_str_radix(text, 16).ok();
        if let Some((Some(from), Some(to))) = range.map(|(from, to)| (hex(from), hex(to))) {
            inside = (from..to).contains(&place);
        } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
            return !flags.split_whitespace().any(|flag| flag == "dd");
        }
    }
    panic!("no mapping at {place:x}");
}

/// Weakness C4: the cleartext is there while a call has it, and not until its request ends.
#[test]
fn a_value_is_in_memory_once_and_only_while_a_call_has_it() {
    let house = House::new();
    let store = |secret| {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend((0..LENGTH).map(byte));
        on("", secret, |address| {
            house.vault.create(address, &crate::house::terms(), SecretValue::new(bytes).unwrap())
        })
        .unwrap();
    };
    store("K");
    assert_eq!(copies(), 0, "after it was stored");

    // One opening however many slots and bags.
    let tenant = tenant();
    let caller = Caller { tenant: &tenant, stack: None };
    let refs = [reference("key", "K"), reference("other", "K")];
    let wants =
        Wants { reveal: true, keys: true, accepts_retiring: &|_| false, loosest: Class::Data, partly: false };
    let bags = house.vault.pack_for_op(&caller, &op(), Origin::Builtin, &wants, &refs).ok().unwrap();
    assert_eq!(copies(), 1, "while an op has it");
    assert!(!dumped(bags.reveal.cleartext("key", 0).unwrap().expose()));
    assert!(dumped(LENGTH.to_string().as_bytes()), "the heap is in dumps");
    assert_eq!(bags.reveal.may_return(), Class::Data);
    drop(bags.keys);
    assert_eq!(copies(), 1, "the other bag has it still");
    drop(bags.reveal);
    assert_eq!(copies(), 0, "after the op");

    let bag = house.vault.pack_splice(&caller, &destination(), &refs).ok().unwrap();
    assert_eq!(copies(), 1, "while a request has it");
    drop(bag);
    assert_eq!(copies(), 0, "after the request");

    // What was opened before the name that fails is wiped with the failure (C3).
    let refs = [reference("key", "K"), reference("other", "NOT_THERE")];
    let failed = house.vault.pack_reveal(&caller, &op(), &refs).err().unwrap();
    assert!(matches!(failed, Error::NotFound { .. }));
    assert_eq!(copies(), 0, "after a failure");

    // A credential made of it lives as long as its request.
    let bag = house.vault.pack_reveal(&caller, &op(), &[reference("key", "K")]).ok().unwrap();
    let credentials = Credentials::new();
    let value = bag.cleartext("key", 0).unwrap();
    bag.derive(&credentials, value.expose()).unwrap();
    drop(bag);
    assert_eq!(copies(), 1, "the credential");
    drop(credentials);
    assert_eq!(copies(), 0, "after the request that made it");
}
