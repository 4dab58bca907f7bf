//! A clock that goes backwards: what was written last is what counts.

use support::faults::preload;

use crate::deeds::{DEEDS, Deed, Found, acknowledged};
use crate::house::left;

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("what_is_written_under_an_earlier_clock_counts", earlier),
    ("what_is_written_under_a_later_clock_stays_replaceable", later),
];

fn earlier() {
    every_deed("-100000000");
}

fn later() {
    every_deed("100000000");
}

/// Does each deed under a clock that is off by three years, and finds what it would have made
/// under a right one; `left` then writes under the right one.
fn every_deed(seconds: &str) {
    let off = [preload(), ("TXCO_CLOCK", seconds.to_owned())];
    for deed in DEEDS.iter().filter(|deed| deed.found == Found::Ours) {
        let folder = deed.before();
        let (_, is) = deed.states(folder.path());
        let child = deed.child(folder.path(), &off);
        assert!(acknowledged(&child), "{}: {child:?}", deed.name);
        assert_eq!(left(folder.path()), is, "{}", deed.name);
    }
    // Revoked and made again, each under another clock: the new one is the one.
    let revoke = Deed::called("revoke");
    let folder = revoke.before();
    assert!(acknowledged(&revoke.child(folder.path(), &off)));
    let create = Deed::called("create again");
    assert!(acknowledged(&create.child(folder.path(), &[])));
    let state = left(folder.path());
    assert_eq!(state["shop:PASSWORD"], (1, "made again".to_owned(), String::new()));
}
