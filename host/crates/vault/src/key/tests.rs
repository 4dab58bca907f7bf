//! Public vectors, unchanged, and what is refused.

use serde_json::Value;

use super::*;

const PAIRS: &str = include_str!("../../../../../tests/vectors/keys/pairs.json");

fn key(value: &[u8], encoding: Encoding) -> Key {
    Key::stored(Arc::new(Cleartext::copy_of(value)), encoding)
}

fn unhex(text: &str) -> Vec<u8> {
    match text {
        "" => Vec::new(),
        _ => Encoding::Hex.decode(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")).expose().to_vec(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member}"))
}

fn reason<T>(result: Result<T, KeyError>) -> String {
    match result {
        Err(KeyError::Unusable(reason)) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn hmac_as_in_rfc_4231_and_rfc_2202() {
    let mut checked = 0;
    for file in [
        include_str!("../../../../../tests/vectors/hmac/rfc4231.json"),
        include_str!("../../../../../tests/vectors/hmac/rfc2202.json"),
    ] {
        let vectors: Value = serde_json::from_str(file).unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            let (raw, data) = (unhex(text(case, "key")), unhex(text(case, "data")));
            for (member, algorithm) in [
                ("sha1", Algorithm::HmacSha1),
                ("sha256", Algorithm::HmacSha256),
                ("sha512", Algorithm::HmacSha512),
            ] {
                let Some(expected) = case[member].as_str() else { continue };
                let (front, back) = data.split_at(data.len() / 2);
                let made = key(&raw, Encoding::Text).sign(algorithm, &[front, back]).unwrap();
                // RFC 4231 publishes the first 128 bits of case 5 only.
                assert!(hex(&made).starts_with(expected), "{case}");
                let same = key(text(case, "key").as_bytes(), Encoding::Hex);
                assert_eq!(same.verify(algorithm, &[&data], &made), Ok(true));
                checked += 1;
            }
        }
    }
    assert!(checked >= 7 + 14, "{checked}");
}

#[test]
fn a_mac_is_verified_whole() {
    let key = key(b"k", Encoding::Text);
    let made = key.sign(Algorithm::HmacSha256, &[b"m"]).unwrap();
    for bad in [&made[..31], &[], &[made.as_slice(), &[0]].concat(), &[0; 32]] {
        assert_eq!(key.verify(Algorithm::HmacSha256, &[b"m"], bad), Ok(false));
    }
    assert_eq!(key.verify(Algorithm::HmacSha1, &[b"m"], &made), Ok(false));
    assert_eq!(key.verify(Algorithm::HmacSha256, &[b"M"], &made), Ok(false));
}

/// The example of AWS's "Signature Version 4" documentation.
#[test]
fn the_derive_chain_of_aws() {
    let mut step = key(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Encoding::Text)
        .derive(Algorithm::HmacSha256, b"AWS4", b"20120215")
        .unwrap();
    for word in ["us-east-1", "iam"] {
        step = step.derive(Algorithm::HmacSha256, b"", word.as_bytes()).unwrap();
    }
    let last = step.sign(Algorithm::HmacSha256, &[b"aws4_request"]).unwrap();
    assert_eq!(hex(&last), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

#[test]
fn signatures_as_in_rfc_8032_and_rfc_7515() {
    let pairs: Value = serde_json::from_str(PAIRS).unwrap();
    let mut all: Vec<(&Value, Algorithm)> =
        pairs["ed25519"].as_array().unwrap().iter().map(|case| (case, Algorithm::Ed25519)).collect();
    assert_eq!(all.len(), 3);
    all.push((&pairs["rsa"], Algorithm::RsaPkcs1Sha256));
    all.push((&pairs["p256"], Algorithm::EcdsaP256Sha256));
    for (case, algorithm) in all {
        let (message, signature) = (unhex(text(case, "message")), unhex(text(case, "signature")));
        let private = key(text(case, "private").as_bytes(), Encoding::Text);
        let stored_public = key(text(case, "public").as_bytes(), Encoding::Text);
        let public = Key::public(text(case, "public")).ok().unwrap();
        let (front, back) = message.split_at(message.len() / 2);
        let made = private.sign(algorithm, &[front, back]).unwrap();
        assert_eq!(made.len(), signature.len());
        // ECDSA draws a number for each signature; the others are the same each time.
        assert_eq!(made == signature, algorithm != Algorithm::EcdsaP256Sha256, "{algorithm:?}");
        for verifier in [&private, &stored_public, &public] {
            assert_eq!(verifier.verify(algorithm, &[&message], &signature), Ok(true), "{algorithm:?}");
            assert_eq!(verifier.verify(algorithm, &[front, back], &made), Ok(true));
            let mut bent = signature.clone();
            bent[9] ^= 1;
            assert_eq!(verifier.verify(algorithm, &[&message], &bent), Ok(false));
            assert_eq!(verifier.verify(algorithm, &[&message, b" "], &signature), Ok(false));
            assert_eq!(verifier.verify(algorithm, &[&message], &signature[1..]), Ok(false));
        }
        assert_eq!(
            reason(stored_public.sign(algorithm, &[b"m"])),
            "this is a public key; a private one signs"
        );
        assert_eq!(reason(public.sign(algorithm, &[b"m"])), "a public key verifies only");
    }
    let pkcs1 = key(text(&pairs["rsa"], "pkcs1").as_bytes(), Encoding::Text);
    let message = unhex(text(&pairs["rsa"], "message"));
    let made = pkcs1.sign(Algorithm::RsaPkcs1Sha256, &[&message]).unwrap();
    assert_eq!(hex(&made), text(&pairs["rsa"], "signature"));
}

#[test]
fn what_is_no_such_key_is_refused_with_the_remedy() {
    let pairs: Value = serde_json::from_str(PAIRS).unwrap();
    let signs = |pem: &str, algorithm| reason(key(pem.as_bytes(), Encoding::Text).sign(algorithm, &[b"m"]));
    let (p256, ed) = (&pairs["p256"], &pairs["ed25519"][0]);
    assert_eq!(
        signs(text(p256, "sec1"), Algorithm::EcdsaP256Sha256),
        "this PEM is not PKCS #8; convert it: openssl pkcs8 -topk8 -nocrypt -in OLD.pem"
    );
    assert_eq!(
        signs(pairs["encrypted"].as_str().unwrap(), Algorithm::EcdsaP256Sha256),
        "this PEM is encrypted; store the key decrypted: openssl pkey -in OLD.pem"
    );
    assert_eq!(signs(text(p256, "private"), Algorithm::Ed25519), "not an Ed25519 key: WrongAlgorithm");
    assert_eq!(
        signs(text(&pairs["p384"], "private"), Algorithm::EcdsaP256Sha256),
        "not an ECDSA P-256 key: WrongAlgorithm"
    );
    assert_eq!(signs("s3cret", Algorithm::Ed25519), "not PEM: there is no line -----BEGIN …-----");
    let public = |pem: &str| reason(Key::public(pem));
    assert_eq!(
        public(text(p256, "private")),
        "this PEM is no public key; PUBLIC KEY (SubjectPublicKeyInfo) is expected"
    );
    assert_eq!(
        public(text(&pairs["p384"], "public")),
        "a public key of another algorithm; Ed25519, P-256 and RSA are known"
    );
    assert_eq!(public(text(&pairs["rsa1024"], "public")), "not an RSA key of 2048 bits or more");
    let other = Key::public(text(ed, "public")).ok().unwrap();
    assert_eq!(
        reason(other.verify(Algorithm::EcdsaP256Sha256, &[b"m"], &[0; 64])),
        "this is an Ed25519 key, the algorithm wants ECDSA P-256"
    );
    assert_eq!(reason(other.sign(Algorithm::HmacSha256, &[b"m"])), "a public key makes no MAC");
}

#[test]
fn a_derived_key_makes_macs_and_nothing_else() {
    let derived = key(b"k", Encoding::Text).derive(Algorithm::HmacSha512, b"", b"m").ok().unwrap();
    assert!(derived.sign(Algorithm::HmacSha1, &[b"x"]).is_ok());
    assert_eq!(reason(derived.sign(Algorithm::Ed25519, &[b"x"])), "a derived key makes MACs only");
    assert_eq!(reason(derived.derive(Algorithm::Ed25519, b"", b"")), "keys are derived with HMAC only");
}

#[test]
fn a_key_that_is_not_written_as_declared_says_where() {
    let key = key(b"c2VjcmV0LXNlY3JldA==\n", Encoding::Base64);
    assert_eq!(reason(key.sign(Algorithm::HmacSha256, &[b"m"])), "not base64: character 21");
}

#[test]
fn no_mac_is_made_beyond_its_time() {
    let late = key(b"k", Encoding::Text).until(Instant::now());
    let piece = vec![0; STRIDE / 2];
    for algorithm in [Algorithm::HmacSha1, Algorithm::HmacSha256, Algorithm::HmacSha512] {
        // Looking at the clock is for what takes time.
        assert!(late.sign(algorithm, &[&piece]).is_ok());
        assert_eq!(late.sign(algorithm, &[&piece, &piece]), Err(KeyError::Late));
        assert_eq!(late.verify(algorithm, &[&piece, &piece], b""), Err(KeyError::Late));
        let derived = late.derive(algorithm, b"", b"x").ok().unwrap();
        assert_eq!(derived.sign(algorithm, &[&piece, &piece]), Err(KeyError::Late));
    }
}

#[test]
fn a_key_pair_takes_messages_up_to_its_limit() {
    let message = vec![0; MAX_PAIR_MESSAGE_BYTES];
    let pairs: Value = serde_json::from_str(PAIRS).unwrap();
    let pem = text(&pairs["ed25519"][0], "private");
    let signs = |pieces: &[&[u8]]| key(pem.as_bytes(), Encoding::Text).sign(Algorithm::Ed25519, pieces);
    assert!(signs(&[&message]).is_ok());
    let above = "a key pair takes messages of at most 8 MiB; use their digest";
    assert_eq!(reason(signs(&[&message, b"x"])), above);
}
