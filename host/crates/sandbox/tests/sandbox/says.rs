//! What an op may say that was shown a secret (R21).

use model::{Class, Fault, Value};
use sandbox::{Error, Limits, Op, OpOutput, OutputFlaw, Trust};
use vault::{Credentials, Origin};

use crate::bench::{Secrets, declared, guest, input, name, sandbox};

const CANARY: &[u8] = b"canary-5f1d0a9c-of-words";
const ALL: &str = r#"
    name = "reveal"
    failures = ["p"]
    [[outputs]]
    path = "p"
    class = "data"
    [[outputs]]
    path = "p"
    class = "digest"
    [[outputs]]
    path = "p"
    class = "credential"
"#;

fn revealing(manifest: &str, trust: Trust) -> Op {
    sandbox(Limits::default()).load(name("reveal"), &declared("reveal", manifest), trust).unwrap()
}

/// Calls it under no policy, or as if the policy allowed what a built-in may.
fn shown_as(op: &Op, origin: Origin, secret: &[u8], what: u64) -> (Result<OpOutput, Error>, Credentials) {
    let (secrets, credentials) = (Secrets::new(), Credentials::new());
    secrets.store("THE_SECRET", secret);
    let bags = secrets.pack_as(op, origin, &[("key", "THE_SECRET")]).unwrap();
    (op.call(input(what), bags, &credentials), credentials)
}

fn shown(op: &Op, what: u64) -> Result<OpOutput, Error> {
    shown_as(op, Origin::Tenant, CANARY, what).0
}

#[track_caller]
fn refused(result: Result<OpOutput, Error>, field: usize, why: OutputFlaw) {
    let error = result.unwrap_err();
    assert_eq!(error, Error::Output { field, why });
    assert_eq!(error.failure().fault, Fault::OpOutputInvalid);
    assert!(!format!("{error} {}", error.failure()).contains("canary"), "{error}");
}

#[test]
fn it_comes_back_as_a_credential_only() {
    let op = revealing(ALL, Trust::Tenant);
    for (what, class) in [(0, Class::Data), (1, Class::Digest)] {
        refused(shown(&op, what), 0, OutputFlaw::NotAllowed(class));
    }
    let (output, credentials) = shown_as(&op, Origin::Tenant, CANARY, 2);
    let output = output.unwrap();
    assert!(!format!("{output:?}").contains("canary"));
    let [(path, Value::Sealed(sealed))] = &output.fields[..] else { panic!("{output:?}") };
    assert_eq!(path.to_string(), "p");
    let id = sealed.credentials().next().unwrap();
    assert_eq!(credentials.with(id, <[u8]>::to_vec).unwrap(), CANARY);
    assert_eq!(credentials.parents(id).unwrap().len(), 1);
}

#[test]
fn what_its_policy_allows_comes_back_too() {
    let op = revealing(ALL, Trust::Tenant);
    for class in [0, 1, 2] {
        assert!(shown_as(&op, Origin::Builtin, CANARY, class).0.is_ok());
    }
}

#[test]
fn only_where_the_manifest_says_and_in_that_class() {
    let elsewhere = ALL.replace("path = \"p\"", "path = \"q\"");
    let below = ALL.replace("path = \"p\"", "path = \"p.q\"");
    for manifest in [&elsewhere, &below, "name = \"reveal\""] {
        let op = revealing(manifest, Trust::Tenant);
        refused(shown(&op, 2), 0, OutputFlaw::NotDeclared);
    }
    let op = sandbox(Limits::default()).load(name("reveal"), &guest("reveal"), Trust::Tenant).unwrap();
    assert!(op.manifest().is_none());
    refused(shown(&op, 2), 0, OutputFlaw::NotDeclared);
    let digests = "name = \"reveal\"\n[[outputs]]\npath = \"p\"\nclass = \"digest\"";
    let flaw = OutputFlaw::OtherClass { declared: Class::Digest, returned: Class::Credential };
    refused(shown(&revealing(digests, Trust::Tenant), 2), 0, flaw);
    assert_eq!(flaw.to_string(), "the op's manifest declares digest there, and it is returned as credential");
}

