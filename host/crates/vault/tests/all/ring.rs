//! Several keys over one database: rotated, rewrapped, upgraded, verified, provided anew (K1, K3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use rusqlite::Connection;
use store::{Options, Store};
use txco_vault::{
    Error, KeyProvider, KeyRing, Progress, ProviderError, Rewrap, SchemeOne, Unopened, Vault, Verify,
};

use crate::house::{House, key, on, value};

fn rewrapped(house: &House, scheme_one: SchemeOne, most: u32) -> Rewrap {
    let mut rewrap = house.vault.rewrap(scheme_one).unwrap();
    while house.vault.rewrap_step(&mut rewrap, most).unwrap() == Progress::More {}
    rewrap
}

fn verified(house: &House) -> Verify {
    let mut verify = Verify::default();
    while house.vault.verify_step(&mut verify, 2).unwrap() == Progress::More {}
    verify
}

/// Nonces and sealed values.
type Values = Vec<(Vec<u8>, Vec<u8>)>;

/// What rewrap must not touch, and what it must.
fn sealed(database: &Connection) -> (Values, Vec<Vec<u8>>) {
    let sql = "SELECT nonce, ciphertext, wrapped_dek FROM tenant_secret_versions ORDER BY version_id";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
    rows.map(Result::unwrap).unzip()
}

fn rotated(house: House) -> House {
    house.reopened(KeyRing::new(key(1)).and(key(0)))
}

#[test]
fn k1_rows_open_under_any_key_of_the_ring_and_are_sealed_under_its_first() {
    let house = House::new();
    house.create("", "OLD", "sealed before").unwrap();
    let house = rotated(house);
    house.create("", "NEW", "sealed after").unwrap();
    assert_eq!(house.value_of("", "OLD").ok().unwrap(), b"sealed before");
    assert_eq!(house.value_of("", "NEW").ok().unwrap(), b"sealed after");
    assert_eq!((house.report.keys, house.report.unopened()), (2, 0));
    assert_eq!(house.report.to_string(), "all 1 secrets open under the 2 keys of the ring");
    let house = house.reopened(key(1));
    assert_eq!(house.value_of("", "NEW").ok().unwrap(), b"sealed after");
    let refused = house.value_of("", "OLD").err().unwrap();
    assert!(matches!(refused, Error::Undecryptable { why: Unopened::OtherKey(id), .. } if id == key(0).id()));
}

#[test]
fn k3_an_old_version_still_says_its_key_when_the_newest_has_another() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    let house = rotated(house);
    house.set("", "K", "two").unwrap();
    assert_eq!((verified(&house).open, verified(&house).shut), (2, 0));
    let census = house.vault.census().unwrap();
    assert_eq!(census.rows.get(&key(0).id()), Some(&1));
    assert_eq!(census.rows.get(&key(1).id()), Some(&1));
    assert_eq!((census.secrets.get(&key(0).id()), census.secrets.get(&key(1).id())), (None, Some(&1)));
}

#[test]
fn k1_rewrap_moves_every_row_and_touches_only_the_wrapped_deks() {
    let house = House::new();
    for name in ["A", "B", "C"] {
        house.create("", name, &format!("value of {name}")).unwrap();
        house.set("", name, &format!("second of {name}")).unwrap();
    }
    on("", "C", |address| house.vault.revoke(address, txco_vault::By::Open)).unwrap();
    let house = rotated(house);
    let (values, wrapped) = sealed(&house.attacker());
    assert_eq!(house.vault.to_rewrap(SchemeOne::Keep).unwrap(), 6);
    let done = rewrapped(&house, SchemeOne::Keep, 4);
    assert_eq!((done.rewrapped, done.upgraded, done.shut), (6, 0, 0));
    let (values_after, wrapped_after) = sealed(&house.attacker());
    assert_eq!(values, values_after);
    assert!(wrapped.iter().zip(&wrapped_after).all(|(old, new)| old != new && new.len() == 48));
    assert_eq!(house.vault.to_rewrap(SchemeOne::Keep).unwrap(), 0);
    assert_eq!(rewrapped(&house, SchemeOne::Keep, 4).rewrapped, 0, "a second one finds nothing to do");

    let house = house.reopened(key(1));
    assert_eq!(house.report.unopened(), 0);
    assert_eq!(house.value_of("", "A").ok().unwrap(), b"second of A");
    assert_eq!((verified(&house).open, verified(&house).shut), (6, 0), "revoked ones and old versions too");
}

