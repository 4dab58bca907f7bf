//! The life of versions: overlap, expiry, rollback, prune, destroy, and how often they are used.

use jiff::{SignedDuration, Timestamp};
use model::Fault;
use txco_vault::{Algorithm, By, Caller, Encoding, Error, Keep, KeyError, OpBags, Origin, Terms, Wants};

use crate::house::{House, key, name, on, op, reference, stack, tenant, terms, value};

fn rotate(house: &House, secret: &str, text: &str, more: &Terms<'_>) {
    on("", secret, |a| house.vault.rotate(a, more, value(text))).unwrap();
}

fn overlapping(hours: i64) -> Terms<'static> {
    Terms { overlap: Some(SignedDuration::from_hours(hours)), ..terms() }
}

/// Handles and values for an op that can, or cannot, use a version that is being retired.
fn bags(house: &House, retiring: bool) -> OpBags {
    let tenant = tenant();
    let caller = Caller { tenant: &tenant, stack: None };
    let accepts = |_: &model::Slot| retiring;
    let wants = Wants {
        reveal: true,
        keys: true,
        accepts_retiring: &accepts,
        loosest: model::Class::Digest,
        partly: false,
    };
    house.vault.pack_for_op(&caller, &op(), Origin::Builtin, &wants, &[reference("key", "K")]).ok().unwrap()
}

fn states(house: &House) -> Vec<(u32, bool, bool)> {
    let (_, versions) = on("", "K", |a| house.vault.versions(a)).unwrap();
    versions
        .iter()
        .map(|one| (one.version_no, one.revoked_at.is_some(), one.destroyed_at.is_some()))
        .collect()
}

#[test]
fn an_overlap_lets_verifying_ops_use_the_version_before() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    rotate(&house, "K", "two", &overlapping(24));
    let both = bags(&house, true);
    assert_eq!((both.keys.versions("key"), both.reveal.versions("key")), (Some(2), Some(2)));
    let mac = |index| {
        let key = both.keys.key("key", index, Encoding::Declared).ok().unwrap();
        key.sign(Algorithm::HmacSha256, &[b"m"]).unwrap()
    };
    assert_ne!(mac(0), mac(1));
    assert_eq!(both.reveal.cleartext("key", 0).unwrap().expose(), b"two");
    assert_eq!(both.reveal.cleartext("key", 1).unwrap().expose(), b"one");
    // One that only signs has the newest and nothing else.
    let newest = bags(&house, false);
    assert_eq!(newest.keys.versions("key"), Some(1));
    assert_eq!(newest.keys.key("key", 1, Encoding::Text).err(), Some(KeyError::NoSuchVersion));
    let shown = on("", "K", |a| house.vault.show(a)).unwrap();
    assert_eq!(shown.retiring.unwrap().version_no, 1);
    // A plain rotation ends it, and so does the end of its time.
    rotate(&house, "K", "three", &terms());
    assert_eq!(bags(&house, true).keys.versions("key"), Some(1));
    assert_eq!(on("", "K", |a| house.vault.show(a)).unwrap().retiring, None);
    rotate(&house, "K", "four", &overlapping(24));
    house.attacker().execute("UPDATE tenant_secret_versions SET retiring_until = '2020-01-01T00:00:00Z' WHERE retiring_until IS NOT NULL", []).unwrap();
    assert_eq!(bags(&house, true).keys.versions("key"), Some(1));
}

#[test]
fn at_most_one_version_retires() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    rotate(&house, "K", "two", &overlapping(24));
    rotate(&house, "K", "three", &overlapping(24));
    let both = bags(&house, true);
    assert_eq!(both.keys.versions("key"), Some(2));
    assert_eq!(both.reveal.cleartext("key", 1).unwrap().expose(), b"two");
}

#[test]
fn an_expired_version_fails_and_no_older_one_takes_its_place() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    let soon = Timestamp::now() + SignedDuration::from_hours(1);
    rotate(&house, "K", "two", &Terms { expires_at: Some(soon), ..terms() });
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"two");
    house
        .attacker()
        .execute(
            "UPDATE tenant_secret_versions SET expires_at = '2020-01-01T00:00:00Z' WHERE version_no = 2",
            [],
        )
        .unwrap();
    let expired = house.value_of("", "K").err().unwrap();
    assert!(matches!(&expired, Error::Expired { name: n, .. } if *n == name("K")), "{expired}");
    assert_eq!(expired.failure().fault, Fault::SecretExpired);
    // A time that cannot be read is past.
    house
        .attacker()
        .execute("UPDATE tenant_secret_versions SET expires_at = 'never' WHERE version_no = 2", [])
        .unwrap();
    assert!(matches!(house.value_of("", "K"), Err(Error::Expired { .. })));
    rotate(&house, "K", "three", &terms());
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"three");
}

