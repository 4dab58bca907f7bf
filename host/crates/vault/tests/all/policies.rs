//! What a policy allows is opened, what it does not is denied by its rule, and editing it opens nothing.

use std::collections::BTreeSet;

use model::{Class, Destination, Digest, Fault, HostRule, OpName, OpRef, OpRule, Policy, Purpose};
use txco_vault::{
    Asked, By, Caller, Credentials, Error, OpBags, Origin, PolicyChange, Terms, Unopened, Verdict, Wants,
};

use crate::house::{House, destination, key, name, on, op, reference, tenant, terms, value};

fn policy(purposes: &[Purpose], hosts: &[&str], ops: Vec<OpRule>) -> Policy {
    let hosts = hosts.iter().map(|host| HostRule::parse(host).unwrap()).collect();
    Policy::asked(purposes.iter().copied().collect(), hosts, ops.into_iter().collect()).unwrap()
}

fn under(policy: Policy) -> Terms<'static> {
    Terms { policy: PolicyChange::Put(policy), ..terms() }
}

fn store(house: &House, secret: &str, terms: &Terms<'_>) {
    on("", secret, |a| house.vault.create(a, terms, value(&format!("value of {secret}")))).unwrap();
}

fn change(house: &House, secret: &str, change: PolicyChange) -> Result<txco_vault::Metadata, Error> {
    on("", secret, |a| house.vault.policy(a, &Terms { policy: change, ..terms() }))
}

fn call(
    house: &House,
    wants: &Wants<'_>,
    op: &OpRef,
    origin: Origin,
    secrets: &[&str],
) -> Result<OpBags, Error> {
    let refs: Vec<_> = secrets.iter().map(|secret| reference(&format!("slot_{secret}"), secret)).collect();
    let tenant = tenant();
    house.vault.pack_for_op(&Caller { tenant: &tenant, stack: None }, op, origin, wants, &refs)
}

fn wants(reveal: bool, keys: bool) -> Wants<'static> {
    Wants { reveal, keys, accepts_retiring: &|_| false, loosest: Class::Digest, partly: false }
}

fn send(house: &House, secret: &str, to: &Destination) -> Result<(), Error> {
    let tenant = tenant();
    let refs = [reference("headers.x", secret)];
    house.vault.pack_splice(&Caller { tenant: &tenant, stack: None }, to, &refs).map(drop)
}

fn denied(result: Result<impl Sized, Error>, secret: &str) -> String {
    let error = result.err().unwrap();
    assert!(matches!(&error, Error::Denied { name: n, .. } if *n == name(secret)), "{error}");
    assert_eq!(error.failure().fault, Fault::SecretDenied);
    error.to_string()
}

fn elsewhere() -> Destination {
    Destination::of("https://evil.example").unwrap()
}

#[test]
fn a_host_is_allowed_and_no_other() {
    let house = House::new();
    store(&house, "K", &under(policy(&[], &["api.example"], vec![])));
    assert!(send(&house, "K", &destination()).is_ok());
    let told = denied(send(&house, "K", &elsewhere()), "K");
    assert_eq!(told, "secret K: its policy allows --allow-host api.example, not https://evil.example");
}

#[test]
fn use_only_gives_handles_and_shows_nothing() {
    let house = House::new();
    store(&house, "K", &under(policy(&[Purpose::Use], &[], vec![])));
    let bags = call(&house, &wants(false, true), &op(), Origin::Builtin, &["K"]).ok().unwrap();
    assert_eq!(bags.keys.versions("slot_K"), Some(1));
    let told = denied(call(&house, &wants(true, false), &op(), Origin::Builtin, &["K"]), "K");
    assert_eq!(told, "secret K: its policy allows --purpose use, not reveal");
    denied(send(&house, "K", &destination()), "K");
    // Shown nothing, an op that asks to be shown something is not called (R22).
    denied(call(&house, &wants(true, true), &op(), Origin::Builtin, &["K"]), "K");
    // Beside a slot that it may see it is called, and told that it may not see this one.
    store(&house, "FREE", &terms());
    denied(call(&house, &wants(true, true), &op(), Origin::Builtin, &["FREE", "K"]), "K");
    let partly = Wants { partly: true, ..wants(true, true) };
    let bags = call(&house, &partly, &op(), Origin::Builtin, &["FREE", "K"]).ok().unwrap();
    assert!(bags.reveal.denied("slot_K") && bags.reveal.versions("slot_K").is_none());
    assert_eq!((bags.reveal.versions("slot_FREE"), bags.keys.versions("slot_K")), (Some(1), Some(1)));
}

