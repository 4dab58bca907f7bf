//! What a chassis keeps in memory is counted when anybody changes it, and nothing else is.

use model::{Delivery, Hostname, OpName, StackName};
use txco_store::{
    Activation, Base, By, Changes, Managed, NewBuild, Ruling, StackFile, Store, VersionAddress, manifest_of,
};

use crate::folder::{Folder, add, default_tenant, revoke, rotate, slug};

/// What `does` changes: hosts, terms, and how many tenants' rules.
fn counted(store: &Store, does: impl FnOnce()) -> (bool, bool, usize) {
    let Changes { hosts, terms, rules, ops } = store.changes().unwrap();
    does();
    let now = store.changes().unwrap();
    let rules = now.rules.iter().filter(|(tenant, number)| rules.get(*tenant) != Some(number)).count();
    assert_eq!(ops, now.ops, "no op was pushed");
    (hosts != now.hosts, terms != now.terms, rules)
}

const NOTHING: (bool, bool, usize) = (false, false, 0);

#[test]
fn each_change_is_counted_where_it_belongs() {
    let folder = Folder::new();
    let store = folder.store();
    let (tenant, shop) = (default_tenant(), StackName::parse("shop").unwrap());
    let host = Hostname::of("shop.example").unwrap();
    let hosts = counted(&store, || store.bind_hostname(&tenant, &host, None, By::Open).unwrap());
    assert_eq!(hosts, (true, false, 0));
    let gone = counted(&store, || store.release_hostname(&tenant, &host, By::Open).unwrap());
    assert_eq!(gone, (true, false, 0));
    let terms = counted(&store, || store.rule_tenant(&tenant, &Ruling::Resume, By::Open).unwrap());
    assert_eq!(terms, (false, true, 0));
    // A tenant comes with the count of its rules.
    let made = counted(&store, || drop(store.create_tenant(&slug("acme"), Some("Acme"), By::Open).unwrap()));
    assert_eq!(made, (true, false, 1));

    let mut number = 0;
    let files = [StackFile { path: "100/a.txcl".to_owned(), content: "EMIT .a = 1\n".to_owned() }];
    let drafted = counted(&store, || {
        number = store.begin_draft(&tenant, &shop, Base::Nothing, By::Open).unwrap();
        let at = VersionAddress { tenant: &tenant, stack: &shop, number };
        store.put_files(at, &files, Managed::All, By::Open).unwrap();
    });
    assert_eq!(drafted, NOTHING, "a draft is not served");
    let manifest = manifest_of(&files).to_string();
    let activation = Activation { number, manifest: &manifest, active: None, pins: &[], rules: &[] };
    let activated = counted(&store, || {
        store.activate(&tenant, &shop, &activation, By::Open).unwrap();
    });
    assert_eq!(activated, (false, false, 1));
    let deactivated = counted(&store, || {
        store.deactivate(&tenant, &shop, By::Open).unwrap();
    });
    assert_eq!(deactivated, (false, false, 1));

    let secrets = counted(&store, || {
        let id = add(&store, "", "K", 1).unwrap();
        rotate(&store, &id, 2).unwrap();
        revoke(&store, "", "K");
    });
    assert_eq!(secrets, NOTHING);
}

/// An operator's SQL, and the Go chassis's: neither knows of the count.
#[test]
fn what_others_write_is_counted_too() {
    let folder = Folder::new();
    let store = folder.store();
    let others = folder.foreign("runtime-dev.db");
    let by = |sql: &str| counted(&store, || others.execute_batch(sql).unwrap());
    let rule = "INSERT INTO ops (stack, scope, name, txcl, tenant_id) VALUES ('a', 1, 'b', 'EMIT .a = 1', 'tnt_default')";
    assert_eq!(by(rule), (false, false, 1));
    assert_eq!(by("UPDATE ops SET txcl = 'EMIT .a = 2'"), (false, false, 1));
    assert_eq!(by("DELETE FROM ops"), (false, false, 1));
    assert_eq!(
        by("INSERT INTO tenant_runtime_state (tenant_id, enabled) VALUES ('tnt_default', 0)"),
        (false, true, 0)
    );
    assert_eq!(by("UPDATE tenants SET revoked_at = created_at WHERE slug = 'default'"), (true, false, 0));
}