#[test]
fn a_rewrap_goes_on_where_it_was_left() {
    let house = House::new();
    for n in 0..7 {
        house.create("", &format!("K{n}"), "v").unwrap();
    }
    let house = rotated(house);
    let mut first = house.vault.rewrap(SchemeOne::Keep).unwrap();
    assert_eq!(house.vault.rewrap_step(&mut first, 3).unwrap(), Progress::More);
    assert_eq!(first.rewrapped, 3);
    drop(first);
    assert_eq!(verified(&house).open, 7, "half-way everything opens");
    assert_eq!(rewrapped(&house, SchemeOne::Keep, 3).rewrapped, 4);
}

#[test]
fn k3_the_go_chassiss_rows_are_rewrapped_in_their_layout_and_upgraded_into_ours() {
    let house = House::of_go(key(0));
    let rows = verified(&house).open;
    assert_eq!(rows, 8);
    let house = rotated(house);
    let (values, _) = sealed(&house.attacker());
    assert_eq!(rewrapped(&house, SchemeOne::Keep, 3).rewrapped, rows);
    assert_eq!(sealed(&house.attacker()).0, values);
    let schemes = |scheme: u32| {
        let sql = "SELECT COUNT(*) FROM tenant_secret_versions WHERE aad_scheme = ?1 AND key_id = ?2";
        let key = key(1).id().to_string();
        let count: u32 = house.attacker().query_row(sql, (scheme, key), |row| row.get(0)).unwrap();
        u64::from(count)
    };
    assert_eq!((schemes(1), schemes(2)), (rows, 0));
    assert_eq!(house.vault.census().unwrap().scheme_one, rows);

    let done = rewrapped(&house, SchemeOne::Upgrade, 3);
    assert_eq!((done.upgraded, done.rewrapped, done.shut), (rows, 0, 0));
    assert_eq!((schemes(1), schemes(2)), (0, rows));
    let after = sealed(&house.attacker()).0;
    assert!(values.iter().zip(&after).all(|(old, new)| old != new), "a fresh DEK seals other bytes");

    let house = house.reopened(key(1));
    assert_eq!(house.report.unopened(), 0);
    assert_eq!(house.value_of("", "STRIPE_API_KEY").ok().unwrap(), b"sk_live_abc");
    assert_eq!(house.value_of("shop/eu", "ACME_KEY").ok().unwrap(), b"acme-of-shop");
    assert_eq!(house.value_of("", "WEBHOOK_HMAC").ok().unwrap().len(), 32);
}

#[test]
fn k8_an_upgraded_row_is_bound_to_its_stack() {
    let house = House::of_go(key(0));
    let move_it = "UPDATE tenant_secrets SET stack = 'website' WHERE secret_id = 'sec_3ShopKey'";
    house.attacker().execute(move_it, []).unwrap();
    assert_eq!(house.value_of("website", "ACME_KEY").ok().unwrap(), b"acme-of-shop", "scheme 1's weakness");
    let back = "UPDATE tenant_secrets SET stack = 'shop' WHERE secret_id = 'sec_3ShopKey'";
    house.attacker().execute(back, []).unwrap();
    assert_eq!(rewrapped(&house, SchemeOne::Upgrade, 100).upgraded, 8);
    house.attacker().execute(move_it, []).unwrap();
    let refused = house.value_of("website", "ACME_KEY").err().unwrap();
    assert!(matches!(refused, Error::Undecryptable { why: Unopened::NotAuthentic, .. }));
}

#[test]
fn rows_that_do_not_open_stay_and_the_first_is_told() {
    let house = House::new();
    for name in ["A", "B", "C"] {
        house.create("", name, "v").unwrap();
    }
    let flip = "UPDATE tenant_secret_versions SET wrapped_dek = zeroblob(48)
                WHERE secret_id = (SELECT secret_id FROM tenant_secrets WHERE name = 'B')";
    house.attacker().execute(flip, []).unwrap();
    let house = rotated(house);
    let done = rewrapped(&house, SchemeOne::Upgrade, 1);
    assert_eq!((done.rewrapped, done.shut), (2, 1));
    let first = done.first_shut.unwrap();
    assert_eq!((first.name.as_str(), first.version_no, first.why), ("B", 1, Unopened::NotAuthentic));
    let verify = verified(&house);
    assert_eq!((verify.open, verify.shut), (2, 1));
    assert_eq!(verify.first_shut.unwrap().name, "B");
}

#[test]
fn verify_opens_the_values_too() {
    let house = House::new();
    house.create("", "A", "v").unwrap();
    house.attacker().execute("UPDATE tenant_secret_versions SET ciphertext = zeroblob(17)", []).unwrap();
    assert_eq!(house.report.unopened(), 0, "the wrapped key is whole");
    assert_eq!(verified(&house).first_shut.unwrap().why, Unopened::NotAuthentic);
}

