//! What a guest cannot do.

use model::{Fault, Value};
use sandbox::{Error, Limits, Op, OpOutput, Randomness, Trust};
use vault::{Credentials, OpBags};

use crate::bench::{Secrets, declared, dialled, guest, input, name, nothing, op, sandbox};

const CANARY: &[u8] = b"canary-5f1d0a9c-of-walls";

/// What `reveal.wat` may do when it may do something.
const MANIFEST: &str = r#"
    name = "reveal"
    [[outputs]]
    path = "p"
    class = "credential"
"#;

fn revealing() -> Op {
    sandbox(Limits::default()).load(name("reveal"), &declared("reveal", MANIFEST), Trust::Tenant).unwrap()
}

fn shown(op: &Op, what: u64) -> (Result<OpOutput, Error>, Credentials) {
    let credentials = Credentials::new();
    let bags = Secrets::new().bags(op, "key", CANARY);
    (op.call(input(what), bags, &credentials), credentials)
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
    assert_eq!(error, Error::ForeignImport { import: "wasi:http/outgoing-handler@0.2.0".to_owned() });
    assert_eq!(error.failure().fault, Fault::OpInvalid);
}

#[test]
fn another_version_of_the_contract_is_told_in_one_line() {
    let older = "update txco, or rebuild the op with the older SDK";
    let newer = "rebuild the op with the SDK of this version";
    for (needs, remedy) in
        [("2.0.0", older), ("1.1.0", older), ("1.0.1", older), ("0.1.0", newer), ("0.99.99", newer)]
    {
        let text = format!(
            "(component (import \"txco:op/call@{needs}\" (instance)) (core module $m (func (export \"handle\")))
            (core instance $i (instantiate $m)) (func (export \"handle\") (canon lift (core func $i \"handle\"))))"
        );
        let wasm = wat::parse_str(text).unwrap();
        let error = sandbox(Limits::default()).load(name("x"), &wasm, Trust::Tenant).unwrap_err();
        let (needs, has) = (needs.to_owned(), "1.0.0".to_owned());
        let told = format!("it needs txco:op@{needs} and this chassis has 1.0.0: {remedy}");
        assert_eq!(error.to_string(), told);
        assert_eq!(error, Error::OtherVersion { needs, has, remedy });
        assert_eq!(error.failure().fault, Fault::OpInvalid);
    }
}

#[test]
fn a_handle_of_another_type_is_refused_before_it_is_called() {
    let refused = |handle: &str| {
        let text = format!(
            "(component (core module $m (func (export \"none\")) (func (export \"one\") (result i32) (i32.const 0)))
            (core instance $i (instantiate $m)) {handle})"
        );
        let loaded =
            sandbox(Limits::default()).load(name("x"), &wat::parse_str(text).unwrap(), Trust::Tenant);
        loaded.err()
    };
    for handle in [
        "(func (export \"handle\") (canon lift (core func $i \"none\")))",
        "(func (export \"handle\") (result u32) (canon lift (core func $i \"one\")))",
        "(func (export \"handles\") (canon lift (core func $i \"none\")))",
        "(instance (export \"handle\"))",
    ] {
        assert_eq!(refused(handle), Some(Error::NoHandle), "{handle}");
    }
}

#[test]
fn an_interface_that_the_contract_does_not_have_is_foreign() {
    for import in ["txco:op/files@1.0.0", "txco:op/call@1.0.0-rc1", "txco:ops/call@2.0.0", "call"] {
        let wasm = wat::parse_str(format!("(component (import \"{import}\" (instance)))")).unwrap();
        let error = sandbox(Limits::default()).load(name("x"), &wasm, Trust::Tenant).unwrap_err();
        assert_eq!(error, Error::ForeignImport { import: import.to_owned() });
    }
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
    let op = revealing();
    assert!(op.reveals());
    let error = dialled(&op, 9).unwrap_err();
    assert_eq!(error, Error::NothingToReveal);
    assert_eq!(error.failure().fault, Fault::SecretDeclarationInvalid);
    assert!(shown(&op, 9).0.is_ok(), "the same call with a grant");
}

#[test]
fn a_slot_that_was_not_granted_is_refused() {
    let (output, credentials) = shown(&revealing(), 7);
    assert_eq!(credential(&output.unwrap(), &credentials), b"0", "no-such-slot");
}

#[test]
fn a_version_that_there_is_not_is_refused() {
    let (output, credentials) = shown(&revealing(), 8);
    assert_eq!(credential(&output.unwrap(), &credentials), b"1", "no-such-version");
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
    let bags = Secrets::new().bags(&op, "key", CANARY);
    assert!(!op.reveals() && !op.uses_keys());
    assert!(op.call(input(1), bags, &Credentials::new()).is_ok());
    assert!(dialled(&op, 1).is_ok());
}

#[test]
fn secrets_packed_for_an_op_are_not_given_to_other_bytes_of_its_name() {
    let (granted, secrets) = (revealing(), Secrets::new());
    let bags = || secrets.bags(&granted, "key", CANARY);
    let other = declared("reveal", &MANIFEST.replace("class", " class"));
    let other = sandbox(Limits::default()).load(name("reveal"), &other, Trust::Tenant).unwrap();
    let error = other.call(input(9), bags(), &Credentials::new()).unwrap_err();
    assert_eq!(error, Error::PackedForAnother);
    assert_eq!(error.failure().fault, Fault::Internal);
    assert!(granted.call(input(9), bags(), &Credentials::new()).is_ok());
}

#[test]
fn an_op_that_reveals_does_not_start_with_handles_only() {
    let (op, secrets) = (revealing(), Secrets::new());
    let keys = sandbox(Limits::default()).load(name("keys"), &guest("keys"), Trust::Tenant).unwrap();
    let bags = OpBags { keys: secrets.bags(&keys, "key", CANARY).keys, ..nothing() };
    assert_eq!(op.call(input(9), bags, &Credentials::new()), Err(Error::NothingToReveal));
}

#[test]
fn randomness_is_the_system_s_and_a_test_s_is_its_own() {
    let op = op("random", Limits::default());
    let drawn = |randomness| {
        let mut input = input(32);
        input.randomness = randomness;
        op.call(input, nothing(), &Credentials::new()).unwrap().fields
    };
    assert_ne!(drawn(Randomness::System), drawn(Randomness::System));
    assert_eq!(drawn(Randomness::Seeded(1)), drawn(Randomness::Seeded(1)));
    assert_ne!(drawn(Randomness::Seeded(1)), drawn(Randomness::Seeded(2)));
}
