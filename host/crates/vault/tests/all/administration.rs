//! The verbs of administration, one by one and against each other.

use txco_vault::{By, Error, MAX_DESCRIPTION_BYTES, Terms, Written};

use crate::house::{House, name, on, tenant, terms, value};

fn about(description: Option<&str>) -> Terms<'_> {
    Terms { description, ..terms() }
}

#[test]
fn what_is_created_is_what_ops_get() {
    let house = House::new();
    let made = house.create("", "STRIPE_API_KEY", "sk_live_abc").unwrap();
    assert_eq!((made.version_no, made.key_version, made.short_value), (1, 1, false));
    assert_eq!(made.created_by.as_deref(), Some("actor_test"));
    assert!(made.created_at.len() == 20 && made.created_at.ends_with('Z'), "{}", made.created_at);
    assert_eq!(made.last_rotated_at, None);
    assert!(made.secret_id.as_str().starts_with("sec_"));
    assert_eq!(on("", "STRIPE_API_KEY", |a| house.vault.show(a)).unwrap(), made);
    assert_eq!(house.value_of("", "STRIPE_API_KEY").ok().unwrap(), b"sk_live_abc");
    assert!(matches!(house.create("", "STRIPE_API_KEY", "other"), Err(Error::NameTaken { .. })));
}

#[test]
fn set_creates_then_rotates_and_keeps_what_is_not_given() {
    let house = House::new();
    let set =
        |description, text| on("", "K", |a| house.vault.set(a, &about(description), value(text))).unwrap();
    let (first, how) = set(Some("first"), "one");
    assert_eq!((first.version_no, how), (1, Written::Created));
    let (second, how) = set(None, "two");
    assert_eq!((second.version_no, how, second.description.as_deref()), (2, Written::Rotated, Some("first")));
    assert!(second.last_rotated_at.is_some());
    let (third, _) = set(Some("third"), "three");
    assert_eq!((third.version_no, third.description.as_deref()), (3, Some("third")));
    assert_eq!(third.secret_id, first.secret_id);
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"three");
}

#[test]
fn what_generate_shows_is_what_is_stored() {
    let house = House::new();
    let (made, shown) = on("", "WEBHOOK_HMAC", |a| house.vault.generate(a, &terms(), 32)).ok().unwrap();
    assert_eq!((made.version_no, shown.text().len()), (1, 43));
    assert_eq!(house.value_of("", "WEBHOOK_HMAC").ok().unwrap(), shown.text().as_bytes());
    let (next, again) =
        on("", "WEBHOOK_HMAC", |a| house.vault.rotate_generated(a, &terms(), 4096)).ok().unwrap();
    assert_eq!(next.version_no, 2);
    assert_eq!(house.value_of("", "WEBHOOK_HMAC").ok().unwrap(), again.text().as_bytes());
    for byte_len in [0, 4097] {
        let refused = on("", "W2", |a| house.vault.generate(a, &terms(), byte_len)).err().unwrap();
        assert!(matches!(refused, Error::ByteLength { asked } if asked == byte_len));
    }
    assert_eq!(house.vault.list(&tenant()).unwrap().len(), 1, "a refused one leaves nothing");
}

#[test]
fn a_value_under_eight_bytes_is_told() {
    let house = House::new();
    assert!(house.create("", "SHORT", "1234567").unwrap().short_value);
    let (metadata, _) = house.set("", "SHORT", "12345678").unwrap();
    assert!(!metadata.short_value);
    assert!(on("", "SHORT", |a| house.vault.rotate(a, &terms(), value("1"))).unwrap().short_value);
    assert!(house.vault.list(&tenant()).unwrap()[0].short_value);
}

#[test]
fn describing_touches_nothing_else() {
    let house = House::new();
    let made = house.create("", "K", "v").unwrap();
    let described = on("", "K", |a| house.vault.describe(a, By::Open, "what for")).unwrap();
    assert_eq!(described.description.as_deref(), Some("what for"));
    assert_eq!((described.version_no, &described.last_rotated_at), (1, &None));
    assert_eq!(on("", "K", |a| house.vault.describe(a, By::Open, "")).unwrap(), made);
    let at_limit = "x".repeat(MAX_DESCRIPTION_BYTES);
    assert!(on("", "K", |a| house.vault.describe(a, By::Open, &at_limit)).is_ok());
    let over = "x".repeat(MAX_DESCRIPTION_BYTES + 1);
    for refused in [
        on("", "K", |a| house.vault.describe(a, By::Open, &over)).err(),
        on("", "L", |a| house.vault.create(a, &about(Some(&over)), value("v"))).err(),
        on("", "K", |a| house.vault.set(a, &about(Some(&over)), value("v"))).err(),
        on("", "L", |a| house.vault.generate(a, &about(Some(&over)), 32)).err(),
    ] {
        assert!(matches!(refused, Some(Error::DescriptionTooLong { found }) if found == over.len()));
    }
    assert_eq!(on("", "K", |a| house.vault.show(a)).unwrap().version_no, 1);
}

