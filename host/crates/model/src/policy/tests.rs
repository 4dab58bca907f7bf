//! Which flags make which policy, and what it allows.

use super::*;
use crate::{Scheme, policy::host::origin};

fn set<T: Ord, const N: usize>(all: [T; N]) -> BTreeSet<T> {
    BTreeSet::from(all)
}

fn host(text: &str) -> HostRule {
    HostRule::parse(text).unwrap()
}

fn name(text: &str) -> OpName {
    OpName::parse(text).unwrap()
}

fn op(text: &str, bytes: &[u8]) -> OpRef {
    OpRef { name: name(text), digest: Digest::of(bytes) }
}

fn builtin(op: &OpRef, loosest: Class) -> Callee<'_> {
    Callee { op, origin: Origin::Builtin, loosest }
}

fn tenant(op: &OpRef) -> Callee<'_> {
    Callee { op, origin: Origin::Tenant, loosest: Class::Data }
}

fn stripe() -> Destination {
    origin(Scheme::Https, "api.stripe.com")
}

fn evil() -> Destination {
    origin(Scheme::Https, "evil.example")
}

#[test]
fn nothing_asked_is_no_policy() {
    assert_eq!(Policy::asked(set([]), set([]), set([])), None);
}

#[test]
fn hosts_alone_imply_splicing_and_ops_that_seal() {
    let policy = Policy::asked(set([]), set([host("api.stripe.com")]), set([])).unwrap();
    assert_eq!(policy.splices(&stripe()), Ok(()));
    let told = policy.splices(&evil()).unwrap_err().to_string();
    assert_eq!(told, "its policy allows --allow-host api.stripe.com, not https://evil.example");
    let sign = op("hmac-sign", b"wasm");
    for purpose in [Purpose::Use, Purpose::Reveal] {
        assert_eq!(policy.serves(&builtin(&sign, Class::Digest), purpose), Ok(Class::Data));
        assert_eq!(policy.serves(&builtin(&sign, Class::Credential), purpose), Ok(Class::Data));
        for callee in [builtin(&sign, Class::Data), tenant(&sign)] {
            let told = policy.serves(&callee, purpose).unwrap_err().to_string();
            assert!(told.contains("the built-in ops that return a digest or a credential"), "{told}");
        }
    }
    assert_eq!(policy.travels(&stripe()), Ok(()));
    assert!(policy.travels(&evil()).is_err());
}

#[test]
fn ops_alone_imply_being_used_and_shown_by_them() {
    let rule = OpRule::Builtin(name("hmac-sign"));
    let policy = Policy::asked(set([]), set([]), set([rule])).unwrap();
    let told = policy.splices(&stripe()).unwrap_err().to_string();
    assert_eq!(told, "its policy allows --purpose use, reveal, not splice");
    let (sign, other) = (op("hmac-sign", b"wasm"), op("basic-auth-encode", b"wasm"));
    assert_eq!(policy.serves(&builtin(&sign, Class::Data), Purpose::Reveal), Ok(Class::Data));
    let told = policy.serves(&builtin(&other, Class::Digest), Purpose::Reveal).unwrap_err().to_string();
    assert_eq!(told, "its policy allows --allow-op txco://hmac-sign, not txco://basic-auth-encode");
    // An op of the tenant that took the built-in's name is another op.
    assert!(policy.serves(&tenant(&sign), Purpose::Reveal).is_err());
}

#[test]
fn use_only_is_never_shown_and_never_sent() {
    let policy = Policy::asked(set([Purpose::Use]), set([]), set([])).unwrap();
    let sign = op("hmac-sign", b"wasm");
    assert_eq!(policy.serves(&builtin(&sign, Class::Digest), Purpose::Use), Ok(Class::Data));
    let told = policy.serves(&builtin(&sign, Class::Digest), Purpose::Reveal).unwrap_err().to_string();
    assert_eq!(told, "its policy allows --purpose use, not reveal");
    assert!(policy.splices(&stripe()).is_err());
}

#[test]
fn an_op_of_the_tenant_is_allowed_by_its_bytes() {
    let (then, later) = (op("signer", b"then"), op("signer", b"later"));
    let rule = OpRule::Tenant { name: name("signer"), returns: Class::Digest, digests: set([then.digest]) };
    assert_eq!(rule.to_string(), "op://signer:digest");
    let policy = Policy::asked(set([]), set([]), set([rule])).unwrap();
    assert_eq!(policy.serves(&tenant(&then), Purpose::Reveal), Ok(Class::Digest));
    let denied = policy.serves(&tenant(&later), Purpose::Reveal).unwrap_err();
    assert_eq!(denied, Denied::Build { asked: "op://signer".to_owned(), digest: later.digest });
}

/// Frozen: its digest is sealed into rows.
#[test]
fn a_policy_has_one_text() {
    let rules = set([
        OpRule::Tenant { name: name("signer"), returns: Class::Digest, digests: set([Digest::of(b"abc")]) },
        OpRule::Builtin(name("hmac-sign")),
    ]);
    let policy = Policy::asked(
        set([Purpose::Use, Purpose::Splice]),
        set([host("b.example:8443"), host("*.a.example")]),
        rules,
    )
    .unwrap();
    let text = "txco/policy/1\npurpose splice\npurpose use\nhost *.a.example\nhost b.example:8443\nop txco://hmac-sign\n\
                op op://signer digest ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(policy.to_string(), text);
    assert_eq!(text.parse(), Ok(policy));
    let sealing = Policy::asked(set([]), set([host("a.example")]), set([])).unwrap();
    assert!(sealing.to_string().ends_with("\nops sealing"));
    assert_eq!(sealing.to_string().parse(), Ok(sealing));
}

#[test]
fn other_texts_are_none() {
    for bad in [
        "",
        "txco/policy/1",
        "txco/policy/2\npurpose use",
        "txco/policy/1\npurpose use\n",
        "txco/policy/1\npurpose use\npurpose use",
        "txco/policy/1\npurpose use\npurpose splice",
        "txco/policy/1\npurpose use\nhost A.example",
        "txco/policy/1\npurpose use\nop op://signer data x",
        "txco/policy/1\npurpose use\ncolour red",
    ] {
        assert!(bad.parse::<Policy>().is_err(), "{bad}");
    }
}

#[test]
fn a_policy_names_so_many_hosts_and_no_more() {
    let hosts = |count: usize| (0..count).map(|n| host(&format!("h{n}.example"))).collect::<BTreeSet<_>>();
    let policy = |count| Policy::asked(set([]), hosts(count), set([])).unwrap();
    assert!(!policy(Policy::most()).is_too_long());
    assert!(policy(Policy::most() + 1).is_too_long());
}
