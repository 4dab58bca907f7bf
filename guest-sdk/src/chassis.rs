//! The host of a component: the chassis, through the functions it imports.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::txco::op::keys::{self, KeyError};
use crate::bindings::txco::op::{call, log, random, secrets};
use crate::{Algorithm, Encoding, Piece, SecretError, Value};

pub(crate) use call::Blob;
pub(crate) use keys::Key;

/// The call that is running: there is one in the life of an instance.
pub(crate) struct Host;

impl Host {
    pub(crate) fn request_id(&self) -> String {
        call::request_id()
    }

    pub(crate) fn stack(&self) -> String {
        call::stack()
    }

    pub(crate) fn scope(&self) -> u32 {
        call::scope()
    }

    pub(crate) fn rule(&self) -> String {
        call::op_name()
    }

    pub(crate) fn now(&self) -> u64 {
        call::now()
    }

    pub(crate) fn param(&self, name: &str) -> Option<Value> {
        call::param(name)
    }

    pub(crate) fn input(&self) -> String {
        call::input()
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        call::get(path)
    }

    pub(crate) fn bytes(&self, path: &str) -> Option<Blob> {
        call::bytes(path)
    }

    pub(crate) fn secret_versions(&self, slot: &str) -> u32 {
        secrets::versions(slot)
    }

    pub(crate) fn key_versions(&self, slot: &str) -> u32 {
        keys::versions(slot)
    }

    pub(crate) fn reveal(&self, slot: &str, index: u32) -> Result<Vec<u8>, SecretError> {
        secrets::reveal(slot, index)
    }

    pub(crate) fn open(&self, slot: &str, index: u32, encoding: Encoding) -> Result<Key, KeyError> {
        keys::open(slot, index, encoding)
    }

    pub(crate) fn random(&self, len: u32) -> Vec<u8> {
        random::bytes(len)
    }

    pub(crate) fn log(&self, line: &str) {
        log::write(line);
    }
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