/// R20, R21: the digests of that moment, and what may be returned.
#[test]
fn an_op_of_the_tenant_is_allowed_by_its_bytes_and_returns_what_all_secrets_allow() {
    let house = House::new();
    let signer = |bytes: &[u8]| OpRef { name: OpName::parse("signer").unwrap(), digest: Digest::of(bytes) };
    let rule = |returns| OpRule::Tenant {
        name: OpName::parse("signer").unwrap(),
        returns,
        digests: BTreeSet::from([Digest::of(b"then")]),
    };
    store(&house, "A", &under(policy(&[], &[], vec![rule(Class::Digest)])));
    store(&house, "B", &under(policy(&[], &[], vec![rule(Class::Data)])));
    store(&house, "FREE", &terms());
    let shown = |secrets: &[&str]| {
        let bags = call(&house, &wants(true, false), &signer(b"then"), Origin::Tenant, secrets);
        bags.ok().unwrap().reveal.may_return()
    };
    assert_eq!((shown(&["B"]), shown(&["A"])), (Class::Data, Class::Digest));
    assert_eq!((shown(&["A", "B"]), shown(&["B", "FREE"])), (Class::Digest, Class::Credential));
    let told = denied(call(&house, &wants(true, false), &signer(b"later"), Origin::Tenant, &["A"]), "A");
    assert!(
        told.contains("other bytes of op://signer") && told.contains("a later push does not inherit it"),
        "{told}"
    );
    // A built-in that has the name of an allowed op is another op.
    denied(call(&house, &wants(true, false), &signer(b"then"), Origin::Builtin, &["A"]), "A");
}

#[test]
fn what_an_op_made_goes_where_all_its_parents_may() {
    let house = House::new();
    store(&house, "A", &under(policy(&[], &["api.example", "b.example"], vec![])));
    store(&house, "B", &under(policy(&[], &["api.example", "c.example"], vec![])));
    let credential = Wants { loosest: Class::Credential, ..wants(true, false) };
    let bags = call(&house, &credential, &op(), Origin::Builtin, &["A", "B"]).ok().unwrap();
    let credentials = Credentials::new();
    let id = bags.reveal.derive(&credentials, b"made").unwrap();
    assert_eq!(credentials.travels(id, &destination()), Ok(()));
    let refused = credentials.travels(id, &Destination::of("https://b.example").unwrap()).unwrap_err();
    assert_eq!(refused.0, Some(name("B")));
}

/// R10: the policy is sealed into the DEK. Whoever edits the row has nothing.
#[test]
fn an_edited_policy_opens_nothing() {
    for edit in [
        "UPDATE tenant_secrets SET policy = replace(policy, 'api.example', 'evil.example')",
        "UPDATE tenant_secrets SET policy = NULL",
        "UPDATE tenant_secrets SET policy = 'txco/policy/1\npurpose splice'",
    ] {
        let house = House::new();
        store(&house, "K", &under(policy(&[], &["api.example"], vec![])));
        assert_eq!(house.attacker().execute(edit, []).unwrap(), 1);
        let error = send(&house, "K", &elsewhere()).err().unwrap();
        assert!(matches!(error, Error::Undecryptable { why: Unopened::NotAuthentic, .. }), "{edit}: {error}");
    }
    // A text that is no policy allows nothing; nor does one put on a secret that had none.
    let house = House::new();
    store(&house, "K", &terms());
    for (edit, why) in [
        ("UPDATE tenant_secrets SET policy = 'anything'", Unopened::UnknownPolicy),
        ("UPDATE tenant_secrets SET policy = 'txco/policy/1\npurpose splice'", Unopened::NotAuthentic),
    ] {
        house.attacker().execute(edit, []).unwrap();
        let error = send(&house, "K", &destination()).err().unwrap();
        assert!(matches!(error, Error::Undecryptable { why: w, .. } if w == why), "{error}");
    }
}

