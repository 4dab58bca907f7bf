//! From the names a rule declares to the bag of one call.

use model::{Class, Fault};
use txco_vault::{Algorithm, By, Caller, Credentials, Encoding, Error, KeyError, Origin, Wants};

use crate::house::{House, destination, name, on, op, reference, stack, tenant};

#[test]
fn a_reveal_bag_answers_by_slot_and_only_for_what_was_packed() {
    let house = House::new();
    house.create("", "SIGNING_KEY", "the key").unwrap();
    house.create("", "OTHER", "not declared").unwrap();
    let bag = house.pack("", &["SIGNING_KEY"]).ok().unwrap();
    assert_eq!(bag.op(), Some(&op()));
    assert_eq!(bag.versions("slot_SIGNING_KEY"), Some(1));
    assert_eq!(bag.cleartext("slot_SIGNING_KEY", 0).unwrap().expose(), b"the key");
    assert!(bag.cleartext("slot_SIGNING_KEY", 1).is_none());
    // A guest names slots; the tenant's names and other secrets mean nothing to it.
    for other in ["SIGNING_KEY", "OTHER", "slot_OTHER", "", "slot_SIGNING_KEY "] {
        assert!(bag.versions(other).is_none() && bag.cleartext(other, 0).is_none(), "{other:?}");
    }
    let granted: Vec<_> =
        bag.granted().map(|g| (g.slot.to_string(), g.name.to_string(), g.version)).collect();
    assert_eq!(granted, [("slot_SIGNING_KEY".to_owned(), "SIGNING_KEY".to_owned(), 1)]);
}

#[test]
fn a_splice_bag_names_its_destination_and_its_entries() {
    let house = House::new();
    house.create("", "K", "value").unwrap();
    let (tenant, to) = (tenant(), destination());
    let caller = Caller { tenant: &tenant, stack: None };
    let refs = [reference("headers.authorization", "K"), reference("body.client_secret", "K")];
    let bag = house.vault.pack_splice(&caller, &to, &refs).ok().unwrap();
    assert_eq!(bag.destination(), &to);
    let entries: Vec<_> = bag.entries().collect();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].slot, &refs[0].slot);
    assert_eq!((entries[1].name.as_str(), entries[1].version), ("K", 1));
    assert_eq!(entries[0].format, refs[0].format.as_ref());
    assert_eq!(entries[1].cleartext.expose(), b"value");
    // One secret in two slots is opened once and held once.
    assert!(std::ptr::eq(entries[0].cleartext, entries[1].cleartext));
}

#[test]
fn nothing_declared_is_an_empty_bag() {
    let house = House::new();
    let bag = house.pack("", &[]).ok().unwrap();
    assert_eq!(bag.granted().count(), 0);
    assert!(bag.versions("key").is_none());
}

/// Weakness C3: what was opened before the one that fails is wiped with the bag.
#[test]
fn the_first_name_that_cannot_be_had_fails_the_whole_bag_by_name() {
    let house = House::new();
    house.create("", "HERE", "value").unwrap();
    house.create("", "K", "tenant-wide").unwrap();
    house.create("shop", "K", "of shop").unwrap();
    let missing = house.pack("", &["HERE", "NOT_THERE"]).err().unwrap();
    assert!(matches!(&missing, Error::NotFound { name: n } if *n == name("NOT_THERE")));
    let failure = missing.failure();
    assert_eq!((failure.fault, failure.secret), (Fault::SecretNotFound, Some(name("NOT_THERE"))));

    on("shop", "K", |a| house.vault.revoke(a, By::Open)).unwrap();
    let revoked = house.value_of("shop/eu", "K").err().unwrap();
    assert!(matches!(&revoked, Error::Revoked { stack: s, .. } if Some(s) == stack("shop").as_ref()));
    assert_eq!(revoked.failure().fault, Fault::SecretNotFound);
    assert_eq!(house.value_of("website", "K").ok().unwrap(), b"tenant-wide");
}

#[test]
fn a_rotation_shows_in_the_next_bag_and_not_in_this_one() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    let before = house.pack("", &["K"]).ok().unwrap();
    house.set("", "K", "two").unwrap();
    let after = house.pack("", &["K"]).ok().unwrap();
    assert_eq!(before.cleartext("slot_K", 0).unwrap().expose(), b"one");
    assert_eq!(after.cleartext("slot_K", 0).unwrap().expose(), b"two");
    assert_eq!(after.granted().next().unwrap().version, 2);
}

#[test]
fn a_derived_credential_remembers_all_its_parents() {
    let house = House::new();
    house.create("", "B", "b").unwrap();
    house.create("", "A", "a").unwrap();
    let bag = house.pack("", &["B", "A", "B"]).ok().unwrap();
    let credentials = Credentials::new();
    let id = bag.derive(&credentials, b"dXNlcjpwYXNz").unwrap();
    assert_eq!(credentials.with(id, <[u8]>::to_vec).unwrap(), b"dXNlcjpwYXNz");
    assert_eq!(credentials.parents(id).unwrap(), [name("A"), name("B")]);
    assert!(
        Credentials::new().with(id, <[u8]>::len).is_none(),
        "another request's credentials do not have it"
    );
}

/// Weakness C5: what holds a secret cannot be printed or serialised; the compiler says so (see
/// the `compile_fail` examples of `Vault` and `SecretBag`), and nothing panics.
#[test]
fn a_bag_of_handles_computes_and_shows_nothing() {
    let house = House::new();
    house.create("", "K", "Jefe").unwrap();
    let tenant = tenant();
    let caller = Caller { tenant: &tenant, stack: None };
    let refs = [reference("key", "K"), reference("other", "K")];
    let pack = |reveal, keys, origin| {
        let wants = Wants { reveal, keys, accepts_retiring: &|_| false, loosest: Class::Data, partly: false };
        house.vault.pack_for_op(&caller, &op(), origin, &wants, &refs).ok().unwrap()
    };
    let bags = pack(false, true, Origin::Tenant);
    assert_eq!((bags.reveal.versions("key"), bags.keys.versions("key")), (None, Some(1)));
    // RFC 4231, case 2.
    let key = bags.keys.key("other", 0, Encoding::Declared).ok().unwrap();
    let made = key.sign(Algorithm::HmacSha256, &[b"what do ya want ", b"for nothing?"]).unwrap();
    assert!(made.starts_with(&[0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]));
    assert_eq!(bags.keys.key("K", 0, Encoding::Text).err(), Some(KeyError::NoSuchSlot));
    assert_eq!(bags.keys.key("key", 1, Encoding::Text).err(), Some(KeyError::NoSuchVersion));
    assert_eq!(bags.reveal.may_return(), Class::Credential);

    let bags = pack(true, false, Origin::Builtin);
    assert_eq!((bags.reveal.versions("key"), bags.keys.versions("key")), (Some(1), None));
    assert_eq!(bags.reveal.may_return(), Class::Data);
    let bags = pack(true, true, Origin::Builtin);
    assert_eq!((bags.reveal.versions("key"), bags.keys.versions("key")), (Some(1), Some(1)));
    assert!(!bags.reveal.denied("key"));

    // What an op that only has handles makes still descends from their secrets.
    let credentials = Credentials::new();
    let id = pack(false, true, Origin::Builtin).reveal.derive(&credentials, b"made").unwrap();
    assert_eq!(credentials.parents(id).unwrap(), [name("K")]);
}
