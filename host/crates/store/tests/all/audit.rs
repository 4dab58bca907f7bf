//! The audit chain: what is written with what, and what looking at it finds.

use model::{Id, IdKind};
use rusqlite::Connection;
use txco_store::{AuditFilter, AuditSeal, By, Deed, Error, Head, SecretAddress, Store, Verdict, Wrong};

use crate::folder::{Folder, add, default_tenant, name, revoke, rotate, slug};

/// A seal that needs no key: enough to tell whether the right bytes were sealed.
struct Stamp(&'static str);

impl AuditSeal for Stamp {
    fn key(&self) -> &str {
        self.0
    }

    fn seal(&self, row: &[u8]) -> [u8; 32] {
        let digest = model::Digest::of(&[self.0.as_bytes(), row].concat());
        let text = digest.to_string();
        let hex = text.rsplit(':').next().unwrap().as_bytes();
        hex[..32].try_into().unwrap()
    }
}

fn sealed() -> (Folder, Store) {
    let folder = Folder::new();
    let store = folder.store();
    store.seal_audit_with(std::sync::Arc::new(Stamp("a")));
    store.begin_audit().unwrap();
    (folder, store)
}

fn verify(store: &Store, kept: Option<Head>) -> Verdict {
    store.verify_audit(&[&Stamp("a")], kept).unwrap()
}

fn attacker(folder: &Folder) -> Connection {
    folder.foreign("runtime-dev.db")
}

#[test]
fn an_effect_and_its_row_are_one_transaction() {
    let (_folder, store) = sealed();
    add(&store, "shop", "K", 1).unwrap();
    let rows = store.audit_rows(&AuditFilter::default(), 10).unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.seq, row.action.as_str(), row.subject.as_str())).collect();
    assert_eq!(told, [(1, "audit.begin", "-"), (2, "create", "K")]);
    assert!(rows[1].detail.contains("\"stack\":\"shop\",\"changes\":[\"+secret sec_"), "{}", rows[1].detail);
    let failed: Result<(), Error> = store.write(|writing| {
        writing.record(&Deed::new(By::Open, "undone", "-", "-"))?;
        Err(Error::Full)
    });
    assert!(matches!(failed, Err(Error::Full)));
    assert_eq!(store.audit_head().unwrap().unwrap().seq, 2);
}

#[test]
fn a_change_that_nothing_tells_of_does_not_happen() {
    let (_folder, store) = sealed();
    let (tenant, name) = (default_tenant(), name("K"));
    let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
    let untold: Result<Id, Error> = store.write(|writing| {
        let id = writing.mint(IdKind::Secret)?;
        writing.add_secret(&id, &address, None, By::Open)?;
        Ok(id)
    });
    assert!(matches!(untold, Err(Error::Unrecorded { what }) if what.starts_with("+secret sec_")));
    assert!(store.secret(&address).unwrap().is_none());
}

#[test]
fn a_whole_chain_holds_and_explains_everything() {
    let (_folder, store) = sealed();
    let id = add(&store, "shop", "K", 1).unwrap();
    rotate(&store, &id, 2).unwrap();
    revoke(&store, "shop", "K");
    store.create_tenant(&slug("acme"), None, By::Actor("actor_a")).unwrap();
    let verdict = verify(&store, None);
    assert_eq!((verdict.rows, verdict.wrong, verdict.unsealed), (5, None, 0));
    assert_eq!(verdict.unexplained, Vec::<String>::new());
    assert_eq!(verdict.head, store.audit_head().unwrap());
    assert_eq!(verify(&store, verdict.head).wrong, None, "its own head is reached");
    let by = AuditFilter { actor: Some("actor_a"), ..AuditFilter::default() };
    assert_eq!(store.audit_rows(&by, 10).unwrap()[0].action, "tenant.create");
    let tenants = AuditFilter { action: Some("tenant"), ..AuditFilter::default() };
    assert_eq!(store.audit_rows(&tenants, 10).unwrap().len(), 1);
    let after = AuditFilter { after: 3, ..AuditFilter::default() };
    assert_eq!(store.audit_page(&after, 1).unwrap()[0].seq, 4);
}

#[test]
fn every_alteration_of_a_row_is_found() {
    let statements = [
        ("UPDATE txco_audit SET actor = 'other' WHERE seq = 2", Wrong::NotSealed { seq: 2 }),
        ("UPDATE txco_audit SET at = '2020-01-01T00:00:00Z' WHERE seq = 3", Wrong::NotSealed { seq: 3 }),
        ("UPDATE txco_audit SET detail = '{}' WHERE seq = 2", Wrong::NotSealed { seq: 2 }),
        ("UPDATE txco_audit SET seal = zeroblob(32) WHERE seq = 3", Wrong::NotSealed { seq: 3 }),
        // Without its seal it is one more unsealed row, but the next one does not follow it.
        ("UPDATE txco_audit SET seal = NULL, audit_key = NULL WHERE seq = 2", Wrong::NotLinked { seq: 3 }),
        ("UPDATE txco_audit SET previous = zeroblob(32) WHERE seq = 3", Wrong::NotLinked { seq: 3 }),
        ("DELETE FROM txco_audit WHERE seq = 2", Wrong::Missing { seq: 2 }),
        ("DELETE FROM txco_audit WHERE seq = 1", Wrong::Missing { seq: 1 }),
        (
            "UPDATE txco_audit SET seq = 9 WHERE seq = 2; UPDATE txco_audit SET seq = 2 WHERE seq = 3;
             UPDATE txco_audit SET seq = 3 WHERE seq = 9",
            Wrong::NotLinked { seq: 2 },
        ),
        (
            "DELETE FROM txco_audit_baseline WHERE line = (SELECT MIN(line) FROM txco_audit_baseline)",
            Wrong::Baseline,
        ),
        ("INSERT INTO txco_audit_baseline VALUES ('secret sec_x tnt_default - FORGED')", Wrong::Baseline),
    ];
    for (sql, wrong) in statements {
        let (folder, store) = sealed();
        let id = add(&store, "", "K", 1).unwrap();
        rotate(&store, &id, 2).unwrap();
        attacker(&folder).execute_batch(sql).unwrap();
        assert_eq!(verify(&store, None).wrong, Some(wrong), "{sql}");
    }
}

