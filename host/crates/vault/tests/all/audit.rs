//! The audit's key, its seals, and "was this value ever stored?".

use store::{AuditFilter, Options, Store, Wrong};
use txco_vault::{By, KeyRing, MIN_SEEN_BYTES, Progress, SchemeOne, rewrap_audit_keys};

use crate::house::{House, key, on, value};

#[test]
fn rows_are_sealed_under_a_key_that_the_master_key_wraps() {
    let house = House::new();
    house.create("", "K", "a value of some length").unwrap();
    house.set("", "K", "another value of some length").unwrap();
    let verdict = house.vault.verify_audit(None).unwrap();
    assert_eq!((verdict.rows, verdict.unsealed, verdict.wrong), (3, 0, None));
    assert!(verdict.other_keys.is_empty() && verdict.unexplained.is_empty());
    let house = house.reopened(key(0));
    house.set("", "K", "a third value of some length").unwrap();
    let verdict = house.vault.verify_audit(verdict.head).unwrap();
    assert_eq!((verdict.rows, verdict.unsealed, verdict.wrong), (4, 0, None));
}

#[test]
fn whoever_writes_the_database_cannot_seal_a_row() {
    let house = House::new();
    house.create("", "K", "a value of some length").unwrap();
    house.attacker().execute("UPDATE txco_audit SET actor = 'somebody' WHERE seq = 2", []).unwrap();
    assert_eq!(house.vault.verify_audit(None).unwrap().wrong, Some(Wrong::NotSealed { seq: 2 }));
}

#[test]
fn a_lost_master_key_begins_a_new_audit_key_and_the_chain_goes_on() {
    let house = House::new();
    house.create("", "K", "a value of some length").unwrap();
    let house = house.reopened(key(9));
    house.set("", "K", "newly issued, also long").unwrap();
    let verdict = house.vault.verify_audit(None).unwrap();
    // The fourth tells of the key that is new here.
    assert_eq!((verdict.rows, verdict.wrong, verdict.unexplained_count), (4, None, 0));
    assert_eq!(verdict.other_keys.values().sum::<u64>(), 2, "two rows are of a key that is lost");
}

#[test]
fn a_new_master_key_takes_the_audit_key_over() {
    let house = House::new();
    house.create("", "K", "a value of some length").unwrap();
    let (store, _) = Store::open(house.folder(), "dev", Options::default()).unwrap();
    let moved = store.write(|writing| rewrap_audit_keys(writing, &key(0), &key(9)));
    assert_eq!(moved.ok(), Some(1));
    let again = store.write(|writing| rewrap_audit_keys(writing, &key(0), &key(9)));
    assert_eq!(again.ok(), Some(0), "nothing of the audit needs the old key");
    let house = house.reopened(key(9));
    let verdict = house.vault.verify_audit(None).unwrap();
    assert_eq!((verdict.wrong, verdict.other_keys.len()), (None, 0));
    assert_eq!(house.vault.seen(By::Open, value("a value of some length")).unwrap().len(), 1);
}

#[test]
fn a_wrapped_key_that_was_tampered_with_does_not_open() {
    let house = House::new();
    house.create("", "K", "a value of some length").unwrap();
    house.attacker().execute("UPDATE txco_audit_keys SET wrapped = zeroblob(48)", []).unwrap();
    let house = house.reopened(key(0));
    assert_eq!(house.vault.verify_audit(None).unwrap().other_keys.values().sum::<u64>(), 2);
}

#[test]
fn a_value_is_remembered_from_sixteen_bytes_on() {
    let house = House::new();
    let at = "v".repeat(MIN_SEEN_BYTES);
    let below = "v".repeat(MIN_SEEN_BYTES - 1);
    house.create("", "AT", &at).unwrap();
    house.create("", "BELOW", &below).unwrap();
    house.create("shop", "AT", &at).unwrap();
    house.set("", "AT", "something else by now").unwrap();
    on("shop", "AT", |a| house.vault.revoke(a, By::Open)).unwrap();
    let seen = |text: &str| {
        let seen = house.vault.seen(By::Open, value(text)).unwrap();
        seen.into_iter()
            .map(|seen| (seen.name.unwrap(), seen.stack, seen.version_no, seen.revoked_at.is_some()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        seen(&at),
        [("AT".to_owned(), None, 1, false), ("AT".to_owned(), Some("shop".to_owned()), 1, true)]
    );
    assert_eq!(seen(&below), []);
    assert_eq!(seen("never stored anywhere"), []);
}

#[test]
fn what_is_remembered_is_not_the_value_nor_the_same_for_another_database() {
    let (one, other) = (House::new(), House::new());
    let mac = |house: &House| -> Vec<u8> {
        house.create("", "K", "a value of some length").unwrap();
        house.attacker().query_row("SELECT mac FROM txco_audit_values", [], |row| row.get(0)).unwrap()
    };
    assert_ne!(mac(&one), mac(&other));
}

/// The audit needs no key that is rotated out, also where no secret does: what `status` says
/// that nothing needs can go.
#[test]
fn the_audit_outlives_a_key_that_no_secret_needs() {
    let house = House::new();
    let head = house.vault.verify_audit(None).unwrap().head;
    let house = house.reopened(KeyRing::new(key(9)).and(key(0)));
    let census = house.vault.census().unwrap();
    assert_eq!(census.versions, 0, "no secret needs any key");
    let house = house.reopened(key(9));
    house.create("", "K", "a value of some length").unwrap();
    let verdict = house.vault.verify_audit(head).unwrap();
    assert_eq!((verdict.wrong, verdict.other_keys.len(), verdict.unsealed), (None, 0, 0));
}

/// R36: a key that comes into use, and a rewrap, are rows in the transaction that makes them.
#[test]
fn what_happens_to_keys_is_in_the_audit() {
    let house = House::new();
    house.create("", "K", "a value of some length").unwrap();
    let house = house.reopened(KeyRing::new(key(9)).and(key(0)));
    let mut rewrap = house.vault.rewrap(SchemeOne::Keep).unwrap();
    while house.vault.rewrap_step(&mut rewrap, 10).unwrap() == Progress::More {}
    let (store, _) = Store::open(house.folder(), "dev", Options::default()).unwrap();
    let rows = store.audit_rows(&AuditFilter { action: Some("keys"), ..AuditFilter::default() }, 10).unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (row.actor.as_str(), row.action.as_str(), row.subject.as_str())).collect();
    let new = key(9).id().to_string();
    assert_eq!(told, [("chassis", "keys.known", new.as_str()), ("local", "keys.rewrap", new.as_str())]);
    assert!(rows[1].detail.contains("\"rewrapped\":1"), "{}", rows[1].detail);
    assert!(rows.iter().all(|row| row.seal.is_some()));
}