/// The Go chassis writes that way where it follows others, and SQLite tells no trigger of the
/// rows that it takes away for it.
#[test]
fn what_others_replace_is_counted_too() {
    let folder = Folder::new();
    let store = folder.store();
    let others = folder.foreign("runtime-dev.db");
    let by = |sql: &str| counted(&store, || others.execute_batch(sql).unwrap());
    let recursive: bool = others.query_row("PRAGMA recursive_triggers", [], |row| row.get(0)).unwrap();
    assert!(!recursive, "or this proves nothing");
    let stack = |id: &str, tenant: &str, active: &str| {
        format!(
            "INSERT OR REPLACE INTO stacks (stack_id, tenant_id, name, active_version, created_at)
                 VALUES ('{id}', '{tenant}', 'shop', {active}, '2026-01-01T00:00:00Z')"
        )
    };
    assert_eq!(by(&stack("stk_1", "tnt_default", "7")), (false, false, 1));
    assert_eq!(by(&stack("stk_1", "tnt_default", "NULL")), (false, false, 1), "it was active");
    assert_eq!(by(&stack("stk_1", "tnt_default", "NULL")), NOTHING, "it was not");
    assert_eq!(by(&stack("stk_1", "tnt_default", "7")), (false, false, 1));
    assert_eq!(by(&stack("stk_2", "tnt_default", "NULL")), (false, false, 1), "the same stack by its name");
    assert_eq!(by(&stack("stk_2", "tnt_default", "7")), (false, false, 1));
    assert_eq!(by(&stack("stk_2", "tnt_sys", "NULL")), (false, false, 1), "taken from who had it");

    let rule = "INSERT OR REPLACE INTO ops (stack, scope, name, txcl, tenant_id)
                VALUES ('a', 1, 'b', 'EMIT .a = 1', 'tnt_default')";
    assert_eq!(by(rule), (false, false, 1));
    assert_eq!(by(rule), (false, false, 1));
    let terms = |enabled| {
        format!(
            "INSERT OR REPLACE INTO tenant_runtime_state (tenant_id, enabled) VALUES ('tnt_default', {enabled})"
        )
    };
    assert_eq!((by(&terms(1)), by(&terms(0))), ((false, true, 0), (false, true, 0)));
    let host = |tenant: &str| {
        format!(
            "INSERT OR REPLACE INTO tenant_hostnames (id, hostname, tenant_id, created_at)
                 VALUES ('h', 'shop.example', '{tenant}', '2026-01-01T00:00:00Z')"
        )
    };
    assert_eq!((by(&host("tnt_default")), by(&host("tnt_sys"))), ((true, false, 0), (true, false, 0)));
    let slug = "INSERT OR REPLACE INTO tenants (tenant_id, slug, created_at)
                VALUES ('tnt_default', 'other', '2026-01-01T00:00:00Z')";
    assert_eq!(by(slug), (true, false, 0));
}

#[test]
fn a_push_counts_for_its_tenant_and_for_no_rules() {
    let folder = Folder::new();
    let store = folder.store();
    let acme = store.create_tenant(&slug("acme"), None, By::Open).unwrap();
    let pushed = |does: &dyn Fn()| {
        let before = store.changes().unwrap();
        does();
        let now = store.changes().unwrap();
        assert_eq!((before.hosts, before.terms, before.rules), (now.hosts, now.terms, now.rules));
        let new = now.ops.iter().filter(|(tenant, number)| before.ops.get(*tenant) != Some(number));
        new.map(|(tenant, _)| tenant.clone()).collect::<Vec<_>>()
    };
    let name = OpName::parse("sign").unwrap();
    let push = |bytes: &[u8]| {
        let build = NewBuild { delivery: Delivery::Use, component: bytes, signature: None };
        store.push_op(&acme.id, &name, &[build], By::Open, 9).unwrap();
    };
    let only_acme = [acme.id.as_str().to_owned()];
    assert_eq!(pushed(&|| push(b"one")), only_acme);
    assert_eq!(pushed(&|| push(b"other")), only_acme);
    let removed = pushed(&|| {
        store.remove_op(&acme.id, &name, By::Open).unwrap();
    });
    assert_eq!(removed, only_acme);
}

#[test]
fn a_watch_stirs_at_the_commits_of_others_and_once() {
    let folder = Folder::new();
    let store = folder.store();
    let mut watch = store.watch().unwrap();
    assert!(watch.stirred().unwrap(), "nobody looked before");
    assert!(!watch.stirred().unwrap());
    let other = folder.store();
    add(&other, "", "K", 1).unwrap();
    assert!(watch.stirred().unwrap());
    assert!(!watch.stirred().unwrap());
}
