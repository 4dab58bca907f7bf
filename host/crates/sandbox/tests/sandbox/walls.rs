//! What a guest cannot do.

use model::{Fault, Value};
use sandbox::{Class, Error, Limits, Op, OpOutput, OutputFlaw, Trust};
use vault::{Credentials, Reveal, SecretBag};

use crate::bench::{Secrets, dialled, guest, input, name, op, sandbox};

const CANARY: &[u8] = b"canary-5f1d0a9c-of-walls";

fn revealing(trust: Trust) -> Op {
    sandbox(Limits::default()).load(name("reveal"), &guest("reveal"), trust).unwrap()
}

fn shown(op: &Op, what: u64) -> (Result<OpOutput, Error>, Credentials) {
    let credentials = Credentials::new();
    let bag = Secrets::new().bag(op, "key", CANARY);
    (op.call(input(what), bag, &credentials), credentials)
}

fn credential(output: &OpOutput, credentials: &Credentials) -> Vec<u8> {
    match &output.fields[..] {
        [(path, Value::Sealed(sealed))] if path.to_string() == "p" => {
            credentials.with(sealed.credentials().next().unwrap(), <[u8]>::to_vec).unwrap()
        }
        other => panic!("no credential: {other:?}"),
    }
}

#[test]
fn a_foreign_import_is_refused_by_name() {
    let error = sandbox(Limits::default()).load(name("x"), &guest("foreign"), Trust::Tenant).unwrap_err();
    assert_eq!(error, Error::ForeignImport { import: "wasi:filesystem/preopens@0.2.0".to_owned() });
    assert_eq!(error.failure().fault, Fault::OpInvalid);
}

#[test]
fn key_handles_are_not_linked_yet_and_it_says_so() {
    let error = sandbox(Limits::default()).load(name("x"), &guest("keys"), Trust::Tenant).unwrap_err();
    assert_eq!(error, Error::KeysNotLinked);
    assert_eq!(error.failure().fault, Fault::OpInvalid);
}

#[test]
fn what_is_no_component_is_refused() {
    for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"#!/bin/sh"] {
        let error = sandbox(Limits::default()).load(name("x"), bytes, Trust::Tenant).unwrap_err();
        assert_eq!(error, Error::NotAComponent);
    }
}

#[test]
fn an_op_that_reveals_does_not_start_without_a_grant() {
    let op = revealing(Trust::Tenant);
    assert!(op.reveals());
    let error = dialled(&op, 9).unwrap_err();
    assert_eq!(error, Error::NothingToReveal);
    assert_eq!(error.failure().fault, Fault::SecretDeclarationInvalid);
    assert!(shown(&op, 9).0.is_ok(), "the same call with a grant");
}

#[test]
fn a_slot_that_was_not_granted_is_refused() {
    let (output, credentials) = shown(&revealing(Trust::Tenant), 7);
    assert_eq!(credential(&output.unwrap(), &credentials), b"0", "no-such-slot");
}

#[test]
fn a_version_that_there_is_not_is_refused() {
    let (output, credentials) = shown(&revealing(Trust::Tenant), 8);
    assert_eq!(credential(&output.unwrap(), &credentials), b"1", "no-such-version");
}

#[test]
fn a_shown_secret_comes_back_as_a_credential_only() {
    let op = revealing(Trust::Tenant);
    for class in [0, 1] {
        let error = shown(&op, class).0.unwrap_err();
        assert_eq!(error, Error::Output { field: 0, why: OutputFlaw::RevealedMustBeCredential });
        assert_eq!(error.failure().fault, Fault::OpOutputInvalid);
    }
    let (output, credentials) = shown(&op, 2);
    let output = output.unwrap();
    assert_eq!(credential(&output, &credentials), CANARY);
    assert!(!format!("{output:?}").contains("canary"));
}

#[test]
fn a_built_in_returns_the_classes_of_its_lock_file() {
    for (what, class) in [(0, Class::Data), (1, Class::Digest), (2, Class::Credential)] {
        let locked = revealing(Trust::Builtin { classes: vec![class], inline: true });
        assert!(shown(&locked, what).0.is_ok());
        let other = (what + 1) % 3;
        let error = shown(&locked, other).0.unwrap_err();
        assert_eq!(error, Error::Output { field: 0, why: OutputFlaw::ClassNotLocked });
    }
}

#[test]
fn a_shown_secret_is_in_no_failure_log_or_crash() {
    let op = revealing(Trust::Tenant);
    let failure = shown(&op, 3).0.unwrap_err();
    assert_eq!(failure.failure().fault, Fault::OpFailed);
    let crash = shown(&op, 5).0.unwrap_err();
    assert_eq!(crash.failure().fault, Fault::OpTrapped);
    for error in [failure, crash] {
        assert!(!format!("{error:?} {error} {}", error.failure()).contains("canary"), "{error}");
    }
    let output = shown(&op, 4).0.unwrap();
    assert_eq!((output.log.len(), output.log_dropped), (0, 1));
}

#[test]
fn an_op_that_was_shown_nothing_keeps_its_log() {
    let output = dialled(&op("log", Limits::default()), 2 << 32 | 3).unwrap();
    assert_eq!((output.log.len(), output.log_dropped), (2, 0));
    // The guest's bytes were zeros, which no log should have.
    assert!(output.log.iter().all(|line| line.chars().all(|c| !c.is_control())));
}

#[test]
fn a_bag_that_is_not_asked_for_changes_nothing() {
    let op = op("memory", Limits::default());
    let bag = Secrets::new().bag(&op, "key", CANARY);
    assert!(!op.reveals());
    assert!(op.call(input(1), bag, &Credentials::new()).is_ok());
    assert!(op.call(input(1), SecretBag::<Reveal>::empty(), &Credentials::new()).is_ok());
}