#[test]
fn a_rollback_goes_back_and_can_be_taken_back() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    rotate(&house, "K", "two", &terms());
    rotate(&house, "K", "three", &overlapping(24));
    let back = |to| on("", "K", |a| house.vault.roll_back(a, By::Open, to));
    assert_eq!(back(None).unwrap().version_no, 2);
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"two");
    assert_eq!(bags(&house, true).keys.versions("key"), Some(1), "a rollback ends an overlap");
    assert_eq!(back(Some(1)).unwrap().version_no, 1);
    assert!(matches!(back(None), Err(Error::NothingBefore { .. })));
    assert_eq!(back(Some(3)).unwrap().version_no, 3);
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"three");
    assert_eq!(back(Some(3)).unwrap().version_no, 3, "to where it is");
    assert!(matches!(back(Some(9)), Err(Error::NoSuchVersion { version_no: 9, .. })));
    // The numbers go on above all that there were.
    back(Some(1)).unwrap();
    rotate(&house, "K", "four", &terms());
    assert_eq!(house.pack("", &["K"]).ok().unwrap().granted().next().unwrap().version, 4);
}

#[test]
fn who_made_a_version_is_remembered() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    rotate(&house, "K", "two", &Terms::of(By::Actor("actor_other")));
    let (_, versions) = on("", "K", |a| house.vault.versions(a)).unwrap();
    let by: Vec<_> = versions.iter().map(|one| one.created_by.as_deref()).collect();
    assert_eq!(by, [Some("actor_other"), Some("actor_test")]);
}

#[test]
fn uses_are_counted_in_memory_and_survive_once_written() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    assert_eq!(on("", "K", |a| house.vault.show(a)).unwrap().last_used_at, None);
    house.value_of("", "K").ok().unwrap();
    house.value_of("", "K").ok().unwrap();
    rotate(&house, "K", "two", &overlapping(1));
    house.value_of("", "K").ok().unwrap();
    let written = |house: &House| -> i64 {
        house.attacker().query_row("SELECT COUNT(*) FROM txco_secret_uses", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(written(&house), 0, "no write per request");
    let uses = |house: &House| {
        let (metadata, versions) = on("", "K", |a| house.vault.versions(a)).unwrap();
        (metadata.uses, versions.iter().map(|one| (one.version_no, one.uses)).collect::<Vec<_>>())
    };
    assert_eq!(uses(&house), (3, vec![(2, 1), (1, 2)]));
    house.vault.write_uses().unwrap();
    house.vault.write_uses().unwrap();
    assert_eq!((written(&house), uses(&house)), (2, (3, vec![(2, 1), (1, 2)])));
    // What is retiring is used when an op asks for it, not when it is packed.
    let both = bags(&house, true);
    assert_eq!(uses(&house).1, [(2, 2), (1, 2)]);
    both.keys.key("key", 1, Encoding::Text).ok().unwrap();
    assert_eq!(uses(&house).1, [(2, 2), (1, 3)]);
    house.vault.write_uses().unwrap();
    let house = house.reopened(key(0));
    assert_eq!(uses(&house), (5, vec![(2, 2), (1, 3)]));
    assert!(on("", "K", |a| house.vault.show(a)).unwrap().last_used_at.is_some());
}

/// R37: the files are searched, for the sealed bytes themselves.
#[test]
fn a_destroyed_version_is_in_no_file() {
    let house = House::new();
    house.create("", "K", &"first value ".repeat(400)).unwrap();
    house.create("", "OTHER", "other").unwrap();
    rotate(&house, "K", "second", &terms());
    let sealed: (Vec<u8>, Vec<u8>) = house
        .attacker()
        .query_row(
            "SELECT ciphertext, wrapped_dek FROM tenant_secret_versions WHERE version_no = 1
             AND secret_id = (SELECT secret_id FROM tenant_secrets WHERE name = 'K')",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert!(in_files(&house, &sealed.1) && in_files(&house, &sealed.0[..64]), "it was there");
    // In a cache too.
    house.value_of("", "OTHER").ok().unwrap();
    let destroyed = on("", "K", |a| house.vault.destroy(a, By::Actor("actor_test"), 1)).unwrap();
    assert_eq!((destroyed.version_no, destroyed.versions), (2, 1));
    assert!(!in_files(&house, &sealed.1), "the wrapped DEK");
    for piece in sealed.0.chunks(64) {
        assert!(!in_files(&house, piece), "the ciphertext");
    }
    assert_eq!(states(&house), [(2, false, false), (1, true, true)]);
    let (_, versions) = on("", "K", |a| house.vault.versions(a)).unwrap();
    assert_eq!(versions[1].destroyed_by.as_deref(), Some("actor_test"));
    // Again is no error, and there is no way back.
    on("", "K", |a| house.vault.destroy(a, By::Open, 1)).unwrap();
    assert!(matches!(
        on("", "K", |a| house.vault.roll_back(a, By::Open, Some(1))),
        Err(Error::Destroyed { version_no: 1, .. })
    ));
    assert!(matches!(
        on("", "K", |a| house.vault.roll_back(a, By::Open, None)),
        Err(Error::NothingBefore { .. })
    ));
    assert!(matches!(
        on("", "K", |a| house.vault.destroy(a, By::Open, 2)),
        Err(Error::InUse { version_no: 2, .. })
    ));
    assert!(matches!(on("", "K", |a| house.vault.destroy(a, By::Open, 3)), Err(Error::NoSuchVersion { .. })));
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"second");
    assert_eq!(house.value_of("", "OTHER").ok().unwrap(), b"other");
    // And nobody mistakes what is left for a row of a lost key.
    assert_eq!(house.reopened(key(0)).report.unopened(), 0);
}

fn in_files(house: &House, needle: &[u8]) -> bool {
    let mut searched = 0;
    for entry in std::fs::read_dir(house.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        searched += bytes.len();
        if bytes.windows(needle.len()).any(|window| window == needle) {
            return true;
        }
    }
    assert!(searched > 10_000, "{searched}");
    false
}

/// Somebody who reads the log keeps it from being emptied: that is told, and mended later.
#[test]
fn a_log_in_use_is_an_error_and_the_next_time_mends_it() {
    let house = House::new();
    house.create("", "K", "one").unwrap();
    rotate(&house, "K", "two", &terms());
    let dek: Vec<u8> = house
        .attacker()
        .query_row("SELECT wrapped_dek FROM tenant_secret_versions WHERE version_no = 1", [], |row| {
            row.get(0)
        })
        .unwrap();
    let reader = house.attacker();
    reader.execute_batch("BEGIN; SELECT COUNT(*) FROM tenant_secrets;").unwrap();
    let error = on("", "K", |a| house.vault.destroy(a, By::Open, 1)).err().unwrap();
    assert!(matches!(error, Error::Store(store::Error::LogInUse)), "{error}");
    assert!(in_files(&house, &dek));
    reader.execute_batch("COMMIT").unwrap();
    on("", "K", |a| house.vault.destroy(a, By::Open, 1)).unwrap();
    assert!(!in_files(&house, &dek));
}

#[test]
fn a_prune_keeps_the_newest_and_what_is_retiring() {
    let house = House::new();
    house.create("", "K", "1").unwrap();
    for text in ["2", "3", "4", "5"] {
        rotate(&house, "K", text, &terms());
    }
    let prune = |keep| on("", "K", |a| house.vault.prune(a, By::Open, Keep(keep))).unwrap().1;
    assert_eq!(prune(9), [0_u32; 0]);
    // What a rollback took out of use goes first.
    on("", "K", |a| house.vault.roll_back(a, By::Open, Some(4))).unwrap();
    assert_eq!(prune(3), [1, 5]);
    rotate(&house, "K", "6", &overlapping(24));
    assert_eq!(prune(1), [3, 2]);
    let held: Vec<_> = states(&house).into_iter().filter(|one| !one.2).map(|one| one.0).collect();
    assert_eq!(held, [6, 4], "4 is retiring");
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"6");
    assert_eq!(prune(1), [0_u32; 0]);
}

