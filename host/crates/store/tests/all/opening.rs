//! Fresh files, files of the Go chassis, files of others, and who may read them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use model::Hostname;
use rusqlite::Connection;
use txco_store::{Before, By, Error, Options, ProofMethod, Store};

use crate::folder::{Folder, GO_DATABASE, add, default_tenant, slug};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_fresh_store_has_the_two_tenants_and_belongs_to_us_alone() {
    let folder = Folder::new();
    let (store, opened) = folder.open().unwrap();
    assert!(opened.created && opened.copied.is_none());
    assert_eq!(opened.migrated.get(..3), Some(&[1, 2, 3][..]));
    assert!(opened.migrated.is_sorted_by(|one, next| one < next), "{:?}", opened.migrated);
    assert_eq!(opened.path, folder.file("runtime-dev.db"));
    let tenants = store.tenants().unwrap();
    let names: Vec<_> = tenants.iter().map(|t| (t.id.as_str(), t.slug.as_str())).collect();
    assert_eq!(names, [("tnt_sys", "_sys"), ("tnt_default", "default")]);
    assert_eq!(mode(&folder.path()), 0o700);
    for file in folder.names() {
        assert_eq!(mode(&folder.file(&file)), 0o600, "{file}");
    }
}

#[test]
fn a_store_opens_again_as_it_was() {
    let folder = Folder::new();
    add(&folder.store(), "", "K", 1).unwrap();
    let (store, opened) = folder.open().unwrap();
    assert!(!opened.created && opened.migrated.is_empty() && opened.copied.is_none());
    assert_eq!(store.secrets(&default_tenant()).unwrap().len(), 1);
}

#[test]
fn a_database_of_the_go_chassis_is_copied_aside_once_and_opens() {
    let folder = Folder::of_go();
    let (store, opened) = folder.open().unwrap();
    let copy = opened.copied.clone().unwrap();
    assert_eq!(copy, folder.file("runtime-dev.db.before-txco"));
    assert_eq!(mode(&copy), 0o600);
    assert!(!opened.created);

    // The copy is what it was before: all rows, none of our columns.
    let before = Connection::open(&copy).unwrap();
    let versions: u32 =
        before.query_row("SELECT COUNT(*) FROM tenant_secret_versions", [], |row| row.get(0)).unwrap();
    assert_eq!(versions, 8);
    assert!(before.prepare("SELECT aad_scheme FROM tenant_secret_versions").is_err());
    drop(before);

    let listed = store.secrets(&default_tenant()).unwrap();
    let places: Vec<_> = listed
        .iter()
        .map(|m| (m.name.as_str(), m.stack.as_ref().map_or("", |s| s.as_str()), m.version_no))
        .collect();
    assert_eq!(
        places,
        [("ACME_KEY", "", 1), ("ACME_KEY", "shop", 1), ("STRIPE_API_KEY", "", 1), ("WEBHOOK_HMAC", "", 2)]
    );
    assert_eq!(listed[2].description.as_deref(), Some("Stripe live key"));
    assert_eq!(listed[2].created_by.as_deref(), Some("actor_alice"));
    assert_eq!(listed[3].last_rotated_at.as_deref(), Some("2025-03-05T09:00:00Z"));
    assert!(store.tenant_by_slug(&slug("acme")).unwrap().is_some());
    assert!(store.tenant_by_slug(&slug("gone")).unwrap().is_none());

    drop(store);
    let (_, again) = folder.open().unwrap();
    assert!(again.copied.is_none() && again.migrated.is_empty());
    assert!(again.differs.is_empty() && again.falls_through.is_empty(), "only told at the first boot");
}

#[test]
fn rows_that_another_connection_has_not_checkpointed_are_in_the_copy() {
    let folder = Folder::new();
    let go = folder.foreign("runtime-dev.db");
    go.execute_batch(GO_DATABASE).unwrap();
    assert!(folder.file("runtime-dev.db-wal").metadata().unwrap().len() > 0);
    let (_, opened) = folder.open().unwrap();
    let copy = Connection::open(opened.copied.unwrap()).unwrap();
    let secrets: u32 = copy.query_row("SELECT COUNT(*) FROM tenant_secrets", [], |row| row.get(0)).unwrap();
    assert_eq!(secrets, 7);
}

