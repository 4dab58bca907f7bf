//! `kill -9` and cuts of the power at every change of a file: what was committed is there and opens, and nothing is half there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;

use rusqlite::Connection;
use support::faults::{Fault, From, was_killed};

use crate::deeds::{DEEDS, Deed, Found, acknowledged};
use crate::house::{copied, left, moved};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("killed_at_every_change_of_every_deed", every_deed),
    ("killed_again_while_it_recovers", while_it_recovers),
];

/// Fewer deaths than this mean that nothing was tried.
const AT_LEAST: u32 = 300;

/// One beside the other: most of each is waiting for its children.
fn every_deed() {
    let one = |deed: &Deed| {
        let of_this = die_at_every_change(deed);
        println!("  {}: killed {of_this} times", deed.name);
        assert!(of_this >= 10, "{}: only {of_this} changes of a file", deed.name);
        of_this
    };
    let deaths: u32 = thread::scope(|scope| {
        let deeds: Vec<_> = DEEDS.iter().map(|deed| scope.spawn(|| one(deed))).collect();
        deeds.into_iter().map(|deed| deed.join().unwrap()).sum()
    });
    assert!(deaths >= AT_LEAST, "killed only {deaths} times");
}

/// Kills a child at its first change, its second … until one comes through: before a change,
/// in the middle of one, and with all that was not synced gone.
fn die_at_every_change(deed: &Deed) -> u32 {
    let before = deed.before();
    let (was, is) = deed.states(before.path());
    assert!(was != is || deed.moves_keys() || deed.found != Found::Ours, "{} does nothing", deed.name);
    let mut deaths = 0;
    for fault in [Fault::Kill as fn(u32) -> Fault, Fault::Torn, Fault::Cut] {
        let mut outcomes = BTreeSet::new();
        for n in 1.. {
            let folder = copied(before.path());
            let fault = fault(n);
            let child = deed.child(folder.path(), &fault.environment(From::Mark));
            let done = acknowledged(&child);
            let through = child.status.success();
            assert!(through || was_killed(child.status), "{} {fault:?}: {child:?}", deed.name);
            check_copy_aside(folder.path());
            let state = left(folder.path());
            if done || through {
                assert_eq!(state, is, "{} {fault:?}: it was acknowledged", deed.name);
            } else {
                assert!(state == was || state == is, "{} {fault:?}: {state:?}", deed.name);
            }
            if deed.moves_keys() {
                // From wherever it had come to.
                let moved = moved(folder.path());
                assert!(
                    is.iter().all(|(name, one)| moved[name] == *one),
                    "{} {fault:?}: {moved:?}",
                    deed.name
                );
            }
            outcomes.insert(state == is);
            if through {
                assert!(done);
                break;
            }
            deaths += 1;
        }
        assert!(outcomes.contains(&true), "{} never came through", deed.name);
        if was != is {
            assert_eq!(outcomes.len(), 2, "{}: both ends were seen", deed.name);
        }
    }
    deaths
}

/// A copy of the Go chassis's file has its name only when it is whole.
fn check_copy_aside(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().ends_with(".before-txco") {
            let copy = Connection::open(&path).unwrap();
            let secrets: u32 =
                copy.query_row("SELECT COUNT(*) FROM tenant_secrets", [], |row| row.get(0)).unwrap();
            assert_eq!(secrets, 7);
        }
    }
}

/// Dies in the middle of a commit, then at every change of the start that finds what is left.
fn while_it_recovers() {
    let deed = Deed::called("rotate");
    let before = deed.before();
    let (was, is) = deed.states(before.path());
    let broken = copied(before.path());
    let child = deed.child(broken.path(), &Fault::Torn(6).environment(From::Mark));
    assert!(was_killed(child.status) && !acknowledged(&child), "{child:?}");
    for n in 1.. {
        let folder = copied(broken.path());
        let child = deed.child(folder.path(), &Fault::Kill(n).environment(From::Start));
        let state = left(folder.path());
        assert!(state == was || state == is, "at {n}: {state:?}");
        if child.status.success() {
            assert!(n > 5 && state == is, "only {n} changes");
            break;
        }
        assert!(was_killed(child.status), "{child:?}");
    }
}