/// A rotation does not adopt an edited policy; saying it again does not need the old rows.
#[test]
fn an_edited_policy_is_not_adopted_by_the_next_version() {
    let house = House::new();
    store(&house, "K", &under(policy(&[], &["api.example"], vec![])));
    let edit = "UPDATE tenant_secrets SET policy = replace(policy, 'api.example', 'evil.example')";
    house.attacker().execute(edit, []).unwrap();
    for refused in [
        on("", "K", |a| house.vault.rotate(a, &terms(), value("two"))).err(),
        on("", "K", |a| house.vault.set(a, &terms(), value("two"))).err(),
        on("", "K", |a| house.vault.rotate_generated(a, &terms(), 32)).err(),
    ] {
        assert!(matches!(refused, Some(Error::PolicyUnproven { why: Unopened::NotAuthentic, .. })));
    }
    let again = under(policy(&[], &["api.example"], vec![]));
    on("", "K", |a| house.vault.set(a, &again, value("two"))).unwrap();
    assert!(send(&house, "K", &destination()).is_ok());
    denied(send(&house, "K", &elsewhere()), "K");
}

/// D7: a secret of a lost key is set again; its policy is said again.
#[test]
fn a_secret_with_a_policy_outlives_a_lost_key() {
    let house = House::new();
    store(&house, "K", &under(policy(&[], &["api.example"], vec![])));
    let house = house.reopened(key(1));
    assert!(matches!(send(&house, "K", &destination()), Err(Error::Undecryptable { .. })));
    let refused = on("", "K", |a| house.vault.set(a, &terms(), value("two"))).err();
    assert!(matches!(refused, Some(Error::PolicyUnproven { why: Unopened::OtherKey(_), .. })));
    let other = under(policy(&[], &["b.example"], vec![]));
    on("", "K", |a| house.vault.set(a, &other, value("two"))).unwrap();
    assert!(send(&house, "K", &Destination::of("https://b.example").unwrap()).is_ok());
}

/// Everything that the value layer knows cannot be edited either.
#[test]
fn an_edited_key_encoding_opens_nothing() {
    let house = House::new();
    store(&house, "K", &terms());
    house.attacker().execute("UPDATE tenant_secret_versions SET key_encoding = 'hex'", []).unwrap();
    let error = house.value_of("", "K").err().unwrap();
    assert!(matches!(error, Error::Undecryptable { why: Unopened::NotAuthentic, .. }), "{error}");
}

