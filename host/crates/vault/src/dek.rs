//! The key of one version of one secret: drawn for it, wrapped by the master key, never reused.

use store::WRAPPED_DEK_BYTES;

use crate::cleartext::Cleartext;
use crate::error::Error;
use crate::master_key::MasterKey;
use crate::seal::{Cipher, KEY_BYTES, NONCE_BYTES, NotAuthentic};

/// A data-encryption key. Deleting its row destroys that version.
pub(crate) struct Dek(Cleartext);

/// A DEK as it is stored.
pub(crate) struct WrappedDek {
    pub(crate) nonce: [u8; NONCE_BYTES],
    pub(crate) bytes: [u8; WRAPPED_DEK_BYTES],
}

impl Dek {
    pub(crate) fn fresh() -> Result<Self, Error> {
        Cleartext::random(KEY_BYTES).map(Self)
    }

    pub(crate) fn cipher(&self) -> Result<Cipher, Error> {
        Cipher::of(&self.0).ok_or(Error::Cipher)
    }

    pub(crate) fn wrap(&self, key: &MasterKey, aad: &[u8]) -> Result<WrappedDek, Error> {
        let sealed = key.cipher().seal(aad, &self.0)?;
        let bytes = sealed.ciphertext.try_into().map_err(|_| Error::Cipher)?;
        Ok(WrappedDek { nonce: sealed.nonce, bytes })
    }

    pub(crate) fn unwrap(
        key: &MasterKey,
        nonce: &[u8; NONCE_BYTES],
        aad: &[u8],
        wrapped: &[u8; WRAPPED_DEK_BYTES],
    ) -> Result<Cipher, NotAuthentic> {
        let dek = key.cipher().open(nonce, aad, wrapped)?;
        Cipher::of(&dek).ok_or(NotAuthentic)
    }
}