#[test]
fn revoking_frees_the_name_for_a_new_identity() {
    let house = House::new();
    let first = house.create("", "K", "one").unwrap();
    assert_eq!(on("", "K", |a| house.vault.revoke(a, By::Open)).unwrap(), first);
    assert!(matches!(house.value_of("", "K"), Err(Error::NotFound { .. })));
    assert!(house.vault.list(&tenant()).unwrap().is_empty());
    let second = house.create("", "K", "two").unwrap();
    assert_eq!(second.version_no, 1);
    assert_ne!(second.secret_id, first.secret_id);
    assert_eq!(house.value_of("", "K").ok().unwrap(), b"two");
}

#[test]
fn administration_never_looks_beyond_the_place_it_names() {
    let house = House::new();
    house.create("", "K", "tenant-wide").unwrap();
    on("shop", "K", |a| {
        assert!(matches!(house.vault.show(a), Err(Error::NotFound { .. })));
        assert!(matches!(house.vault.describe(a, By::Open, "d"), Err(Error::NotFound { .. })));
        assert!(matches!(house.vault.revoke(a, By::Open), Err(Error::NotFound { .. })));
        assert!(matches!(house.vault.rotate(a, &terms(), value("v")), Err(Error::NotFound { .. })));
        assert!(matches!(house.vault.rotate_generated(a, &terms(), 32), Err(Error::NotFound { .. })));
    });
    house.create("shop", "K", "of shop").unwrap();
    let listed = house.vault.list(&tenant()).unwrap();
    let stacks: Vec<_> = listed.iter().map(|m| m.stack.as_ref().map(ToString::to_string)).collect();
    assert_eq!(stacks, [None, Some("shop".to_owned())]);
}

#[test]
fn of_two_that_create_the_same_name_one_does() {
    let house = House::new();
    for round in 0..20 {
        let secret = format!("K{round}");
        let results: Vec<_> = std::thread::scope(|threads| {
            let both = [0, 1].map(|n| {
                let (house, secret) = (&house, &secret);
                threads.spawn(move || house.create("", secret, &format!("value {n}")).is_ok())
            });
            both.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|made| **made).count(), 1, "round {round}");
        let winner = results.iter().position(|made| *made).unwrap();
        assert_eq!(house.value_of("", &secret).ok().unwrap(), format!("value {winner}").as_bytes());
    }
}

#[test]
fn concurrent_writers_lose_no_version_and_readers_always_get_a_whole_one() {
    let house = House::new();
    house.create("", "K", "value of 0 and 0").unwrap();
    std::thread::scope(|threads| {
        let writers: Vec<_> = (1..=4)
            .map(|writer| {
                let house = &house;
                threads.spawn(move || {
                    for n in 0..25 {
                        house.set("", "K", &format!("value of {writer} and {n}")).unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            threads.spawn(|| {
                for _ in 0..500 {
                    let value = house.value_of("", "K").ok().unwrap();
                    assert!(value.starts_with(b"value of "));
                }
            });
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let last = on("", "K", |a| house.vault.show(a)).unwrap();
        assert_eq!(last.version_no, 101);
    });
}

#[test]
fn an_import_stores_all_or_nothing() {
    let house = House::new();
    house.create("", "OLD", "before").unwrap();
    let import = |pairs: &[(&str, &str)]| {
        let values = pairs.iter().map(|(n, text)| (name(n), value(text))).collect();
        house.vault.import(&tenant(), None, &terms(), values)
    };
    let done = import(&[("OLD", "after"), ("NEW", "first")]).unwrap();
    let told: Vec<_> = done.iter().map(|(m, how)| (m.name.as_str(), m.version_no, *how)).collect();
    assert_eq!(told, [("OLD", 2, Written::Rotated), ("NEW", 1, Written::Created)]);
    assert_eq!(house.value_of("", "OLD").ok().unwrap(), b"after");
    assert_eq!(house.value_of("", "NEW").ok().unwrap(), b"first");

    let twice = import(&[("A", "1"), ("B", "2"), ("A", "3")]);
    assert!(matches!(twice, Err(Error::NameTaken { name: n }) if n == name("A")));
    // The last one is over the quota: none of them is stored.
    let quotas = store::Quotas { secrets: Some(3), ..store::Quotas::default() };
    let house = house.with_quotas(quotas);
    let values = ["A", "B"].map(|n| (name(n), value("one too many"))).into_iter().collect();
    let refused = house.vault.import(&tenant(), None, &terms(), values).err().unwrap();
    let reached = store::Error::QuotaReached { quota: store::Quota::Secrets, most: 3 };
    assert_eq!(refused.to_string(), Error::Store(reached).to_string());
    let names: Vec<_> = house.vault.list(&tenant()).unwrap().into_iter().map(|m| m.name).collect();
    assert_eq!(names, [name("NEW"), name("OLD")]);
    assert!(house.create("", "A", "the third").is_ok());
}
