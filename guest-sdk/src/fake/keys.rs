//! Keys of a native test, which compute as the chassis does.

use crate::host::{Denies, Host};
use crate::{Algorithm, Encoding, Hash, Piece, Secret};

pub(crate) use crate::bindings::txco::op::keys::KeyError;

/// A key that the fake host computes with.
pub(crate) enum Key {
    /// A value of the store, and how it writes the key of a MAC.
    Stored(Secret, Encoding),
    /// Made of another key.
    Derived(Secret),
    /// PEM that is no secret.
    Public(String),
}

pub(crate) fn versions(host: &Host, slot: &str) -> u32 {
    host.versions(slot)
}

pub(crate) fn open(host: &Host, slot: &str, index: u32, encoding: Encoding) -> Result<Key, KeyError> {
    let (bytes, declared) = host.version(slot, index, Denies::All).map_err(KeyError::Secret)?;
    let encoding = if encoding == Encoding::Declared { declared } else { encoding };
    Ok(Key::Stored(Secret::new(bytes), encoding))
}

pub(crate) fn public(pem: &str) -> Result<Key, KeyError> {
    signatures::check(pem)?;
    Ok(Key::Public(pem.to_owned()))
}

pub(crate) fn sign(key: &Key, algorithm: Algorithm, message: &[Piece<'_>]) -> Result<Vec<u8>, KeyError> {
    match (hash(algorithm), key) {
        (Some(hash), _) => Ok(hash.hmac(mac_key(key)?.expose(), message)),
        (None, Key::Stored(pem, _)) => signatures::sign(pem.expose(), algorithm, &joined(message)),
        (None, Key::Derived(_)) => Err(unusable("a derived key makes MACs only")),
        (None, Key::Public(_)) => Err(unusable("a public key verifies only")),
    }
}

pub(crate) fn verify(
    key: &Key,
    algorithm: Algorithm,
    message: &[Piece<'_>],
    signature: &[u8],
) -> Result<bool, KeyError> {
    let pem = match key {
        _ if hash(algorithm).is_some() => {
            return sign(key, algorithm, message).map(|mac| crate::equal(mac, signature));
        }
        Key::Stored(pem, _) => pem.expose(),
        Key::Public(pem) => pem.as_bytes(),
        Key::Derived(_) => return Err(unusable("a derived key makes MACs only")),
    };
    signatures::verify(pem, algorithm, &joined(message), signature)
}

pub(crate) fn derive(
    key: &Key,
    algorithm: Algorithm,
    prefix: &[u8],
    message: &[u8],
) -> Result<Key, KeyError> {
    let hash = hash(algorithm).ok_or_else(|| unusable("keys are derived with HMACs only"))?;
    let key = Secret::new([prefix, mac_key(key)?.expose()].concat());
    Ok(Key::Derived(Secret::new(hash.hmac(key.expose(), &[Piece::Bytes(message)]))))
}

/// The bytes of a key for MACs.
fn mac_key(key: &Key) -> Result<Secret, KeyError> {
    match key {
        Key::Stored(value, encoding) => {
            encoding.decode(Secret::new(value.expose().to_vec())).map_err(unusable)
        }
        Key::Derived(bytes) => Ok(Secret::new(bytes.expose().to_vec())),
        Key::Public(_) => Err(unusable("a public key makes no MACs")),
    }
}

fn joined(message: &[Piece<'_>]) -> Vec<u8> {
    let mut all = Vec::new();
    message.iter().for_each(|piece| piece.for_each_piece(|bytes| all.extend_from_slice(bytes)));
    all
}

fn hash(algorithm: Algorithm) -> Option<Hash> {
    match algorithm {
        Algorithm::HmacSha1 => Some(Hash::Sha1),
        Algorithm::HmacSha256 => Some(Hash::Sha256),
        Algorithm::HmacSha512 => Some(Hash::Sha512),
        Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 | Algorithm::RsaPkcs1Sha256 => None,
    }
}

fn unusable(reason: &str) -> KeyError {
    KeyError::Unusable(reason.to_owned())
}

/// Without the feature `signatures`.
#[cfg(not(feature = "signatures"))]
mod signatures {
    use super::{Algorithm, KeyError, unusable};

    const OFF: &str =
        "the fake host signs and verifies with key pairs only with txco-op's feature `signatures`";

    pub(super) fn check(_: &str) -> Result<(), KeyError> {
        Err(unusable(OFF))
    }

    pub(super) fn sign(_: &[u8], _: Algorithm, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(unusable(OFF))
    }

    pub(super) fn verify(_: &[u8], _: Algorithm, _: &[u8], _: &[u8]) -> Result<bool, KeyError> {
        Err(unusable(OFF))
    }
}

#[cfg(feature = "signatures")]
#[path = "signatures.rs"]
mod signatures;
