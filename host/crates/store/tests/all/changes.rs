//! What a chassis keeps in memory is counted when anybody changes it, and nothing else is.

use model::{Hostname, StackName};
use txco_store::{
    Activation, Base, By, Changes, Managed, Ruling, StackFile, Store, VersionAddress, manifest_of,
};

use crate::folder::{Folder, add, default_tenant, revoke, rotate, slug};

/// What `does` changes: hosts, terms, and how many tenants' rules.
fn counted(store: &Store, does: impl FnOnce()) -> (bool, bool, usize) {
    let Changes { hosts, terms, rules } = store.changes().unwrap();
    does();
    let now = store.changes().unwrap();
    let rules = now.rules.iter().filter(|(tenant, number)| rules.get(*tenant) != Some(number)).count();
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
