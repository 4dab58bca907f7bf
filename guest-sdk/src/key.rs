//! A secret that can be used and not seen.

use alloc::string::String;
use alloc::vec::Vec;

use crate::keys::{self, KeyError};
use crate::{Algorithm, Failure, Piece};

/// A handle to a secret: the host computes with it, and its bytes never enter the op.
///
/// ```
/// # use txco_op::prelude::*;
/// fn token(call: &Call, claims: &str) -> Result<String, Failure> {
///     let key = call.key("key", Encoding::Declared)?;
///     let signature = key.sign(Algorithm::Ed25519, message![claims])?;
///     Ok(base64url(&signature))
/// }
/// ```
/// ```compile_fail,E0277
/// fn printable<T: std::fmt::Debug>() {}
/// printable::<txco_op::Key>();
/// ```
/// ```compile_fail,E0599
/// fn bytes(key: &txco_op::Key) -> &[u8] {
///     key.expose()
/// }
/// ```
pub struct Key {
    key: keys::Key,
    /// Where failures say that it is from; nowhere when it is public.
    slot: String,
}

impl Key {
    pub(crate) fn new(key: keys::Key, slot: &str) -> Self {
        Self { key, slot: slot.into() }
    }

    /// A public key, which is no secret: SubjectPublicKeyInfo as PEM. It verifies only.
    ///
    /// # Errors
    /// [`Failure`] when the text is no such key.
    pub fn public(pem: &str) -> Result<Self, Failure> {
        keys::public(pem).map(|key| Self::new(key, "")).map_err(|error| Failure::key("", error))
    }

    /// A MAC or signature of the pieces, one after the other.
    ///
    /// # Errors
    /// [`Failure`] when the key is none for this algorithm.
    pub fn sign(&self, algorithm: Algorithm, message: &[Piece<'_>]) -> Result<Vec<u8>, Failure> {
        keys::sign(&self.key, algorithm, message).map_err(|error| self.failure(error))
    }

    /// Whether `signature` is one of the pieces; the host compares MACs in constant time.
    ///
    /// # Errors
    /// [`Failure`] when the key is none for this algorithm.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[Piece<'_>],
        signature: &[u8],
    ) -> Result<bool, Failure> {
        keys::verify(&self.key, algorithm, message, signature).map_err(|error| self.failure(error))
    }

    /// The MAC of `message` under `prefix` followed by this key, as a key that is not seen
    /// either: the steps of AWS Signature Version 4 and of HKDF.
    ///
    /// # Errors
    /// [`Failure`] when the algorithm is no HMAC or the key is none for it.
    pub fn derive(&self, algorithm: Algorithm, prefix: &[u8], message: &[u8]) -> Result<Self, Failure> {
        let key = keys::derive(&self.key, algorithm, prefix, message).map_err(|error| self.failure(error))?;
        Ok(Self::new(key, &self.slot))
    }

    fn failure(&self, error: KeyError) -> Failure {
        Failure::key(&self.slot, error)
    }
}
