//! The disk fills or its device fails at every change of a file: a clear error, nothing lost, and on it goes when there is room again.

use support::faults::{Fault, From};

use crate::deeds::{DEEDS, Found};
use crate::house::{State, copied, left};

pub(crate) const TESTS: &[(&str, fn())] =
    &[("a_disk_that_is_full_from_some_change_on", full), ("a_device_that_fails_from_some_change_on", broken)];

fn full() {
    every_moment(Fault::Full, "secret store: the disk is full", &|state, is, again| {
        assert_eq!((again, state), ("done", is));
    });
}

/// A commit whose sync fails is refused, and may be found committed when the database is
/// opened again: so SQLite's log is read. Then the second attempt is one too many.
fn broken() {
    let values = |state: &State| -> Vec<_> {
        state
            .iter()
            .map(|(place, (_, value, description))| (place.clone(), value.clone(), description.clone()))
            .collect()
    };
    every_moment(Fault::Io, "secret store: reading or writing the database failed", &|state, is, again| {
        let again_is_too_much = ["secret FRESH exists in this scope", "no secret PASSWORD"];
        assert!(again == "done" || again_is_too_much.contains(&again), "{again}");
        assert_eq!(values(state), values(is));
    });
}

/// Does each deed with a fault from its first change on, from its second, and so on. What is
/// said at the first attempt is `expected`; `afterwards` looks at the state there is, the one
/// there should be, and what was said of the second attempt, without faults.
fn every_moment(fault: fn(u32) -> Fault, expected: &str, afterwards: &dyn Fn(&State, &State, &str)) {
    let mut refusals = 0;
    for deed in DEEDS.iter().filter(|deed| deed.found == Found::Ours) {
        let before = deed.before();
        let (_, is) = deed.states(before.path());
        for n in 1.. {
            let folder = copied(before.path());
            let child = deed.child(folder.path(), &fault(n).environment(From::Mark));
            assert!(child.status.success(), "{} at {n}: {child:?}", deed.name);
            let said = String::from_utf8(child.stdout).unwrap();
            let lines: Vec<_> = said.lines().collect();
            let state = left(folder.path());
            match lines.as_slice() {
                // It was done before the fault, or the fault only hindered tidying up.
                ["done"] => assert_eq!(state, is, "{} at {n}", deed.name),
                [error, again] => {
                    assert_eq!(*error, expected, "{} at {n}", deed.name);
                    afterwards(&state, &is, again);
                    refusals += 1;
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
