//! The actor database: that of the Go chassis, enrolment, invitations, and nonces that are spent once.

use std::fs;
use std::time::Duration;

use rusqlite::Connection;
use txco_store::{
    Actors, AuditFilter, AuditSeal, By, Error, Head, NewActor, NewInvitation, Nonce, Verdict, When, Wrong,
};

use crate::folder::Folder;

const GO_AUTH: &str = include_str!("../../../../../tests/vectors/store/go-auth.sql");
/// The SHA-256 of the token in the vector.
const GO_TOKEN: &str = "ec35632598a5c744ad596aa528ee3002dd12b55d2b4a1bcbe6e244021f95bb16";

fn caps(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn open(folder: &Folder) -> Actors {
    Actors::open(&folder.path(), "dev").unwrap().0
}

fn of_go() -> (Folder, Actors) {
    let folder = Folder::new();
    folder.foreign("auth-dev.db").execute_batch(GO_AUTH).unwrap();
    let (actors, opened) = Actors::open(&folder.path(), "dev").unwrap();
    assert_eq!(opened.copied, Some(folder.file("auth-dev.db.before-txco")));
    (folder, actors)
}

#[test]
fn a_database_of_the_go_chassis_opens_and_its_actors_and_keys_work() {
    let (folder, actors) = of_go();
    assert_eq!(actors.active().unwrap(), 2);
    let alice = actors.known("key_test").unwrap().unwrap();
    assert_eq!((alice.key.public_key.len(), alice.actor.id.as_str()), (32, "actor_alice"));
    assert!(alice.actor.super_admin && alice.key.revoked_at.is_none());
    let bob = actors.known("key_bob").unwrap().unwrap();
    assert!(!bob.actor.super_admin);
    assert_eq!(bob.memberships.len(), 1, "a membership that ended is none");
    assert_eq!(bob.memberships[0].capabilities, ["secret:*:read", "kv:*:*"]);
    let carol = actors.known("key_carol").unwrap().unwrap();
    assert!(carol.key.revoked_at.is_some() && carol.actor.revoked_at.is_some());
    assert_eq!(actors.known("key_nobody").unwrap(), None);
    let members = actors.members("tnt_default").unwrap();
    assert_eq!(members.iter().map(|m| m.actor.id.as_str()).collect::<Vec<_>>(), ["actor_alice", "actor_bob"]);
    drop(actors);
    let (_, again) = Actors::open(&folder.path(), "dev").unwrap();
    assert_eq!(again.copied, None, "ours now");
    let go: String = folder
        .foreign("auth-dev.db")
        .query_row("SELECT val FROM varvals WHERE var = 'txco-db-changeset-auth'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(go, "1", "its bookkeeping is left alone");
}

#[test]
fn an_invitation_of_the_go_chassis_can_be_accepted() {
    let (_folder, actors) = of_go();
    let new = NewActor::default();
    assert_eq!(actors.accept(&"0".repeat(64), &[7; 32], new).unwrap(), None, "it has expired");
    let (dave, invitation) = actors.accept(GO_TOKEN, &[7; 32], new).unwrap().unwrap();
    assert_eq!(invitation.tenant_id, "tnt_default", "no tenant is the default tenant");
    let known = actors.known(&dave.key_id).unwrap().unwrap();
    assert_eq!((known.actor.label.as_deref(), known.actor.kind.as_deref()), (Some("dave"), Some("human")));
    assert_eq!(known.memberships[0].capabilities, ["secret:*:write"]);
    assert_eq!(actors.accept(GO_TOKEN, &[8; 32], new).unwrap(), None, "once");
}

#[test]
fn what_is_no_database_is_said() {
    let folder = Folder::new();
    drop(open(&folder));
    fs::write(folder.file("auth-bad.db"), "not a database, but here ".repeat(50)).unwrap();
    assert!(matches!(Actors::open(&folder.path(), "bad").err(), Some(Error::NotADatabase { .. })));
    assert!(matches!(Actors::open(&folder.path(), "../x").err(), Some(Error::EnvName { .. })));
}

#[test]
fn the_first_is_the_first_and_a_key_has_one_owner() {
    let folder = Folder::new();
    let actors = open(&folder);
    let new = NewActor { label: Some("laptop"), kind: Some("human"), super_admin: true };
    let all = caps(&["admin:all"]);
    let first = actors.enrol(new, &[1; 32], When::Nobody, ("tnt_default", &all)).unwrap();
    assert!(first.actor_id.starts_with("actor_") && first.key_id.starts_with("key_"));
    let late = actors.enrol(new, &[2; 32], When::Nobody, ("tnt_default", &all));
    assert!(matches!(late, Err(Error::SomebodyEnrolled)));
    let taken = actors.enrol(new, &[1; 32], When::Always, ("tnt_default", &all)).unwrap_err();
    let Error::KeyEnrolled { actor_id, key_id } = taken else { panic!("{taken}") };
    assert_eq!((actor_id, key_id), (first.actor_id.clone(), first.key_id.clone()));
    assert_eq!(actors.active().unwrap(), 1, "nothing of what failed is left");

    let second = actors.add_key(&first.actor_id, &[3; 32]).unwrap();
    assert!(actors.revoke_key(By::Open, &first.key_id).unwrap());
    assert!(!actors.revoke_key(By::Open, "key_none").unwrap());
    assert!(actors.known(&first.key_id).unwrap().unwrap().key.revoked_at.is_some());
    assert!(actors.known(&second).unwrap().unwrap().key.revoked_at.is_none());
    actors.add_key(&first.actor_id, &[1; 32]).unwrap();
    let last = actors.revoke_actor(By::Open, "tnt_default", &first.actor_id);
    assert!(matches!(last, Err(Error::LastSuperAdmin)));
    assert!(actors.known(&second).unwrap().unwrap().key.revoked_at.is_none(), "nothing of it is done");
    actors.enrol(new, &[4; 32], When::Always, ("tnt_default", &all)).unwrap();
    assert!(actors.revoke_actor(By::Open, "tnt_default", &first.actor_id).unwrap());
    assert_eq!(actors.active().unwrap(), 1);
    assert!(actors.known(&second).unwrap().unwrap().key.revoked_at.is_some());
}

/// The last super-admin keeps a key: without it nobody could undo anything.
#[test]
fn the_last_key_of_the_last_super_admin_stays() {
    let folder = Folder::new();
    let actors = open(&folder);
    let all = caps(&["admin:all"]);
    let new = |super_admin| NewActor { super_admin, ..NewActor::default() };
    let one = actors.enrol(new(true), &[1; 32], When::Nobody, ("tnt_default", &all)).unwrap();
    let ordinary = actors.enrol(new(false), &[2; 32], When::Always, ("tnt_default", &all)).unwrap();
    let last = actors.revoke_key(By::Open, &one.key_id);
    assert!(matches!(last, Err(Error::LastSuperAdmin)));
    assert!(actors.known(&one.key_id).unwrap().unwrap().key.revoked_at.is_none());
    actors.add_key(&one.actor_id, &[3; 32]).unwrap();
    assert!(actors.revoke_key(By::Open, &one.key_id).unwrap(), "there is another key");
    assert!(actors.revoke_key(By::Open, &ordinary.key_id).unwrap(), "that one rules nothing");
}

/// Enough to tell whether the right bytes were sealed.
struct Stamp;

impl AuditSeal for Stamp {
    fn key(&self) -> &str {
        "people"
    }

    fn seal(&self, row: &[u8]) -> [u8; 32] {
        let digest = model::Digest::of(row).to_string();
        digest.rsplit(':').next().unwrap().as_bytes()[..32].try_into().unwrap()
    }
}

fn sealed(folder: &Folder) -> Actors {
    let actors = open(folder);
    actors.seal_audit_with(std::sync::Arc::new(Stamp));
    actors.begin_audit().unwrap();
    actors
}

fn verify(actors: &Actors, kept: Option<Head>) -> Verdict {
    actors.verify_audit(&[&Stamp], kept).unwrap()
}

fn told(actors: &Actors) -> Vec<String> {
    let rows = actors.audit_page(&AuditFilter::default(), 100).unwrap();
    rows.iter().map(|row| format!("{} {} {} {}", row.actor, row.action, row.tenant_id, row.subject)).collect()
}

/// R36: every change of people has its row in its own transaction, in the chain of its own file.
#[test]
fn each_deed_about_people_has_its_row_and_the_rows_explain_who_may_what() {
    let folder = Folder::new();
    let actors = sealed(&folder);
    assert_eq!(actors.audit_head().unwrap(), None, "nobody is there, and nothing was done");
    let all = caps(&["admin:all"]);
    let root = NewActor { super_admin: true, ..NewActor::default() };
    let one = actors.enrol(root, &[1; 32], When::Nobody, ("tnt_default", &all)).unwrap();
    let by = By::Actor(&one.actor_id);
    let hash = "a".repeat(64);
    let new = NewInvitation {
        token_hash: &hash,
        label: None,
        kind: None,
        tenant_id: "tnt_default",
        capabilities: &all,
        by,
        ttl: Duration::from_secs(60),
    };
    let invitation = actors.invite(&new).unwrap();
    let (two, _) = actors.accept(&hash, &[2; 32], NewActor::default()).unwrap().unwrap();
    let other = actors.invite(&NewInvitation { token_hash: &"b".repeat(64), ..new }).unwrap();
    actors.revoke_invitation(by, "tnt_default", &other.id).unwrap();
    let key = actors.add_key(&two.actor_id, &[3; 32]).unwrap();
    actors.revoke_key(by, &key).unwrap();
    actors.grant(by, "tnt_9acme", &two.actor_id, &caps(&["secret:*:read"])).unwrap();
    actors.remove_member(by, "tnt_9acme", &two.actor_id).unwrap();
    actors.revoke_actor(by, "tnt_default", &two.actor_id).unwrap();
    let (a, b, i, o) = (&one.actor_id, &two.actor_id, &invitation.id, &other.id);
    let expected = [
        "chassis audit.begin - -".to_owned(),
        format!("{a} actor.enroll tnt_default {a}"),
        format!("{a} actor.invite tnt_default {i}"),
        format!("{b} actor.accept tnt_default {b}"),
        format!("{a} actor.invite tnt_default {o}"),
        format!("{a} actor.revoke_invitation tnt_default {o}"),
        format!("{b} actor.add_key - {b}"),
        format!("{a} actor.revoke_key - {key}"),
        format!("{a} actor.grant tnt_9acme {b}"),
        format!("{a} actor.remove_member tnt_9acme {b}"),
        format!("{a} actor.revoke_actor tnt_default {b}"),
    ];
    assert_eq!(told(&actors), expected);
    let verdict = verify(&actors, None);
    assert_eq!((verdict.rows, verdict.unsealed, &verdict.wrong), (11, 0, &None));
    assert_eq!(verdict.unexplained, Vec::<String>::new());

    // What fails leaves nothing: no half of it, no row.
    let failed = actors.grant(by, "tnt_default", b, &all);
    assert!(matches!(failed, Err(Error::ActorRevoked)));
    assert_eq!(verify(&actors, None), verdict);

    // Somebody makes themselves a super-admin by SQL.
    let sql = |text: &str| Connection::execute_batch(&folder.foreign("auth-dev.db"), text).unwrap();
    sql("UPDATE actors SET super_admin = 1, revoked_at = NULL");
    let found = verify(&actors, None);
    assert_eq!(found.unexplained, [format!("not told: actor {b} super_admin"), format!("gone: revoked {b}")]);
    assert_eq!(actors.accept_state(By::Local).unwrap(), 2);
    assert_eq!(verify(&actors, None).unexplained_count, 0);
    sql("DELETE FROM txco_audit WHERE seq > 5");
    assert!(matches!(verify(&actors, verdict.head).wrong, Some(Wrong::Cut { last: 5, .. })));
}

#[test]
fn whoever_was_there_before_is_where_the_chain_begins() {
    let (_folder, actors) = of_go();
    actors.seal_audit_with(std::sync::Arc::new(Stamp));
    actors.begin_audit().unwrap();
    actors.begin_audit().unwrap();
    let verdict = verify(&actors, None);
    assert_eq!((verdict.rows, verdict.wrong, verdict.unexplained_count), (1, None, 0));
}

#[test]
fn members_come_and_go() {
    let (_folder, actors) = of_go();
    let granted = actors.grant(By::Open, "tnt_9acme", "actor_bob", &caps(&["secret:A_*:write"])).unwrap();
    assert_eq!(granted.membership.capabilities, ["secret:A_*:write"]);
    assert_ne!(granted.membership.created_at, "2025-02-02T00:00:00Z", "a membership that ended begins anew");
    assert_eq!(actors.members("tnt_9acme").unwrap(), [granted]);
    let again = actors.grant(By::Open, "tnt_default", "actor_bob", &caps(&["secret:*:use"])).unwrap();
    assert_eq!(again.membership.created_at, "2025-02-02T00:00:00Z");
    assert!(matches!(actors.grant(By::Open, "tnt_9acme", "actor_none", &[]), Err(Error::NoActor)));
    assert!(matches!(actors.grant(By::Open, "tnt_9acme", "actor_carol", &[]), Err(Error::ActorRevoked)));
    assert!(actors.remove_member(By::Open, "tnt_9acme", "actor_bob").unwrap());
    assert!(!actors.remove_member(By::Open, "tnt_9acme", "actor_bob").unwrap());
    assert!(actors.members("tnt_9acme").unwrap().is_empty());
}

#[test]
fn an_invitation_adds_and_never_takes_away_and_ends_with_who_made_it() {
    let (_folder, actors) = of_go();
    let (hash, other) = ("a".repeat(64), "b".repeat(64));
    let capabilities = caps(&["secret:*:read", "secret:B:write"]);
    let invitation = |token_hash| NewInvitation {
        token_hash,
        label: None,
        kind: None,
        tenant_id: "tnt_default",
        capabilities: &capabilities,
        by: By::Actor("actor_bob"),
        ttl: Duration::from_secs(60),
    };
    actors.invite(&invitation(&hash)).unwrap();
    let made = actors.invite(&invitation(&other)).unwrap();
    assert_eq!(actors.invitations("tnt_default").unwrap().len(), 4);
    assert!(actors.invitations("tnt_9acme").unwrap().is_empty(), "a tenant sees its own (weakness A5)");
    let (bob, _) = actors.accept(&hash, &[0xB0; 32], NewActor::default()).unwrap().unwrap();
    assert_eq!((bob.actor_id.as_str(), bob.key_id.as_str()), ("actor_bob", "key_bob"));
    let known = actors.known("key_bob").unwrap().unwrap();
    assert_eq!(known.memberships[0].capabilities, ["secret:*:read", "kv:*:*", "secret:B:write"]);
    assert!(
        !actors.revoke_invitation(By::Open, "tnt_9acme", &made.id).unwrap(),
        "not theirs to take back (weakness A5)"
    );
    actors.revoke_actor(By::Open, "tnt_default", "actor_bob").unwrap();
    assert_eq!(actors.accept(&other, &[9; 32], NewActor::default()).unwrap(), None);
}

/// Weakness A3: a nonce is spent once, also by another process and after a restart.
#[test]
fn a3_a_nonce_is_spent_once_across_restarts() {
    let folder = Folder::new();
    let actors = open(&folder);
    let (far, past) = (i64::MAX, 1);
    assert_eq!(actors.spend_nonce("key_a", "n", far).unwrap(), Nonce::Fresh);
    assert_eq!(actors.spend_nonce("key_b", "n", far).unwrap(), Nonce::Fresh, "of another key");
    let beside = open(&folder);
    assert_eq!(beside.spend_nonce("key_a", "n", far).unwrap(), Nonce::Spent, "another process");
    drop((actors, beside));
    let actors = open(&folder);
    assert_eq!(actors.spend_nonce("key_a", "n", far).unwrap(), Nonce::Spent, "after a restart");
    assert_eq!(actors.spend_nonce("key_a", "old", past).unwrap(), Nonce::Fresh);
    assert_eq!(
        actors.spend_nonce("key_a", "old", past).unwrap(),
        Nonce::Fresh,
        "what has expired is forgotten"
    );
    drop(actors);
    let sync: i64 = folder
        .foreign("auth-dev.db")
        .query_row("SELECT COUNT(*) FROM txco_nonces", [], |r| r.get(0))
        .unwrap();
    assert_eq!(sync, 3);
}
