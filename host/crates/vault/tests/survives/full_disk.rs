//! The disk fills or its device fails at every change of a file: a clear error, nothing lost, and on it goes when there is room again.

use support::faults::{Fault, From};

use crate::deeds::{DEEDS, Found};
use crate::house::{copied, left};

pub(crate) const TESTS: &[(&str, fn())] =
    &[("a_disk_that_is_full_from_some_change_on", full), ("a_device_that_fails_from_some_change_on", broken)];

fn full() {
    every_moment(Fault::Full, &["secret store: the disk is full"]);
}

fn broken() {
    every_moment(Fault::Io, &["secret store: reading or writing the database failed"]);
}

/// `expected`: all that a deed may say when it fails.
fn every_moment(fault: fn(u32) -> Fault, expected: &[&str]) {
    let mut refusals = 0;
    for deed in DEEDS.iter().filter(|deed| deed.found == Found::Ours) {
        let before = deed.before();
        let (was, is) = deed.states(before.path());
        for n in 1.. {
            let folder = copied(before.path());
            let child = deed.child(folder.path(), &fault(n).environment(From::Mark));
            let said = String::from_utf8(child.stdout.clone()).unwrap();
            assert!(child.status.success(), "{} at {n}: {child:?}", deed.name);
            let lines: Vec<_> = said.lines().collect();
            let state = left(folder.path());
            match lines.as_slice() {
                // It was done before the fault, or the fault only hindered tidying up.
                ["done"] => assert_eq!(state, is, "{} at {n}", deed.name),
                [error, "done"] => {
                    assert!(expected.contains(error), "{} at {n}: {error}", deed.name);
                    refusals += 1;
                    assert_eq!(state, is, "{} at {n}, from {was:?}", deed.name);
                }
                other => panic!("{} at {n}: {other:?}", deed.name),
            }
            // Beyond the last change of the deed.
            if n > 200 || (lines == ["done"] && n > 60) {
                break;
            }
        }
    }
    assert!(refusals > 30, "refused only {refusals} times");
}
