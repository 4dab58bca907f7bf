//! Signatures with key pairs in PEM, made and checked by `ring`.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Algorithm, KeyError, unusable};

/// The last part of a SubjectPublicKeyInfo's algorithm, how long what follows it begins, and
/// the algorithm.
const NAMES: [(&[u8], Algorithm); 3] = [
    (&[0x2b, 0x65, 0x70], Algorithm::Ed25519),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], Algorithm::EcdsaP256Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0], Algorithm::RsaPkcs1Sha256),
];

pub(super) fn check(pem: &str) -> Result<(), KeyError> {
    public(&der(pem.as_bytes(), "PUBLIC KEY")?).map(|_| ())
}

pub(super) fn sign(pem: &[u8], algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let random = SystemRandom::new();
    let refused = |_| unusable("the key does not sign");
    match pair(pem, algorithm)? {
        Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        Pair::P256(pair) => pair.sign(&random, message).map(|made| made.as_ref().to_vec()).map_err(refused),
        Pair::Rsa(pair) => {
            let mut made = vec![0; pair.public().modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut made).map_err(refused)?;
            Ok(made)
        }
    }
}

pub(super) fn verify(
    pem: &[u8],
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, KeyError> {
    let (of, key) = match der(pem, "PUBLIC KEY") {
        Ok(der) => public(&der)?,
        Err(_) => (algorithm, pair(pem, algorithm)?.public()),
    };
    let how: &'static dyn VerificationAlgorithm = match algorithm {
        _ if of != algorithm => return Err(unusable("a public key of another algorithm")),
        Algorithm::Ed25519 => &ED25519,
        Algorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_FIXED,
        _ => &RSA_PKCS1_2048_8192_SHA256,
    };
    Ok(UnparsedPublicKey::new(how, key).verify(message, signature).is_ok())
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    fn public(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Self::P256(pair) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }
}

fn pair(pem: &[u8], algorithm: Algorithm) -> Result<Pair, KeyError> {
    let der = der(pem, "PRIVATE KEY")?;
    match algorithm {
        Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Pair::Ed25519),
        Algorithm::EcdsaP256Sha256 => {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new())
                .map(Pair::P256)
        }
        _ => RsaKeyPair::from_pkcs8(&der).map(Pair::Rsa),
    }
    .map_err(|_| unusable("not a PKCS #8 key of this algorithm"))
}

/// The bytes of the PEM block with this label.
fn der(pem: &[u8], label: &str) -> Result<Vec<u8>, KeyError> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let body = || {
        let text = std::str::from_utf8(pem).ok()?;
        let (_, rest) = text.split_once(&begin)?;
        let (body, _) = rest.split_once(&end)?;
        crate::from_base64(&body.split_ascii_whitespace().collect::<String>())
    };
    body().ok_or_else(|| KeyError::Unusable(format!("no PEM with {begin}")))
}

/// The algorithm and the key's bytes in a SubjectPublicKeyInfo: behind the algorithm's name,
/// a bit string of whole bytes.
fn public(der: &[u8]) -> Result<(Algorithm, Vec<u8>), KeyError> {
    let found = NAMES.iter().find_map(|(name, algorithm)| {
        let at = der.windows(name.len()).position(|window| window == *name)?;
        let bits = der.get(at + name.len()..)?.strip_prefix(&[0x03])?;
        let (length, rest) = bits.split_first()?;
        // A long length says first how many bytes it has.
        let rest = rest.get(if *length < 0x80 { 0 } else { usize::from(length & 0x7f) }..)?;
        rest.strip_prefix(&[0]).map(|key| (*algorithm, key.to_vec()))
    });
    found.ok_or_else(|| unusable("not a SubjectPublicKeyInfo of a known algorithm"))
}
