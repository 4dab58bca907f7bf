//! Rows altered, moved and swapped by somebody who can write the database.

use txco_vault::{Error, Unopened};

use crate::house::House;

fn refused(house: &House, from: &str, secret: &str) -> Unopened {
    match house.value_of(from, secret) {
        Err(Error::Undecryptable { name, why }) => {
            assert_eq!(name.as_str(), secret);
            why
        }
        Err(other) => panic!("{other}"),
        Ok(value) => panic!("opened: {value:?}"),
    }
}

/// Each statement changes one thing that a row is bound to; none may open afterwards.
#[test]
fn what_a_row_is_bound_to_cannot_be_changed_in_the_database() {
    let alterations = [
        ("its stack", "UPDATE tenant_secrets SET stack = 'shop' WHERE name = 'A'", "shop", "A", Unopened::NotAuthentic),
        ("its name", "UPDATE tenant_secrets SET name = 'C' WHERE name = 'A'", "", "C", Unopened::NotAuthentic),
        (
            "its number",
            "UPDATE tenant_secret_versions SET version_no = 9 WHERE secret_id = (SELECT secret_id FROM tenant_secrets WHERE name = 'A')",
            "",
            "A",
            Unopened::NotAuthentic,
        ),
        (
            "its secret: two rows swapped",
            "UPDATE tenant_secret_versions SET secret_id = (SELECT secret_id FROM tenant_secrets WHERE name <>
               (SELECT name FROM tenant_secrets s WHERE s.secret_id = tenant_secret_versions.secret_id)),
               version_no = version_no + (SELECT name = 'A' FROM tenant_secrets s WHERE s.secret_id = tenant_secret_versions.secret_id)",
            "",
            "A",
            Unopened::NotAuthentic,
        ),
        ("its scheme", "UPDATE tenant_secret_versions SET aad_scheme = 1", "", "A", Unopened::NotAuthentic),
        ("a scheme nobody knows", "UPDATE tenant_secret_versions SET aad_scheme = 3", "", "A", Unopened::UnknownScheme),
        ("its key id, to none", "UPDATE tenant_secret_versions SET key_id = NULL", "", "A", Unopened::UnknownScheme),
        ("its ciphertext", "UPDATE tenant_secret_versions SET ciphertext = zeroblob(40)", "", "A", Unopened::NotAuthentic),
        ("its ciphertext, to nothing", "UPDATE tenant_secret_versions SET ciphertext = X''", "", "A", Unopened::NotAuthentic),
        ("its nonce", "UPDATE tenant_secret_versions SET nonce = zeroblob(12)", "", "A", Unopened::NotAuthentic),
        ("a short nonce", "UPDATE tenant_secret_versions SET nonce = zeroblob(11)", "", "A", Unopened::UnknownScheme),
        ("its key", "UPDATE tenant_secret_versions SET wrapped_dek = zeroblob(48)", "", "A", Unopened::NotAuthentic),
        ("everything", "DELETE FROM tenant_secret_versions", "", "A", Unopened::NoVersion),
    ];
    for (what, sql, from, secret, why) in alterations {
        let house = House::new();
        house.create("", "A", "value of a").unwrap();
        house.create("", "B", "value of b").unwrap();
        assert_eq!(house.value_of("", "A").ok().unwrap(), b"value of a");
        let changed = house.attacker().execute(sql, []).unwrap();
        assert!(changed > 0, "{what}");
        assert_eq!(refused(&house, from, secret), why, "{what}");
        // The way back is open: set does not open what was there.
        house.set(from, secret, "newly issued").unwrap();
        assert_eq!(house.value_of(from, secret).ok().unwrap(), b"newly issued", "{what}");
    }
}

/// The tenant is part of both layers: another tenant's row under one's own name stays shut.
#[test]
fn a_row_moved_to_another_tenant_does_not_open() {
    let house = House::of_go(crate::house::key(0));
    assert_eq!(house.value_of("", "ACME_KEY").ok().unwrap(), b"acme-of-tenant");
    let attacker = house.attacker();
    attacker.execute("UPDATE tenant_secrets SET revoked_at = 'x' WHERE secret_id = 'sec_TEST'", []).unwrap();
    attacker
        .execute("UPDATE tenant_secrets SET tenant_id = 'tnt_default' WHERE secret_id = 'sec_7Acme'", [])
        .unwrap();
    assert_eq!(refused(&house, "", "STRIPE_API_KEY"), Unopened::NotAuthentic);
}

/// What scheme 1 never bound (weakness K8) is as it was; rotating a secret binds it.
#[test]
fn an_imported_row_binds_its_stack_once_it_is_rotated() {
    let house = House::of_go(crate::house::key(0));
    let attacker = house.attacker();
    attacker.execute("UPDATE tenant_secrets SET stack = 'site' WHERE secret_id = 'sec_5Hmac'", []).unwrap();
    assert_eq!(house.value_of("site", "WEBHOOK_HMAC").ok().unwrap().len(), 32);
    house.set("site", "WEBHOOK_HMAC", "rotated").unwrap();
    attacker.execute("UPDATE tenant_secrets SET stack = NULL WHERE secret_id = 'sec_5Hmac'", []).unwrap();
    assert_eq!(refused(&house, "", "WEBHOOK_HMAC"), Unopened::NotAuthentic);
}

/// No cleartext is in the files, not even in the write-ahead log.
#[test]
fn the_files_hold_no_value() {
    let house = House::new();
    house.create("", "A", "canary-7f3a9c1e5b").unwrap();
    let (_, shown) =
        crate::house::on("", "G", |a| house.vault.generate(a, &crate::house::terms(), 32)).ok().unwrap();
    house.set("", "A", "canary-0d4e8b2a6f").unwrap();
    let mut searched = 0;
    for entry in std::fs::read_dir(house.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for needle in [&b"canary-7f3a9c1e5b"[..], b"canary-0d4e8b2a6f", shown.text().as_bytes()] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
        searched += bytes.len();
    }
    assert!(searched > 10_000, "{searched}");
}
