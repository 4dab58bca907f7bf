//! Secrets that are used and never seen.

use model::{Class, Fault, Value};
use sandbox::{Error, Limits, Op, OpOutput, OutputFlaw, Trust};
use vault::Credentials;

use crate::bench::{Secrets, declared, input, name, sandbox};

const KEY: &[u8] = b"Jefe";
const MANIFEST: &str = r#"
    name = "keys"
    failures = []
    [[outputs]]
    path = "p"
    class = "digest"
"#;
const DIGEST: u64 = 1 << 8;

fn op(trust: Trust) -> Op {
    sandbox(Limits::default()).load(name("keys"), &declared("keys", MANIFEST), trust).unwrap()
}

fn called(op: &Op, key: &[u8], dial: u64) -> Result<OpOutput, Error> {
    op.call(input(dial), Secrets::new().bags(op, "key", key), &Credentials::new())
}

/// What the guest says in its one field.
fn said(key: &[u8], what: u64) -> String {
    match &called(&op(Trust::Tenant), key, DIGEST | what).unwrap().fields[..] {
        [(path, Value::String(text))] if path.to_string() == "p" => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_imports_keys_and_reveals_nothing() {
    let op = op(Trust::Tenant);
    assert!(op.uses_keys() && !op.reveals());
}

#[test]
fn a_mac_of_pieces_is_that_of_rfc_4231() {
    let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(said(KEY, 1), mac);
}

#[test]
fn a_mac_of_the_body_needs_no_copy_of_it_in_the_guest() {
    // HMAC-SHA256 of "hello", computed with another implementation.
    assert_eq!(said(KEY, 2), "bed3e4bb7da1795901a7d9a54531cabbe39ade5a2c89298cdc5f8889091d174d");
}

#[test]
fn a_mac_verifies_and_another_does_not() {
    assert_eq!(said(KEY, 3), "10");
}

#[test]
fn keys_are_derived_as_aws_does() {
    let secret = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    assert_eq!(said(secret, 4), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

#[test]
fn what_the_call_does_not_grant_is_refused() {
    assert_eq!(said(KEY, 5), "0", "no-such-slot");
    assert_eq!(said(KEY, 6), "1", "no-such-version");
    assert_eq!(said(KEY, 10), "u", "no public key");
    assert_eq!(said(KEY, 11), "10", "versions");
}

#[test]
fn a_handle_that_is_none_ends_the_call() {
    for (handle, what) in [("forged", 7), ("stale", 8), ("of a blob", 9)] {
        let error = called(&op(Trust::Tenant), KEY, what).unwrap_err();
        let trap = "it broke the rules of the component ABI".to_owned();
        assert_eq!(error, Error::Trapped { trap }, "{handle}");
        assert_eq!(error.failure().fault, Fault::OpTrapped);
    }
}

#[test]
fn an_op_that_used_a_key_returns_what_it_declares() {
    for trust in [Trust::Tenant, Trust::Author, Trust::Builtin] {
        let op = op(trust);
        assert!(called(&op, KEY, DIGEST | 1).is_ok());
        for (class, returned) in [(0, Class::Data), (2, Class::Credential)] {
            let error = called(&op, KEY, class << 8 | 1).unwrap_err();
            let why = OutputFlaw::OtherClass { declared: Class::Digest, returned };
            assert_eq!(error, Error::Output { field: 0, why });
            assert_eq!(error.failure().fault, Fault::OpOutputInvalid);
        }
    }
}

#[test]
fn an_op_that_saw_no_secret_keeps_its_words() {
    let failed = Error::Failed { code: "p".to_owned(), message: "p".to_owned() };
    assert_eq!(called(&op(Trust::Tenant), KEY, 16), Err(failed));
}
