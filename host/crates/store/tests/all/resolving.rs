//! What names mean: scopes, revocations, and the cache against concurrent writers.

use std::sync::atomic::{AtomicU32, Ordering};

use txco_store::{AadScheme, By, Error, Options, Resolution, Store};

use crate::folder::{Folder, add, default_tenant, name, revoke, rotate, sealed, stack, tenant, told};

/// The mark of the secret found, or how the search ended.
fn seen(store: &Store, stack_text: &str, secret: &str) -> String {
    let stack = stack(stack_text);
    match store.resolve(&default_tenant(), stack.as_ref(), [&name(secret)]).unwrap().remove(0) {
        Resolution::Found(found) => {
            let version = found.version.as_ref().unwrap();
            format!("{}v{}", version.sealed.as_ref().unwrap().nonce[0], version.version_no)
        }
        Resolution::Revoked(stack) => format!("revoked in {stack}"),
        Resolution::Missing => "missing".to_owned(),
    }
}

/// Weakness S6: a nested stack has what its parents have.
#[test]
fn the_nearest_scope_answers() {
    let folder = Folder::new();
    let store = folder.store();
    for (stack, mark) in [("", 1), ("shop", 2), ("shop/eu/de", 3), ("shopping", 4)] {
        add(&store, stack, "K", mark).unwrap();
    }
    for (from, expected) in [
        ("", "1v1"),
        ("website", "1v1"),
        ("shop", "2v1"),
        ("shop/eu", "2v1"),
        ("shop/eu/de", "3v1"),
        ("shop/eu/de/x", "3v1"),
        ("shop/eu/d", "2v1"),
        ("shopping", "4v1"),
        ("shoppin", "1v1"),
        ("sho", "1v1"),
    ] {
        assert_eq!(seen(&store, from, "K"), expected, "from {from:?}");
    }
    assert_eq!(seen(&store, "shop", "L"), "missing");
    drop(store);
    let (exact, _) = folder.exact();
    assert_eq!(seen(&exact, "shop/eu", "K"), "1v1");
    assert_eq!(seen(&exact, "shop/eu/de", "K"), "3v1");
}

#[test]
fn a_name_never_leaves_its_tenant() {
    let folder = Folder::of_go();
    let store = folder.store();
    let acme = tenant("tnt_9acme");
    let found = store.resolve(&acme, None, [&name("STRIPE_API_KEY"), &name("ACME_KEY")]).unwrap();
    assert!(
        matches!(&found[0], Resolution::Found(s) if s.secret_id.as_str() == "sec_7Acme" && s.stack.is_empty())
    );
    assert_eq!(found[1], Resolution::Missing);
    let nobody = store.resolve(&tenant("tnt_nobody"), None, [&name("STRIPE_API_KEY")]).unwrap();
    assert_eq!(nobody, [Resolution::Missing]);
}

#[test]
fn a_revocation_by_us_ends_the_search_until_it_is_made_again() {
    let folder = Folder::new();
    let store = folder.store();
    add(&store, "", "K", 1).unwrap();
    add(&store, "shop", "K", 2).unwrap();
    revoke(&store, "shop", "K");
    assert_eq!(seen(&store, "shop", "K"), "revoked in shop");
    assert_eq!(seen(&store, "shop/eu", "K"), "revoked in shop");
    assert_eq!(seen(&store, "website", "K"), "1v1");
    add(&store, "shop", "K", 3).unwrap();
    assert_eq!(seen(&store, "shop/eu", "K"), "3v1");
}

#[test]
fn a_revoked_tenant_wide_secret_is_missing() {
    let folder = Folder::new();
    let store = folder.store();
    add(&store, "", "K", 1).unwrap();
    revoke(&store, "", "K");
    assert_eq!(seen(&store, "", "K"), "missing");
    assert_eq!(seen(&store, "shop", "K"), "missing");
}

