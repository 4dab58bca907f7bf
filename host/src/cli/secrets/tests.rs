//! What the verbs check before anything is sent; what they print is proven by the blackbox tests.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::testing::Played;

fn run(words: &str, played: &mut Played) -> ExitCode {
    let words = format!("txco auth tenant secrets {words}");
    crate::cli::run(words.split_whitespace().map(OsString::from), &mut played.console())
}

fn refused(words: &str) -> (ExitCode, String) {
    let mut played = Played::piped(b"a value nobody may see\n");
    let code = run(words, &mut played);
    assert_eq!(played.out(), "", "{words}");
    assert!(!played.err().contains("a value nobody may see"), "{words}");
    (code, played.err())
}

#[test]
fn a_missing_name_is_a_usage_error() {
    for verb in [
        "set", "generate", "rotate", "show", "describe", "revoke", "versions", "rollback", "prune",
        "destroy", "policy", "explain",
    ] {
        let expected = format!("auth tenant secrets {verb}: NAME is required\n");
        assert_eq!(refused(verb), (ExitCode::from(2), expected));
    }
    for (alias, verb) in [("gen", "generate"), ("rm", "revoke")] {
        assert!(refused(alias).1.starts_with(&format!("auth tenant secrets {verb}: ")));
    }
}

#[test]
fn a_wrong_name_is_told_before_a_value_is_read() {
    let (code, said) = refused("set 1BAD");
    assert_eq!(code, ExitCode::from(1));
    assert!(said.starts_with("auth tenant secrets set: invalid secret name \"1BAD\": must match"), "{said}");
}

#[test]
fn flags_that_do_not_go_together() {
    for (words, said) in [
        ("rotate K --byte-len 5", "auth tenant secrets rotate: --byte-len goes with --generate\n"),
        (
            "rotate K --generate --from-file f",
            "auth tenant secrets rotate --generate: --from-file does not go with --generate\n",
        ),
        ("prune K", "auth tenant secrets prune: --keep N is required, and at least 1\n"),
        ("prune K --keep 0", "auth tenant secrets prune: --keep N is required, and at least 1\n"),
        ("destroy K", "auth tenant secrets destroy: --version N or --revoked is required\n"),
        (
            "policy K --clear --use-only",
            "auth tenant secrets policy: --clear does not go with the flags of a policy\n",
        ),
        (
            "describe K",
            "auth tenant secrets describe: --set is required (--set \"\" clears the description)\n",
        ),
    ] {
        assert_eq!(refused(words), (ExitCode::from(2), said.to_owned()));
    }
    assert_eq!(refused("list --stack x").0, ExitCode::from(2));
    assert_eq!(refused("set K --value x").0, ExitCode::from(2));
}

#[test]
fn a_value_in_the_targets_place_is_refused_and_not_repeated() {
    let (code, said) = refused("set K sk_live_s3cret");
    assert_eq!(code, ExitCode::from(2));
    assert!(said.contains("never given on the command line") && !said.contains("s3cret"), "{said}");
}

#[test]
fn every_verb_that_changes_something_is_guarded_far_away() {
    for verb in [
        "set K",
        "generate K",
        "rotate K",
        "rotate K --generate",
        "describe K --set d",
        "revoke K",
        "rollback K",
        "prune K --keep 1",
        "destroy K --version 1",
        "policy K --use-only",
    ] {
        let (code, said) = refused(&format!("{verb} --url https://far.example"));
        assert_eq!(code, ExitCode::from(1), "{verb}");
        assert!(said.starts_with("→ far.example (https://far.example)\n"), "{said}");
        assert!(said.contains("re-run with --yes"), "{said}");
        let (_, said) = refused(&format!("{verb} --yes https://far.example"));
        assert!(said.contains("no signing key configured"), "{verb}: {said}");
    }
    for verb in ["set K", "generate K", "rotate K"] {
        let (_, said) = refused(&format!("{verb} --yes --url http://far.example"));
        assert!(said.contains("plain http"), "{verb}: {said}");
    }
    for verb in ["list", "show K", "versions K", "explain K"] {
        let (_, said) = refused(&format!("{verb} --url https://far.example"));
        assert!(said.contains("no signing key configured"), "{verb}: {said}");
    }
}

#[test]
fn machines_get_errors_as_json() {
    let mut played = Played::default();
    assert_eq!(run("list --json --url https://far.example", &mut played), ExitCode::from(1));
    let error: serde_json::Value = serde_json::from_str(&played.out()).unwrap();
    assert!(error["error"].as_str().unwrap().starts_with("auth tenant secrets list: no signing key"));
    assert_eq!(played.err(), "");
}

#[test]
fn words_that_are_none() {
    let mut played = Played::default();
    assert_eq!(run("frobnicate", &mut played), ExitCode::from(2));
    assert!(
        played.err().starts_with("auth tenant secrets: unknown subcommand \"frobnicate\"\n"),
        "{}",
        played.err()
    );
    assert!(played.err().contains("Usage: txco auth tenant secrets"), "{}", played.err());
    let mut played = Played::default();
    assert_eq!(run("", &mut played), ExitCode::SUCCESS);
    assert!(played.out().contains("Usage: txco auth tenant secrets"), "{}", played.out());
}