#[test]
fn rows_of_a_lost_key_are_told_apart_from_altered_ones() {
    let house = House::new();
    house.create("", "A", "v").unwrap();
    let house = house.reopened(key(1));
    let done = rewrapped(&house, SchemeOne::Keep, 10);
    assert_eq!((done.rewrapped, done.shut), (0, 1));
    assert_eq!(done.first_shut.unwrap().why, Unopened::OtherKey(key(0).id()));
}

/// Key `active`, and all before it.
struct Played {
    active: Arc<AtomicU8>,
    given: Arc<AtomicUsize>,
    last: AtomicU8,
    broken: bool,
}

impl KeyProvider for Played {
    fn ring(&self) -> Result<KeyRing, ProviderError> {
        self.given.fetch_add(1, Ordering::SeqCst);
        if self.broken {
            return Err("the key service is down".into());
        }
        let active = self.active.load(Ordering::SeqCst);
        self.last.store(active, Ordering::SeqCst);
        Ok((0..active).fold(KeyRing::new(key(active)), |ring, before| ring.and(key(before))))
    }

    fn changed(&self) -> bool {
        self.active.load(Ordering::SeqCst) != self.last.load(Ordering::SeqCst)
    }
}

struct Provided {
    house: House,
    active: Arc<AtomicU8>,
    given: Arc<AtomicUsize>,
}

fn provided(broken: bool) -> Provided {
    let (active, given) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicUsize::new(0)));
    let provider =
        Played { active: Arc::clone(&active), given: Arc::clone(&given), last: AtomicU8::new(0), broken };
    Provided { house: House::new().provided_by(provider), active, given }
}

#[test]
fn a_rotated_ring_seals_from_the_next_version_on() {
    let Provided { house, active, given } = provided(false);
    house.create("", "A", "before").unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 0, "nothing changed, nobody was asked");
    active.store(1, Ordering::SeqCst);
    house.set("", "A", "after").unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 1);
    assert_eq!(house.vault.key_ids(), [key(1).id(), key(0).id()]);
    let census = house.vault.census().unwrap();
    assert_eq!((census.rows.get(&key(0).id()), census.rows.get(&key(1).id())), (Some(&1), Some(&1)));
}

#[test]
fn a_row_of_an_unknown_key_has_the_ring_read_again_but_not_at_every_request() {
    let Provided { house, active, given } = provided(false);
    let other = elsewhere(&house, 1);
    on("", "B", |address| other.create(address, &crate::house::terms(), value("of the other process")))
        .unwrap();
    // The provider has not heard of it: that is asked once, and not again at once.
    assert!(house.value_of("", "B").is_err() && house.value_of("", "B").is_err());
    assert_eq!(given.load(Ordering::SeqCst), 1);
    active.store(1, Ordering::SeqCst);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(house.value_of("", "B").ok().unwrap(), b"of the other process");
    assert_eq!(given.load(Ordering::SeqCst), 2);
}

#[test]
fn a_provider_without_an_answer_leaves_the_ring_in_use() {
    let Provided { house, active, given } = provided(true);
    house.create("", "A", "v").unwrap();
    active.store(1, Ordering::SeqCst);
    house.set("", "A", "w").unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 1);
    assert_eq!(house.vault.key_ids(), [key(0).id()]);
    assert_eq!(house.value_of("", "A").ok().unwrap(), b"w");
    let refused = house.vault.renew().err().unwrap();
    assert_eq!(refused.to_string(), "the key service is down");
}

#[test]
fn a_rewrap_under_way_follows_a_second_rotation() {
    let Provided { house, active, .. } = provided(false);
    for n in 0..4 {
        house.create("", &format!("K{n}"), "v").unwrap();
    }
    active.store(1, Ordering::SeqCst);
    let mut rewrap = house.vault.rewrap(SchemeOne::Keep).unwrap();
    assert_eq!(house.vault.rewrap_step(&mut rewrap, 2).unwrap(), Progress::More);
    active.store(2, Ordering::SeqCst);
    while house.vault.rewrap_step(&mut rewrap, 2).unwrap() == Progress::More {}
    assert_eq!(rewrap.rewrapped, 6, "two of them twice");
    assert_eq!(house.vault.census().unwrap().rows.into_iter().collect::<Vec<_>>(), [(key(2).id(), 4)]);
}

/// Another process on the same database, whose active key is `first`.
fn elsewhere(house: &House, first: u8) -> Vault {
    let (store, _) = Store::open(house.folder(), "dev", Options::default()).unwrap();
    Vault::open(Arc::new(store), key(first)).ok().unwrap().0
}
