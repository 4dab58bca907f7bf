//! The contract's text is frozen: it may change only together with its version.

use crate::bench::text;

#[test]
fn the_text_of_a_version_never_changes() {
    let now = text("guest-sdk/wit/op.wit");
    let version = now.lines().find_map(|line| line.strip_prefix("package txco:op@")).unwrap();
    let version = version.trim_end_matches(';');
    let frozen = text(&format!("tests/vectors/wit/op-{version}.wit"));
    assert!(frozen.lines().count() > 100, "the vector is no contract");
    assert_eq!(now, frozen, "a changed contract needs a new version, and a vector of its own");
}
