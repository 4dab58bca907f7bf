//! What a tenant may keep (weakness S3): at the limit it is kept, one above it nothing is.

use model::{Id, IdKind};
use rusqlite::Connection;
use txco_store::{By, Error, Options, Quota, Quotas, SealedSecret, SecretAddress, Store, Usage};

use crate::folder::{Folder, add, default_tenant, name, rotate, sealed, slug, told};

fn bound(folder: &Folder, quotas: Quotas) -> Store {
    let options = Options { quotas, ..Options::default() };
    Store::open(&folder.path(), "dev", options).unwrap().0
}

fn refused<T>(result: Result<T, Error>, expected: Quota, limit: u64) {
    match result.err() {
        Some(Error::QuotaReached { quota, most }) => assert_eq!((quota, most), (expected, limit)),
        other => panic!("{other:?}"),
    }
}

/// Each sealed value of these tests has 40 bytes.
fn add_bytes(store: &Store, id: &Id, bytes: usize) -> Result<u32, Error> {
    store.write(|writing| {
        let version_no = writing.next_version(id)?;
        let sealed = SealedSecret { ciphertext: vec![0; bytes], ..sealed(1) };
        writing.add_version(id, version_no, &sealed, By::Open)?;
        told(writing)?;
        Ok(version_no)
    })
}

#[test]
fn secrets_are_counted_while_they_are_active() {
    let folder = Folder::new();
    let store = bound(&folder, Quotas { secrets: Some(3), ..Quotas::default() });
    let ids: Vec<_> = ["A", "B", "C"].iter().map(|one| add(&store, "", one, 1).unwrap()).collect();
    refused(add(&store, "", "D", 1), Quota::Secrets, 3);
    assert_eq!(store.secrets(&default_tenant()).unwrap().len(), 3, "what was refused left nothing");
    rotate(&store, &ids[0], 1).unwrap();
    store.write(|writing| writing.revoke(&ids[0]).and_then(|()| told(writing))).unwrap();
    add(&store, "shop", "A", 1).unwrap();
    refused(add(&store, "", "A", 1), Quota::Secrets, 3);

    // Another tenant has its own.
    let acme = store.create_tenant(&slug("acme"), None, By::Open).unwrap().id;
    let other = name("A");
    let address = SecretAddress { tenant: &acme, stack: None, name: &other };
    let added: Result<(), Error> = store.write(|writing| {
        let id = writing.mint(IdKind::Secret)?;
        writing.add_secret(&id, &address, None, By::Open)?;
        told(writing)
    });
    added.unwrap();
    assert_eq!(store.usage(&acme).unwrap(), Usage { secrets: 1, bytes: 0 });
}

#[test]
fn versions_are_counted_while_they_have_a_value() {
    let folder = Folder::new();
    let store = bound(&folder, Quotas { versions: Some(3), ..Quotas::default() });
    let id = add(&store, "", "K", 1).unwrap();
    assert_eq!((rotate(&store, &id, 1).unwrap(), rotate(&store, &id, 1).unwrap()), (2, 3));
    refused(rotate(&store, &id, 1), Quota::Versions, 3);
    let sql = folder.foreign("runtime-dev.db");
    sql.execute("UPDATE tenant_secret_versions SET ciphertext = X'' WHERE version_no = 1", []).unwrap();
    assert_eq!(rotate(&store, &id, 1).unwrap(), 4);
    refused(rotate(&store, &id, 1), Quota::Versions, 3);
    sql.execute("DELETE FROM tenant_secret_versions WHERE version_no = 2", []).unwrap();
    assert_eq!(rotate(&store, &id, 1).unwrap(), 5);
}

#[test]
fn bytes_are_counted_over_all_versions() {
    let folder = Folder::new();
    let store = bound(&folder, Quotas { bytes: Some(100), ..Quotas::default() });
    let id = add(&store, "", "K", 1).unwrap();
    refused(add_bytes(&store, &id, 61), Quota::Bytes, 100);
    add_bytes(&store, &id, 60).unwrap();
    refused(add_bytes(&store, &id, 1), Quota::Bytes, 100);
    assert_eq!(store.usage(&default_tenant()).unwrap(), Usage { secrets: 1, bytes: 100 });
    // A revoked secret's versions are still there.
    store.write(|writing| writing.revoke(&id).and_then(|()| told(writing))).unwrap();
    refused(add(&store, "", "K", 1), Quota::Bytes, 100);
    assert_eq!(store.usage(&default_tenant()).unwrap(), Usage { secrets: 0, bytes: 100 });
}

/// The numbers as the triggers have them, beside those of the rows.
fn counts(sql: &Connection) -> [(i64, i64); 2] {
    let ask = |sql_text: &str| sql.query_row(sql_text, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    [
        ask("SELECT secrets, bytes FROM txco_usage WHERE tenant_id = 'tnt_default'"),
        ask("SELECT (SELECT COUNT(*) FROM tenant_secrets WHERE tenant_id = 'tnt_default' AND revoked_at IS NULL),
                    (SELECT COALESCE(SUM(length(ciphertext)), 0) FROM tenant_secret_versions v
                     JOIN tenant_secrets s ON s.secret_id = v.secret_id WHERE s.tenant_id = 'tnt_default')"),
    ]
}

#[test]
fn an_imported_database_is_counted_and_so_is_what_sql_does_to_it() {
    let folder = Folder::of_go();
    let store = folder.store();
    let sql = folder.foreign("runtime-dev.db");
    let [counted, there] = counts(&sql);
    assert_eq!(counted, there);
    assert!(there.0 == 4 && there.1 > 0, "{there:?}");
    for statement in [
        "UPDATE tenant_secrets SET revoked_at = 'now' WHERE name = 'WEBHOOK_HMAC'",
        "UPDATE tenant_secrets SET revoked_at = NULL WHERE name = 'WEBHOOK_HMAC'",
        "UPDATE tenant_secret_versions SET ciphertext = X'0011'",
        "DELETE FROM tenant_secret_versions WHERE version_no = 1",
        "DELETE FROM tenant_secret_versions",
        "DELETE FROM tenant_secrets",
    ] {
        sql.execute_batch(statement).unwrap();
        let [counted, there] = counts(&sql);
        assert_eq!(counted, there, "after {statement}");
    }
    assert_eq!(store.usage(&default_tenant()).unwrap(), Usage::default());
}

/// A count that is too high refuses nothing: what is there decides.
#[test]
fn a_wrong_count_is_counted_anew_before_anything_is_refused() {
    let folder = Folder::new();
    let store = bound(&folder, Quotas { secrets: Some(2), bytes: Some(80), ..Quotas::default() });
    add(&store, "", "A", 1).unwrap();
    let sql = folder.foreign("runtime-dev.db");
    sql.execute("UPDATE txco_usage SET secrets = 999, bytes = 999", []).unwrap();
    add(&store, "", "B", 1).unwrap();
    let [counted, there] = counts(&sql);
    assert_eq!((counted, there), ((2, 80), (2, 80)));
    refused(add(&store, "", "C", 1), Quota::Secrets, 2);
}
