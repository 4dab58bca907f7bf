//! Ops of tenants: by digest, each tenant's own, bounded in number.

use model::{Delivery, Digest, OpName, TenantId, TenantSlug};
use txco_store::{By, Error, NewBuild, Options, Pushed, Store};

struct House {
    _folder: tempfile::TempDir,
    store: Store,
    one: TenantId,
    other: TenantId,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
    let tenant =
        |slug: &str| store.create_tenant(&TenantSlug::parse(slug).unwrap(), None, By::Open).unwrap().id;
    let (one, other) = (tenant("one"), tenant("other"));
    House { _folder: folder, store, one, other }
}

fn name(text: &str) -> OpName {
    OpName::parse(text).unwrap()
}

fn reveal(component: &[u8]) -> NewBuild<'_> {
    NewBuild { delivery: Delivery::Reveal, component, signature: None }
}

fn push(house: &House, tenant: &TenantId, op: &str, builds: &[NewBuild<'_>]) -> Pushed {
    house.store.push_op(tenant, &name(op), builds, By::Actor("act_x"), 3).unwrap().1
}

#[test]
fn an_op_is_its_bytes_and_says_who_pushed_it() {
    let house = house();
    let with_keys = NewBuild { delivery: Delivery::Use, component: b"use", signature: Some("sig") };
    assert_eq!(push(&house, &house.one, "signer", &[reveal(b"one"), with_keys]), Pushed::Created);
    let op = house.store.op(&house.one, &name("signer")).unwrap().unwrap();
    assert_eq!((op.push_no, op.pushed_by.as_deref(), op.builds.len()), (1, Some("act_x"), 2));
    let [first, second] = &op.builds[..] else { panic!() };
    assert_eq!((first.delivery, first.digest, first.size), (Delivery::Reveal, Digest::of(b"one"), 3));
    assert_eq!((second.delivery, second.signature.as_deref()), (Delivery::Use, Some("sig")));
    let bytes = house.store.component(&house.one, &first.digest).unwrap();
    assert_eq!(bytes.as_deref(), Some(&b"one"[..]));

    assert_eq!(push(&house, &house.one, "signer", &[reveal(b"one"), with_keys]), Pushed::Unchanged);
    assert_eq!(push(&house, &house.one, "signer", &[reveal(b"two")]), Pushed::Replaced);
    let op = house.store.op(&house.one, &name("signer")).unwrap().unwrap();
    assert_eq!((op.push_no, op.builds.len()), (2, 1));
    assert_eq!(house.store.component(&house.one, &Digest::of(b"one")).unwrap(), None, "gone with its op");
}

/// Weakness W5: computes were one pool for all tenants.
#[test]
fn what_one_tenant_pushes_changes_nothing_for_another() {
    let house = house();
    push(&house, &house.one, "signer", &[reveal(b"same")]);
    assert_eq!(push(&house, &house.other, "signer", &[reveal(b"same")]), Pushed::Created);
    push(&house, &house.other, "signer", &[reveal(b"changed")]);
    let mine = house.store.op(&house.one, &name("signer")).unwrap().unwrap();
    assert_eq!(mine.builds[0].digest, Digest::of(b"same"));
    assert!(house.store.remove_op(&house.other, &name("signer"), By::Open).unwrap());
    assert!(house.store.component(&house.one, &Digest::of(b"same")).unwrap().is_some());

    push(&house, &house.other, "its-own", &[reveal(b"private")]);
    assert_eq!(
        house.store.component(&house.one, &Digest::of(b"private")).unwrap(),
        None,
        "not by digest either"
    );
    assert!(house.store.op(&house.one, &name("its-own")).unwrap().is_none());
    assert!(!house.store.remove_op(&house.one, &name("its-own"), By::Open).unwrap());
}

#[test]
fn their_number_is_bounded_per_tenant() {
    let house = house();
    for op in ["a", "b", "c"] {
        push(&house, &house.one, op, &[reveal(op.as_bytes())]);
    }
    let fourth = house.store.push_op(&house.one, &name("d"), &[reveal(b"d")], By::Open, 3);
    assert!(matches!(fourth, Err(Error::TooManyOps { most: 3 })));
    assert_eq!(
        push(&house, &house.one, "a", &[reveal(b"again")]),
        Pushed::Replaced,
        "a full tenant can push"
    );
    assert_eq!(push(&house, &house.other, "d", &[reveal(b"d")]), Pushed::Created);
    let names: Vec<_> = house.store.ops(&house.one).unwrap().into_iter().map(|op| op.name).collect();
    assert_eq!(names, [name("a"), name("b"), name("c")]);
}