#[test]
fn a_revocation_by_the_go_chassis_falls_through_as_it_did_there() {
    let folder = Folder::of_go();
    let store = folder.store();
    let web = stack("website");
    let found = store.resolve(&default_tenant(), web.as_ref(), [&name("STRIPE_API_KEY")]).unwrap();
    let Resolution::Found(found) = &found[0] else { panic!("{found:?}") };
    assert_eq!(found.secret_id.as_str(), "sec_TEST");
    let version = found.version.as_ref().unwrap();
    assert_eq!(version.sealed.as_ref().unwrap().scheme, AadScheme::One { key_version: 1, key_id: None });
}

#[test]
fn the_generation_of_an_imported_version_is_the_one_it_was_sealed_under() {
    let folder = Folder::of_go();
    drop(folder.store());
    let go = folder.foreign("runtime-dev.db");
    // The parent's number moves on after the import; a row the Go chassis adds later has none of its own.
    go.execute_batch(
        "UPDATE tenant_secrets SET key_version = 7;
         INSERT INTO tenant_secret_versions (version_id, secret_id, version_no, nonce, ciphertext, wrapped_dek, dek_nonce, created_at)
         SELECT 'sec_v_new', secret_id, 3, nonce, ciphertext, wrapped_dek, dek_nonce, created_at
         FROM tenant_secret_versions WHERE secret_id = 'sec_5Hmac' AND version_no = 2;",
    )
    .unwrap();
    let store = folder.store();
    let generation = |secret: &str| {
        let found = store.resolve(&default_tenant(), None, [&name(secret)]).unwrap().remove(0);
        let Resolution::Found(found) = found else { panic!("{found:?}") };
        match found.version.as_ref().unwrap().sealed.as_ref().unwrap().scheme {
            AadScheme::One { key_version, .. } => key_version,
            AadScheme::Two { .. } => panic!("scheme 2"),
        }
    };
    assert_eq!(generation("STRIPE_API_KEY"), 1);
    assert_eq!(generation("WEBHOOK_HMAC"), 7);
}

#[test]
fn rows_of_an_impossible_shape_are_found_and_empty() {
    let folder = Folder::of_go();
    let go = folder.foreign("runtime-dev.db");
    let store = folder.store();
    let sealed = |secret: &str| {
        let found = store.resolve(&default_tenant(), None, [&name(secret)]).unwrap().remove(0);
        let Resolution::Found(found) = found else { panic!("{found:?}") };
        found.version.clone().map(|v| v.sealed.is_some())
    };
    assert_eq!(sealed("STRIPE_API_KEY"), Some(true));
    for spoil in ["nonce = X'00'", "wrapped_dek = X'00'", "dek_nonce = X''", "aad_scheme = 3"] {
        go.execute_batch("BEGIN").unwrap();
        go.execute(&format!("UPDATE tenant_secret_versions SET {spoil} WHERE secret_id = 'sec_TEST'"), [])
            .unwrap();
        go.execute_batch("COMMIT").unwrap();
        assert_eq!(sealed("STRIPE_API_KEY"), Some(false), "{spoil}");
        go.execute_batch(
            "UPDATE tenant_secret_versions SET nonce = zeroblob(12), dek_nonce = zeroblob(12),
             wrapped_dek = zeroblob(48), aad_scheme = 1 WHERE secret_id = 'sec_TEST'",
        )
        .unwrap();
    }
    assert_eq!(sealed("STRIPE_API_KEY"), Some(true));
    go.execute("DELETE FROM tenant_secret_versions WHERE secret_id = 'sec_TEST'", []).unwrap();
    assert_eq!(sealed("STRIPE_API_KEY"), None);
}

/// Runbook §6 has operators delete rows by `sqlite3` under a running chassis (R16).
#[test]
fn what_another_process_changes_is_seen_at_once() {
    let folder = Folder::new();
    let store = folder.store();
    add(&store, "", "K", 1).unwrap();
    let operator = folder.foreign("runtime-dev.db");
    assert_eq!(seen(&store, "", "K"), "1v1");
    assert_eq!(seen(&store, "", "L"), "missing");
    operator.execute("UPDATE tenant_secrets SET name = 'L'", []).unwrap();
    assert_eq!((seen(&store, "", "K"), seen(&store, "", "L")), ("missing".to_owned(), "1v1".to_owned()));
    operator.execute_batch("DELETE FROM tenant_secret_versions; DELETE FROM tenant_secrets;").unwrap();
    assert_eq!(seen(&store, "", "L"), "missing");
}