#[test]
fn an_earlier_copy_is_never_written_over() {
    let folder = Folder::of_go();
    fs::write(folder.file("runtime-dev.db.before-txco"), "an operator's").unwrap();
    fs::write(folder.file("runtime-dev.db.before-txco.2.unfinished"), "a crash left this").unwrap();
    let (_, opened) = folder.open().unwrap();
    assert_eq!(opened.copied.unwrap(), folder.file("runtime-dev.db.before-txco.2"));
    assert_eq!(fs::read(folder.file("runtime-dev.db.before-txco")).unwrap(), b"an operator's");
    let left: Vec<_> = folder.names().into_iter().filter(|n| n.contains("unfinished")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_first_boot_on_a_go_database_tells_what_resolves_differently() {
    let folder = Folder::of_go();
    let (_, opened) = folder.open().unwrap();
    let differs: Vec<_> = opened
        .differs
        .iter()
        .map(|d| (d.tenant.as_str(), d.stack.as_str(), d.name.as_str(), d.before, d.now.as_str()))
        .collect();
    assert_eq!(
        differs,
        [
            ("tnt_default", "shop/eu", "ACME_KEY", Before::TenantWide, "shop"),
            ("tnt_default", "shop/eu/de", "ACME_KEY", Before::TenantWide, "shop"),
        ]
    );
    let through: Vec<_> = opened.falls_through.iter().map(|f| (f.stack.as_str(), f.name.as_str())).collect();
    assert_eq!(through, [("website", "STRIPE_API_KEY")]);
}

#[test]
fn with_the_old_order_nothing_differs() {
    let (_, opened) = Folder::of_go().exact();
    assert!(opened.differs.is_empty());
    assert_eq!(opened.falls_through.len(), 1);
}

/// Files from before the Go chassis had its unique indices may hold two active secrets in
/// one place. They open; the newest is the one.
#[test]
fn a_go_database_with_duplicates_opens() {
    let folder = Folder::of_go();
    folder
        .foreign("runtime-dev.db")
        .execute_batch(
            "DROP INDEX tenant_secrets_active_name_idx;
             INSERT INTO tenant_secrets VALUES
               ('sec_9Newer','tnt_default',NULL,'WEBHOOK_HMAC','newer','2025-05-01T00:00:00Z',NULL,NULL,NULL,1);",
        )
        .unwrap();
    let (store, _) = folder.open().unwrap();
    let tenant = default_tenant();
    let name = crate::folder::name("WEBHOOK_HMAC");
    let found =
        store.secret(&txco_store::SecretAddress { tenant: &tenant, stack: None, name: &name }).unwrap();
    assert_eq!(found.unwrap().secret_id.as_str(), "sec_9Newer");
}

#[test]
fn a_go_file_readable_by_others_is_so_no_longer() {
    let folder = Folder::of_go();
    let file = folder.file("runtime-dev.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let _open = folder.open().unwrap();
    assert_eq!(mode(&file), 0o600);
    for side in ["runtime-dev.db-wal", "runtime-dev.db-shm"] {
        assert_eq!(mode(&folder.file(side)), 0o600, "{side}");
    }
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let folder = Folder::new();
    drop(folder.store());
    folder
        .foreign("runtime-dev.db")
        .execute_batch("INSERT INTO txco_migrations VALUES (99, '2030-01-01T00:00:00Z')")
        .unwrap();
    let refused = folder.open().err().unwrap();
    assert!(matches!(&refused, Error::Newer { found: 99, known: 3.., .. }), "{refused}");
    assert!(refused.to_string().contains("newer txco"), "{refused}");
}

/// Steps are numbered by those who write them, not in the order in which they are released.
#[test]
fn a_step_below_the_highest_is_taken_when_it_is_missing() {
    let folder = Folder::new();
    drop(folder.store());
    folder
        .foreign("runtime-dev.db")
        .execute_batch(
            "DROP TABLE txco_op_builds; DROP TABLE txco_ops; DROP TABLE txco_components;
             DELETE FROM txco_migrations WHERE number = 3",
        )
        .unwrap();
    let (_, opened) = folder.open().unwrap();
    assert_eq!(opened.migrated, [3]);
    assert!(folder.open().unwrap().1.migrated.is_empty());
}

#[test]
fn an_absent_database_beside_others_is_refused_by_name() {
    let folder = Folder::new();
    drop(folder.store());
    let open = |env| Store::open(&folder.path(), env, Options::default());
    let refused = open("prod").err().unwrap();
    assert!(
        matches!(&refused, Error::OtherDatabases { wanted, found, .. } if wanted == "runtime-prod.db" && found == &["runtime-dev.db"]),
        "{refused}"
    );
    assert!(!folder.names().contains(&"runtime-prod.db".to_owned()));
    // As the message says: an empty file of that name starts a new one.
    fs::write(folder.file("runtime-prod.db"), "").unwrap();
    assert!(open("prod").is_ok());
    // Copies and other databases are not in the way of a first start.
    let other = Folder::new();
    fs::create_dir_all(other.path()).unwrap();
    for name in ["runtime-dev.db.before-txco", "auth-dev.db"] {
        fs::write(other.file(name), "").unwrap();
    }
    assert!(Store::open(&other.path(), "prod", Options::default()).is_ok());
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path()).unwrap();
    let text = "this is a text file that somebody called a database. ".repeat(40);
    fs::write(folder.file("runtime-dev.db"), &text).unwrap();
    let refused = folder.open().err().unwrap();
    assert!(matches!(&refused, Error::NotADatabase { .. }), "{refused}");
    assert_eq!(fs::read_to_string(folder.file("runtime-dev.db")).unwrap(), text);

    fs::remove_file(folder.file("runtime-dev.db")).unwrap();
    fs::create_dir(folder.file("runtime-dev.db")).unwrap();
    assert!(folder.open().is_err());
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = Folder::new();
    fs::write(folder.path(), "a file in the way").unwrap();
    let refused = folder.open().err().unwrap();
    assert!(matches!(&refused, Error::Folder { path, .. } if *path == folder.path()), "{refused}");
}

/// What was asked about a host before its question was a tenant's own.
#[test]
fn questions_that_are_open_stay_open_where_the_host_is_still_bound() {
    let folder = Folder::new();
    drop(folder.store());
    let old = Connection::open(folder.file("runtime-dev.db")).unwrap();
    let table = include_str!("../../src/schema/0075_hostname_proofs.sql");
    old.execute_batch(table).unwrap();
    old.execute_batch(
        "DROP TABLE txco_hostname_claims;
         DELETE FROM txco_migrations WHERE number = 83;
         INSERT INTO tenant_hostnames (id, hostname, tenant_id, created_at, revoked_at) VALUES
             ('h1', 'kept.example', 'tnt_default', '2026-01-01T00:00:00Z', NULL),
             ('h2', 'gone.example', 'tnt_default', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z');
         INSERT INTO txco_hostname_proofs (hostname_id, token, answer, expires_at) VALUES
             ('h1', 'token-1', 'answer-1', 32503680000000), ('h2', 'token-2', 'answer-2', 32503680000000);",
    )
    .unwrap();
    drop(old);
    let (store, opened) = folder.open().unwrap();
    assert_eq!(opened.migrated, [83]);
    assert_eq!(store.hostname_answer("token-1").unwrap().as_deref(), Some("answer-1"));
    let hostname = Hostname::parse("kept.example").unwrap();
    let proven = store.verify_hostname(&default_tenant(), &hostname, "token-1", ProofMethod::Http, By::Local);
    proven.unwrap();
    let now = Connection::open(folder.file("runtime-dev.db")).unwrap();
    let left: u32 = now.query_row("SELECT COUNT(*) FROM txco_hostname_claims", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "what was asked about a host that was let go");
}
