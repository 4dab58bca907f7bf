//! Hashes and their framing, held to the crates' own.

use sha2::Digest;

use crate::prelude::*;

#[track_caller]
fn same(hash: Hash, crates: impl Fn(&[u8]) -> Vec<u8>) {
    let bytes: Vec<u8> = (0..=255).cycle().take(400).collect();
    for len in 0..bytes.len() {
        let whole = &bytes[..len];
        assert_eq!(hash.digest(message![whole]), crates(whole), "{hash:?} of {len} bytes");
        // The same in pieces that end on both sides of a block.
        for at in [1, 55, 64, 111, 128, 129].into_iter().filter(|at| *at <= len) {
            let (one, two) = whole.split_at(at);
            assert_eq!(hash.digest(message![one, "", two]), crates(whole), "{hash:?}, {at} of {len}");
        }
    }
}

#[test]
fn every_length_gives_what_the_crates_give() {
    same(Hash::Sha1, |bytes| sha1::Sha1::digest(bytes).to_vec());
    same(Hash::Sha256, |bytes| sha2::Sha256::digest(bytes).to_vec());
    same(Hash::Sha512, |bytes| sha2::Sha512::digest(bytes).to_vec());
}

#[test]
fn a_blob_is_hashed_as_its_bytes() {
    let body = "x".repeat(40_000);
    let call = FakeHost::new().body(&body).call();
    let blob = call.bytes("body").unwrap();
    assert_eq!(Hash::Sha512.digest(message!["a", &blob]), Hash::Sha512.digest(message!["a", &body]));
}

/// FIPS 180-4's own example, a million times "a".
#[test]
fn a_million_letters() {
    let letters = "a".repeat(1_000_000);
    let hash = hex(&Hash::Sha256.digest(message![&letters]));
    assert_eq!(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
