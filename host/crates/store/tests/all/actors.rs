//! The actor database: that of the Go chassis, enrolment, invitations, and nonces that are spent once.

use std::fs;
use std::time::Duration;

use txco_store::{Actors, Error, NewActor, NewInvitation, Nonce, When};

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
    assert!(actors.revoke_key(&first.key_id).unwrap());
    assert!(!actors.revoke_key("key_none").unwrap());
    assert!(actors.known(&first.key_id).unwrap().unwrap().key.revoked_at.is_some());
    assert!(actors.known(&second).unwrap().unwrap().key.revoked_at.is_none());
    actors.add_key(&first.actor_id, &[1; 32]).unwrap();
    assert!(actors.revoke_actor(&first.actor_id).unwrap());
    assert_eq!(actors.active().unwrap(), 0);
    assert!(actors.known(&second).unwrap().unwrap().key.revoked_at.is_some());
}

#[test]
fn members_come_and_go() {
    let (_folder, actors) = of_go();
    let granted = actors.grant("tnt_9acme", "actor_bob", &caps(&["secret:A_*:write"])).unwrap();
    assert_eq!(granted.membership.capabilities, ["secret:A_*:write"]);
    assert_ne!(granted.membership.created_at, "2025-02-02T00:00:00Z", "a membership that ended begins anew");
    assert_eq!(actors.members("tnt_9acme").unwrap(), [granted]);
    let again = actors.grant("tnt_default", "actor_bob", &caps(&["secret:*:use"])).unwrap();
    assert_eq!(again.membership.created_at, "2025-02-02T00:00:00Z");
    assert!(matches!(actors.grant("tnt_9acme", "actor_none", &[]), Err(Error::NoActor)));
    assert!(matches!(actors.grant("tnt_9acme", "actor_carol", &[]), Err(Error::ActorRevoked)));
    assert!(actors.remove_member("tnt_9acme", "actor_bob").unwrap());
    assert!(!actors.remove_member("tnt_9acme", "actor_bob").unwrap());
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
        created_by: Some("actor_bob"),
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
        !actors.revoke_invitation("tnt_9acme", &made.id).unwrap(),
        "not theirs to take back (weakness A5)"
    );
    actors.revoke_actor("actor_bob").unwrap();
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