/// Weakness S15: names resolve while a write is under way, as of before it.
#[test]
fn readers_do_not_wait_for_the_writer() {
    let folder = Folder::new();
    let store = folder.store();
    let id = add(&store, "", "K", 1).unwrap();
    let written: Result<(), Error> = store.write(|writing| {
        writing.add_version(&id, 2, &sealed(2), By::Open)?;
        told(writing)?;
        let seen = std::thread::scope(|threads| {
            let readers: Vec<_> = (0..8).map(|_| threads.spawn(|| seen(&store, "shop", "K"))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(seen, ["1v1"; 8]);
        Ok(())
    });
    written.unwrap();
    assert_eq!(seen(&store, "shop", "K"), "2v2");
}

/// A user and its password, changed in one transaction, are one pair to whoever asks for both (weakness S12).
#[test]
fn names_that_were_changed_together_are_seen_together() {
    let folder = Folder::new();
    let store = folder.store();
    let pair = [add(&store, "", "USER", 0).unwrap(), add(&store, "", "PASSWORD", 0).unwrap()];
    let done = AtomicU32::new(0);
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let mut seen = 0;
                while done.load(Ordering::SeqCst) == 0 {
                    let names = [name("USER"), name("PASSWORD")];
                    let found = store.resolve(&default_tenant(), None, &names).unwrap();
                    let versions = found.iter().map(|one| {
                        let Resolution::Found(found) = one else { panic!("{one:?}") };
                        found.version.as_ref().unwrap().version_no
                    });
                    let versions: Vec<_> = versions.collect();
                    assert_eq!(versions[0], versions[1]);
                    seen += 1;
                }
                assert!(seen > 0);
            });
        }
        for version_no in 2..300 {
            let both: Result<(), Error> = store.write(|writing| {
                for id in &pair {
                    writing.add_version(id, version_no, &sealed(1), By::Open)?;
                }
                told(writing)
            });
            both.unwrap();
        }
        done.store(1, Ordering::SeqCst);
    });
}

/// Without room for it, nothing is kept, and everything is found all the same.
#[test]
fn a_store_without_a_cache_answers_the_same() {
    let folder = Folder::new();
    let options = Options { cache_bytes: 0, ..Options::default() };
    let (store, _) = Store::open(&folder.path(), "dev", options).unwrap();
    let id = add(&store, "", "K", 1).unwrap();
    assert_eq!(seen(&store, "shop", "K"), "1v1");
    rotate(&store, &id, 2).unwrap();
    assert_eq!(seen(&store, "shop", "K"), "2v2");
}

/// Weakness S10: a reader that fetched before a commit must not keep the old row after it.
#[test]
fn no_reader_keeps_a_row_older_than_a_commit_it_could_have_seen() {
    let folder = Folder::new();
    let store = folder.store();
    let id = add(&store, "", "K", 1).unwrap();
    let committed = AtomicU32::new(1);
    const LAST: u32 = 200;
    std::thread::scope(|threads| {
        for _ in 0..6 {
            threads.spawn(|| {
                loop {
                    let before = committed.load(Ordering::SeqCst);
                    let found = store.resolve(&default_tenant(), None, [&name("K")]).unwrap().remove(0);
                    let Resolution::Found(found) = found else { panic!("{found:?}") };
                    let version_no = found.version.as_ref().unwrap().version_no;
                    assert!(version_no >= before, "saw {version_no} after {before} was committed");
                    if before == LAST {
                        break;
                    }
                }
            });
        }
        while committed.load(Ordering::SeqCst) < LAST {
            committed.store(rotate(&store, &id, 2).unwrap(), Ordering::SeqCst);
        }
    });
}
