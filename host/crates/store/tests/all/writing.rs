//! Transactions: all or nothing, one at a time, and what the numbers are.

use txco_store::{AadScheme, By, CheckValue, Error, KeyId, Rewrapped, SecretAddress, Versions};

use crate::folder::{Folder, add, default_tenant, name, revoke, rotate, slug};

#[test]
fn an_error_undoes_the_whole_transaction() {
    let folder = Folder::new();
    let store = folder.store();
    let (tenant, name) = (default_tenant(), name("K"));
    let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
    let failed: Result<(), Error> = store.write(|writing| {
        let id = writing.mint(model::IdKind::Secret)?;
        writing.add_secret(&id, &address, None, By::Open)?;
        assert!(writing.secret(&address)?.is_some(), "the transaction sees its own rows");
        Err(Error::Full)
    });
    assert!(matches!(failed, Err(Error::Full)));
    assert!(store.secret(&address).unwrap().is_none());
}

#[test]
fn a_panic_undoes_the_whole_transaction_and_the_store_goes_on() {
    let folder = Folder::new();
    let store = folder.store();
    let (tenant, name) = (default_tenant(), name("K"));
    let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.write(|writing| -> Result<(), Error> {
            let id = writing.mint(model::IdKind::Secret)?;
            writing.add_secret(&id, &address, None, By::Open)?;
            panic!("half-way");
        })
    }));
    assert!(panicked.is_err());
    assert!(store.secret(&address).unwrap().is_none());
    add(&store, "", "K", 1).unwrap();
    assert!(store.secret(&address).unwrap().is_some());
}

#[test]
fn one_active_secret_in_one_place() {
    let folder = Folder::new();
    let store = folder.store();
    add(&store, "shop", "K", 1).unwrap();
    assert!(matches!(add(&store, "shop", "K", 2), Err(Error::Taken)));
    add(&store, "", "K", 3).unwrap();
    revoke(&store, "shop", "K");
    add(&store, "shop", "K", 4).unwrap();
}

#[test]
fn version_numbers_go_above_revoked_ones_and_are_given_once() {
    let folder = Folder::new();
    let store = folder.store();
    let id = add(&store, "", "K", 1).unwrap();
    assert_eq!(rotate(&store, &id, 2).unwrap(), 2);
    folder
        .foreign("runtime-dev.db")
        .execute("UPDATE tenant_secret_versions SET revoked_at = created_at WHERE version_no = 2", [])
        .unwrap();
    let listed = store.secrets(&default_tenant()).unwrap();
    assert_eq!(listed[0].version_no, 1);
    assert!(listed[0].last_rotated_at.is_some());
    std::thread::scope(|threads| {
        let both: Vec<_> = (0..2)
            .map(|_| threads.spawn(|| (0..50).map(|_| rotate(&store, &id, 3).unwrap()).collect::<Vec<_>>()))
            .collect();
        let mut numbers: Vec<_> = both.into_iter().flat_map(|t| t.join().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (3..103).collect::<Vec<_>>());
    });
}

#[test]
fn two_stores_on_one_file_take_turns() {
    let folder = Folder::new();
    let (one, two) = (folder.store(), folder.store());
    let id = add(&one, "", "K", 1).unwrap();
    std::thread::scope(|threads| {
        for store in [&one, &two] {
            threads.spawn(|| (0..30).for_each(|_| assert!(rotate(store, &id, 1).is_ok())));
        }
    });
    assert_eq!(one.secrets(&default_tenant()).unwrap()[0].version_no, 61);
}

#[test]
fn tenants_are_made_once_and_not_in_the_chassis_s_name() {
    let folder = Folder::new();
    let store = folder.store();
    let acme = store.create_tenant(&slug("acme"), Some("Acme Inc."), By::Open).unwrap();
    assert_eq!(store.tenant_by_slug(&slug("acme")).unwrap(), Some(acme));
    assert!(matches!(store.create_tenant(&slug("acme"), None, By::Open), Err(Error::Taken)));
    assert!(matches!(store.create_tenant(&slug("_own"), None, By::Open), Err(Error::ReservedSlug)));
    assert_eq!(store.tenants().unwrap().len(), 3);
}

#[test]
fn keys_are_remembered_and_rows_counted_by_them() {
    let folder = Folder::new();
    let store = folder.store();
    let (ours, check) = (KeyId::new([1; 8]), CheckValue::new([9; 16]));
    assert_eq!(store.known_key(ours).unwrap(), None);
    store.write(|w| w.remember_key(ours, check)).unwrap();
    store.write(|w| w.remember_key(ours, CheckValue::new([0; 16]))).unwrap();
    assert_eq!(store.known_key(ours).unwrap(), Some(check), "the first one stays");

    assert!(!store.holds_ciphertext().unwrap());
    assert_eq!(store.keys_named().unwrap(), []);
    add(&store, "", "K", 1).unwrap();
    assert!(store.holds_ciphertext().unwrap());
    assert_eq!(store.keys_named().unwrap(), [Some(ours)]);
    let go = Folder::of_go();
    assert_eq!(go.store().keys_named().unwrap(), [None], "imported rows name no key");
}

#[test]
fn versions_come_page_by_page_in_the_order_of_their_rows() {
    let folder = Folder::of_go();
    let store = folder.store();
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page = store.versions_after(Versions::All, after, 3).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = last.row;
        seen.extend(page.iter().map(|row| (row.secret_id.clone(), row.version_no)));
    }
    assert_eq!(seen.len(), 8);
    assert_eq!(store.count_versions(Versions::All).unwrap(), 8);
    assert_eq!(store.count_versions(Versions::SchemeOne).unwrap(), 8);
    assert_eq!(store.count_versions(Versions::Under(None)).unwrap(), 8);
    assert_eq!(store.count_versions(Versions::Under(Some(KeyId::new([1; 8])))).unwrap(), 0);
}

#[test]
fn a_rewrapped_row_names_its_key_and_keeps_its_value() {
    let folder = Folder::of_go();
    let store = folder.store();
    let row = store.versions_after(Versions::Under(None), 0, 1).unwrap().remove(0);
    let value = store.sealed_value(row.row).unwrap().unwrap();
    let key = KeyId::new([1; 8]);
    let scheme = AadScheme::One { key_version: 1, key_id: Some(key) };
    let sealed = Rewrapped { scheme, dek_nonce: [7; 12], wrapped_dek: [8; 48] };
    store.write(|writing| writing.rewrap(row.row, &sealed)).unwrap();
    assert_eq!(store.keys_named().unwrap(), [None, Some(key)]);
    let again = store.versions_after(Versions::Under(Some(key)), 0, 9).unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].row, again[0].scheme), (row.row, Some(scheme)));
    assert_eq!(
        (again[0].dek_nonce.as_slice(), again[0].wrapped_dek.as_slice()),
        (&[7; 12][..], &[8; 48][..])
    );
    assert_eq!(store.sealed_value(row.row).unwrap().unwrap(), value);
}
