//! AES-256-GCM in and out (NIST SP 800-38D): the only use of the cipher in the house.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};

use crate::cleartext::Cleartext;
use crate::error::Error;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

/// The input does not authenticate.
pub(crate) struct NotAuthentic;

/// A nonce and what was sealed under it, tag last.
pub(crate) struct Sealed {
    pub(crate) nonce: [u8; NONCE_BYTES],
    pub(crate) ciphertext: Vec<u8>,
}

/// An expanded AES-256 key; the schedule is wiped on drop (feature `zeroize`).
pub(crate) struct Cipher(Aes256Gcm);

impl Cipher {
    /// Expands `key`; `None` unless it has 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        Aes256Gcm::new_from_slice(key).ok().map(Self)
    }

    /// Expands a key that was opened or drawn as cleartext.
    pub(crate) fn of(key: &Cleartext) -> Option<Self> {
        Self::new(key.expose())
    }

    /// Seals `cleartext` under a fresh random nonce. The buffer that holds the copy of
    /// the cleartext becomes the ciphertext; nothing is left behind.
    pub(crate) fn seal(&self, aad: &[u8], cleartext: &Cleartext) -> Result<Sealed, Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| Error::NoRandomness)?;
        self.seal_with(nonce, aad, cleartext)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        cleartext: &Cleartext,
    ) -> Result<Sealed, Error> {
        let mut bytes = Vec::with_capacity(cleartext.len() + TAG_BYTES);
        bytes.extend_from_slice(cleartext.expose());
        self.seal_in_place(nonce, aad, bytes)
    }

    /// Seals bytes that are no secret, such as an envelope that waits.
    pub(crate) fn seal_bytes(&self, aad: &[u8], bytes: Vec<u8>) -> Result<Sealed, Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| Error::NoRandomness)?;
        self.seal_in_place(nonce, aad, bytes)
    }

    /// Opens what [`seal_bytes`](Self::seal_bytes) made.
    pub(crate) fn open_bytes(
        &self,
        nonce: &[u8; NONCE_BYTES],
        aad: &[u8],
        mut bytes: Vec<u8>,
    ) -> Result<Vec<u8>, NotAuthentic> {
        let tag = *bytes.last_chunk::<TAG_BYTES>().ok_or(NotAuthentic)?;
        bytes.truncate(bytes.len() - TAG_BYTES);
        self.0
            .decrypt_inout_detached(&(*nonce).into(), aad, InOutBuf::from(bytes.as_mut_slice()), &tag.into())
            .map_err(|_| NotAuthentic)?;
        Ok(bytes)
    }

    fn seal_in_place(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        mut ciphertext: Vec<u8>,
    ) -> Result<Sealed, Error> {
        let tag = self
            .0
            .encrypt_inout_detached(&nonce.into(), aad, InOutBuf::from(ciphertext.as_mut_slice()))
            .map_err(|_| Error::Cipher)?;
        ciphertext.extend_from_slice(&tag);
        Ok(Sealed { nonce, ciphertext })
    }

    /// Opens what [`seal`](Self::seal) made. The tag is checked before a byte is decrypted.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Cleartext, NotAuthentic> {
        let (body, tag) = ciphertext.split_last_chunk::<TAG_BYTES>().ok_or(NotAuthentic)?;
        let mut cleartext = Cleartext::copy_of(body);
        self.0
            .decrypt_inout_detached(&(*nonce).into(), aad, InOutBuf::from(cleartext.buffer()), &(*tag).into())
            .map_err(|_| NotAuthentic)?;
        Ok(cleartext)
    }
}

#[cfg(test)]
mod tests;