/// S5, R17: what we revoke in a stack does not become the tenant's.
#[test]
fn a_revocation_in_a_stack_ends_the_search_there_until_it_is_set_again() {
    let house = House::new();
    house.create("", "K", "tenant").unwrap();
    house.create("shop", "K", "shop").unwrap();
    assert_eq!(house.value_of("shop/eu", "K").ok().unwrap(), b"shop");
    on("shop", "K", |a| house.vault.revoke(a, By::Open)).unwrap();
    for from in ["shop", "shop/eu"] {
        let refused = house.value_of(from, "K").err().unwrap();
        assert!(matches!(refused, Error::Revoked { stack: s, .. } if Some(&s) == stack("shop").as_ref()));
    }
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"tenant");
    house.set("shop", "K", "again").unwrap();
    assert_eq!(house.value_of("shop/eu", "K").ok().unwrap(), b"again");
}

#[test]
fn a_key_is_read_as_its_secret_says() {
    let house = House::new();
    let hex = Terms { key_encoding: Some(Encoding::Hex), ..terms() };
    on("", "K", |a| house.vault.create(a, &hex, value("4a656665"))).unwrap();
    let made = |house: &House| {
        let key = bags(house, false).keys.key("key", 0, Encoding::Declared).ok().unwrap();
        key.sign(Algorithm::HmacSha256, &[b"what do ya want for nothing?"]).unwrap()
    };
    // RFC 4231, case 2: the key is "Jefe". An op that is shown it gets the key; a request, the text.
    assert!(made(&house).starts_with(&[0x5b, 0xdc, 0xc1, 0x46]));
    assert_eq!(bags(&house, false).reveal.cleartext("key", 0).unwrap().expose(), b"Jefe");
    // The next version is read the same way unless it says otherwise.
    let refused = on("", "K", |a| house.vault.rotate(a, &terms(), value("no hex"))).err().unwrap();
    assert!(matches!(&refused, Error::KeyEncoding { why } if why == "not hex: character 1"), "{refused}");
    rotate(&house, "K", "Jefe", &Terms { key_encoding: Some(Encoding::Text), ..terms() });
    assert!(made(&house).starts_with(&[0x5b, 0xdc, 0xc1, 0x46]));
    let (_, shown) = on("", "G", |a| house.vault.generate(a, &hex, 32)).ok().unwrap();
    assert_eq!(shown.text().len(), 64);
}