/// R11: 48 bytes of every version are wrapped anew, and the old policy opens none of them.
#[test]
fn a_new_policy_holds_for_all_versions_and_leaves_the_values_alone() {
    let house = House::new();
    store(&house, "K", &under(policy(&[], &["api.example"], vec![])));
    house.set("", "K", "second").unwrap();
    let sealed = |house: &House| -> Vec<(Vec<u8>, Vec<u8>)> {
        let database = house.attacker();
        let mut all = database
            .prepare("SELECT ciphertext, wrapped_dek FROM tenant_secret_versions ORDER BY version_no")
            .unwrap();
        all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let before = sealed(&house);
    change(&house, "K", PolicyChange::Put(policy(&[], &["evil.example"], vec![]))).unwrap();
    let after = sealed(&house);
    assert_eq!(before.len(), 2);
    for (before, after) in before.iter().zip(&after) {
        assert!(before.0 == after.0 && before.1 != after.1);
    }
    denied(send(&house, "K", &destination()), "K");
    assert!(send(&house, "K", &elsewhere()).is_ok());
    // A rollback keeps today's policy, and opens under it.
    on("", "K", |a| house.vault.roll_back(a, By::Open, None)).unwrap();
    denied(send(&house, "K", &destination()), "K");
    assert!(send(&house, "K", &elsewhere()).is_ok());
    // The old rows under today's policy, or the other way round, open nothing.
    house
        .attacker()
        .execute("UPDATE tenant_secret_versions SET wrapped_dek = ?1 WHERE version_no = 1", [&before[0].1])
        .unwrap();
    assert!(matches!(send(&house, "K", &elsewhere()), Err(Error::Undecryptable { .. })));
    // A version does not open, so nothing is changed.
    assert!(change(&house, "K", PolicyChange::Lift).is_err());
    on("", "K", |a| house.vault.roll_back(a, By::Open, Some(2))).unwrap();
    assert!(send(&house, "K", &elsewhere()).is_ok(), "the other version is as it was");
}

#[test]
fn a_policy_is_taken_away_and_set_keeps_it_or_changes_it() {
    let house = House::new();
    store(&house, "K", &under(policy(&[], &["api.example"], vec![])));
    house.set("", "K", "two").unwrap();
    denied(send(&house, "K", &elsewhere()), "K");
    on("", "K", |a| house.vault.set(a, &under(policy(&[], &["evil.example"], vec![])), value("three")))
        .unwrap();
    assert!(send(&house, "K", &elsewhere()).is_ok());
    assert_eq!(change(&house, "K", PolicyChange::Lift).unwrap().policy, None);
    assert!(send(&house, "K", &destination()).is_ok() && send(&house, "K", &elsewhere()).is_ok());
}

/// The layout of the Go chassis binds no policy: it is sealed anew in ours.
#[test]
fn a_policy_on_an_imported_secret_is_bound_too() {
    let house = House::of_go(key(0));
    let before = house.value_of("", "STRIPE_API_KEY").ok().unwrap();
    change(&house, "STRIPE_API_KEY", PolicyChange::Put(policy(&[], &["api.example"], vec![]))).unwrap();
    denied(send(&house, "STRIPE_API_KEY", &elsewhere()), "STRIPE_API_KEY");
    change(&house, "STRIPE_API_KEY", PolicyChange::Put(policy(&[Purpose::Reveal], &[], vec![]))).unwrap();
    assert_eq!(house.value_of("", "STRIPE_API_KEY").ok().unwrap(), before);
    house
        .attacker()
        .execute("UPDATE tenant_secrets SET policy = NULL WHERE name = 'STRIPE_API_KEY'", [])
        .unwrap();
    assert!(matches!(house.value_of("", "STRIPE_API_KEY"), Err(Error::Undecryptable { .. })));
}

#[test]
fn a_chassis_can_want_a_policy_for_every_secret() {
    let house = House::new();
    let strict = Terms { policy_required: true, ..terms() };
    let refused = on("", "K", |a| house.vault.create(a, &strict, value("v"))).err();
    assert!(matches!(refused, Some(Error::PolicyRequired)));
    assert!(matches!(
        on("", "K", |a| house.vault.set(a, &strict, value("v"))).err(),
        Some(Error::PolicyRequired)
    ));
    let bound = Terms { policy_required: true, ..under(policy(&[], &["api.example"], vec![])) };
    on("", "K", |a| house.vault.create(a, &bound, value("v"))).unwrap();
    // What has one keeps it.
    on("", "K", |a| house.vault.set(a, &strict, value("w"))).unwrap();
    let lift = Terms { policy: PolicyChange::Lift, policy_required: true, ..terms() };
    assert!(matches!(on("", "K", |a| house.vault.policy(a, &lift)).err(), Some(Error::PolicyRequired)));
}

#[test]
fn a_policy_names_so_many_hosts_and_no_more() {
    let house = House::new();
    let many = |count: usize| {
        let hosts: Vec<_> = (0..count).map(|n| format!("h{n}.example")).collect();
        let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
        under(policy(&[], &hosts, vec![]))
    };
    store(&house, "K", &many(Policy::most()));
    let refused = on("", "L", |a| house.vault.create(a, &many(Policy::most() + 1), value("v"))).err();
    assert!(matches!(refused, Some(Error::PolicyTooLong)));
}

/// What is explained is what happens, and nothing is used by explaining.
#[test]
fn an_explanation_is_the_decision() {
    let house = House::new();
    store(&house, "K", &under(policy(&[], &["api.example"], vec![])));
    let tenant = tenant();
    let caller = Caller { tenant: &tenant, stack: None };
    let explain = |asked: &Asked<'_>| house.vault.explain(&caller, &name("K"), asked).unwrap();
    assert_eq!(explain(&Asked::Request(&destination())).verdict, Verdict::Spliced);
    let Verdict::Denied(why) = explain(&Asked::Request(&elsewhere())).verdict else { panic!() };
    assert_eq!(why.to_string(), "its policy allows --allow-host api.example, not https://evil.example");
    let builds = [(op(), Origin::Builtin, wants(true, false)), (op(), Origin::Builtin, wants(false, true))];
    assert_eq!(explain(&Asked::Call(&builds)).verdict, Verdict::Shown(op()));
    change(&house, "K", PolicyChange::Put(policy(&[Purpose::Use], &[], vec![]))).unwrap();
    assert_eq!(explain(&Asked::Call(&builds)).verdict, Verdict::Used(op()));
    assert!(matches!(explain(&Asked::Call(&builds[..1])).verdict, Verdict::Denied(_)));
    let there = explain(&Asked::Anything);
    assert_eq!((there.verdict, there.version_no, there.has_policy), (Verdict::There, 1, true));
    let missing = house.vault.explain(&caller, &name("NONE"), &Asked::Anything).err().unwrap();
    assert!(matches!(missing, Error::NotFound { .. }));
    assert_eq!(on("", "K", |a| house.vault.show(a)).unwrap().uses, 0);
}
