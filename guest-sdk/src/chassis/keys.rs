//! Keys of a component: handles of the chassis.

use alloc::vec::Vec;

use crate::bindings::txco::op::keys;
use crate::host::Host;
use crate::{Algorithm, Encoding, Piece};

pub(crate) use keys::{Key, KeyError};

pub(crate) fn versions(_: &Host, slot: &str) -> u32 {
    keys::versions(slot)
}

pub(crate) fn open(_: &Host, slot: &str, index: u32, encoding: Encoding) -> Result<Key, KeyError> {
    keys::open(slot, index, encoding)
}

pub(crate) fn public(pem: &str) -> Result<Key, KeyError> {
    Key::public(pem)
}

pub(crate) fn sign(key: &Key, algorithm: Algorithm, message: &[Piece<'_>]) -> Result<Vec<u8>, KeyError> {
    key.sign(algorithm, &wire(message))
}

pub(crate) fn verify(
    key: &Key,
    algorithm: Algorithm,
    message: &[Piece<'_>],
    signature: &[u8],
) -> Result<bool, KeyError> {
    key.verify(algorithm, &wire(message), signature)
}

pub(crate) fn derive(
    key: &Key,
    algorithm: Algorithm,
    prefix: &[u8],
    message: &[u8],
) -> Result<Key, KeyError> {
    key.derive(algorithm, prefix, message)
}

/// The pieces as the contract has them: references, no bytes are copied.
fn wire<'a>(message: &[Piece<'a>]) -> Vec<keys::Piece<'a>> {
    let piece = |piece: &Piece<'a>| match *piece {
        Piece::Bytes(bytes) => keys::Piece::Bytes(bytes),
        Piece::Blob(blob) => keys::Piece::Blob(&blob.0),
    };
    message.iter().map(piece).collect()
}