#[test]
fn a_parameter_of_the_rule_can_name_another_place() {
    let manifest = ALL.replace("path = \"p\"", "path = \"q\"\nparam = \"to\"");
    let op = revealing(&manifest, Trust::Tenant);
    let called = |params: &str| {
        let secrets = Secrets::new();
        let mut input = input(2);
        input.params = std::sync::Arc::new(Value::parse(params.as_bytes()).unwrap());
        op.call(input, secrets.bags(&op, "key", CANARY), &Credentials::new())
    };
    assert!(called(r#"{"to":"p"}"#).is_ok());
    for params in ["{}", r#"{"to":""}"#, r#"{"to":["p"]}"#, r#"{"to":"p..q"}"#, r#"{"to":"pp"}"#] {
        refused(called(params), 0, OutputFlaw::NotDeclared);
    }
}

#[test]
fn it_spells_no_path() {
    let op = revealing(ALL, Trust::Tenant);
    refused(shown(&op, 10), 0, OutputFlaw::NotDeclared);
    refused(shown_as(&op, Origin::Tenant, b"a\r\nb", 10).0, 0, OutputFlaw::NotDeclared);
    // The chassis's own may have fields below a declared one.
    assert!(shown(&revealing(ALL, Trust::Builtin), 10).is_ok());
}

#[test]
fn the_number_of_its_fields_is_bounded() {
    let one = "name = \"reveal\"\n[[outputs]]\npath = \"p\"\nclass = \"credential\"";
    refused(shown(&revealing(one, Trust::Tenant), 12), 1, OutputFlaw::NotDeclared);
    assert!(shown(&revealing(ALL, Trust::Tenant), 12).is_ok());
}

#[test]
fn a_failure_is_a_code_of_its_list() {
    let op = revealing(ALL, Trust::Tenant);
    let withheld = "its words are withheld: it was shown a secret";
    let failed = |code: &str| {
        Err::<OpOutput, _>(Error::Failed { code: code.to_owned(), message: withheld.to_owned() })
    };
    assert_eq!(shown(&op, 3), failed("failed"));
    assert_eq!(shown(&op, 11), failed("p"));
    assert_eq!(shown_as(&op, Origin::Tenant, b"x\r\ny", 3).0, failed("failed"));
    assert_eq!(shown_as(&op, Origin::Tenant, b"p-and-more", 3).0, failed("failed"));
    assert_eq!(shown(&op, 3).unwrap_err().failure().fault, Fault::OpFailed);
}

#[test]
fn a_crash_says_nothing_of_it() {
    let error = shown(&revealing(ALL, Trust::Tenant), 5).unwrap_err();
    assert_eq!(error.failure().fault, Fault::OpTrapped);
    assert!(!format!("{error:?} {error} {}", error.failure()).contains("canary"), "{error}");
}

#[test]
fn its_log_is_counted_and_dropped() {
    let output = shown(&revealing(ALL, Trust::Tenant), 4).unwrap();
    assert_eq!((output.log.len(), output.log_dropped), (0, 1));
    let output = shown(&revealing(ALL, Trust::Builtin), 4).unwrap();
    assert_eq!((output.log.len(), output.log_dropped), (1, 0));
}

#[test]
fn its_author_reads_its_words_and_is_held_to_the_rest() {
    let op = revealing(ALL, Trust::Author);
    let canary = String::from_utf8(CANARY.to_vec()).unwrap();
    let failed = Error::Failed { code: "failed".to_owned(), message: canary.clone() };
    assert_eq!(shown(&op, 3), Err(failed));
    assert_eq!(shown(&op, 4).unwrap().log, [canary]);
    refused(shown(&op, 1), 0, OutputFlaw::NotAllowed(Class::Digest));
    refused(shown(&op, 10), 0, OutputFlaw::NotDeclared);
}

#[test]
fn a_built_in_returns_what_its_manifest_declares() {
    let classes = [Class::Data, Class::Digest, Class::Credential];
    for (what, declared) in (0..).zip(classes) {
        let class = declared.word();
        let manifest = format!("name = \"reveal\"\n[[outputs]]\npath = \"p\"\nclass = \"{class}\"");
        let op = revealing(&manifest, Trust::Builtin);
        assert!(shown_as(&op, Origin::Builtin, CANARY, what).0.is_ok());
        let (other, returned) = ((what + 1) % 3, classes[(what as usize + 1) % 3]);
        let flaw = OutputFlaw::OtherClass { declared, returned };
        refused(shown_as(&op, Origin::Builtin, CANARY, other).0, 0, flaw);
    }
}

#[test]
fn a_manifest_that_is_wrong_refuses_the_op() {
    let wasm = declared("reveal", "name = \"a b\"");
    let error = sandbox(Limits::default()).load(name("reveal"), &wasm, Trust::Tenant).unwrap_err();
    assert!(matches!(&error, Error::Manifest { why } if why.contains("op name")), "{error:?}");
    assert_eq!(error.failure().fault, Fault::OpInvalid);
}