#[test]
fn a_head_that_was_kept_finds_a_chain_that_was_cut_or_written_anew() {
    let (folder, store) = sealed();
    let id = add(&store, "", "K", 1).unwrap();
    let before = store.audit_head().unwrap().unwrap();
    rotate(&store, &id, 2).unwrap();
    let kept = store.audit_head().unwrap().unwrap();
    let sql = "DELETE FROM txco_audit WHERE seq = 3";
    attacker(&folder).execute(sql, []).unwrap();
    assert_eq!(verify(&store, None).wrong, None, "from the inside a cut chain is a shorter one");
    assert_eq!(verify(&store, Some(kept)).wrong, Some(Wrong::Cut { last: 2, seq: 3 }));
    rotate(&store, &id, 3).unwrap();
    assert_eq!(verify(&store, Some(kept)).wrong, Some(Wrong::Rewritten { seq: 3 }));
    assert_eq!(verify(&store, Some(before)).wrong, None);
}

#[test]
fn what_was_changed_outside_is_listed() {
    let (folder, store) = sealed();
    let id = add(&store, "", "K", 1).unwrap();
    let gone = add(&store, "", "GONE", 1).unwrap();
    let attacker = attacker(&folder);
    attacker
        .execute_batch(&format!(
            "UPDATE tenant_secrets SET stack = 'shop' WHERE secret_id = '{id}';
             DELETE FROM tenant_secret_versions WHERE secret_id = '{gone}';
             DELETE FROM tenant_secrets WHERE secret_id = '{gone}';
             UPDATE tenants SET slug = 'stolen' WHERE tenant_id = 'tnt_default';"
        ))
        .unwrap();
    let verdict = verify(&store, None);
    assert_eq!(verdict.wrong, None);
    let mut expected = [
        "not told: tenant tnt_default stolen".to_owned(),
        format!("not told: secret {id} tnt_default shop K"),
        format!("gone: secret {gone} tnt_default - GONE"),
        format!("gone: secret {id} tnt_default - K"),
        "gone: tenant tnt_default default".to_owned(),
        format!("gone: version {gone} 1"),
    ];
    let mut told = verdict.unexplained;
    expected.sort();
    told.sort();
    assert_eq!(told, expected);
    assert_eq!(verdict.unexplained_count, 6);
    assert_eq!(store.accept_state(By::Open).unwrap(), 6);
    assert_eq!(verify(&store, None).unexplained_count, 0, "somebody stands for it now");
    assert_eq!(store.accept_state(By::Open).unwrap(), 0);
}

#[test]
fn rows_without_a_seal_or_of_another_key_are_counted() {
    let folder = Folder::new();
    let store = folder.store();
    add(&store, "", "K", 1).unwrap();
    store.seal_audit_with(std::sync::Arc::new(Stamp("lost")));
    add(&store, "", "L", 1).unwrap();
    let verdict = verify(&store, None);
    assert_eq!((verdict.rows, verdict.unsealed, &verdict.wrong), (3, 2, &None));
    assert_eq!(verdict.other_keys.into_iter().collect::<Vec<_>>(), [("lost".to_owned(), 1)]);
}

#[test]
fn what_a_foreign_database_held_is_where_its_chain_begins() {
    let folder = Folder::of_go();
    let store = folder.store();
    store.seal_audit_with(std::sync::Arc::new(Stamp("a")));
    add(&store, "", "OURS", 1).unwrap();
    let verdict = verify(&store, None);
    assert_eq!((verdict.wrong, verdict.unexplained), (None, Vec::new()));
    let first = &store.audit_rows(&AuditFilter::default(), 10).unwrap()[0];
    assert_eq!(first.action, "audit.begin");
    assert!(!first.detail.contains("\"lines\":2,"), "more than the two tenants: {}", first.detail);
}

#[test]
fn many_writers_make_one_chain() {
    let folder = Folder::new();
    let (one, two) = (folder.store(), folder.store());
    let id = add(&one, "", "K", 1).unwrap();
    std::thread::scope(|threads| {
        for store in [&one, &two, &one, &two] {
            threads.spawn(|| (0..25).for_each(|_| assert!(rotate(store, &id, 1).is_ok())));
        }
    });
    let verdict = verify(&one, None);
    assert_eq!((verdict.rows, verdict.wrong, verdict.unexplained_count), (102, None, 0));
}
