//! The key of one version of one secret: drawn for it, wrapped by the master key, never reused.

use store::{AadScheme, SealedSecret, WRAPPED_DEK_BYTES};

use crate::cleartext::Cleartext;
use crate::context::Context;
use crate::error::{Error, Unopened};
use crate::master_key::MasterKey;
use crate::ring::KeyRing;
use crate::seal::{Cipher, KEY_BYTES, NONCE_BYTES, Sealed};

/// How much stack the cipher uses, at most; what it leaves there is cleared.
const CIPHER_STACK: usize = 64 << 10;

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

    /// Seals a value under this DEK.
    pub(crate) fn seal(&self, aad: &[u8], value: &Cleartext) -> Result<Sealed, Error> {
        pages::clearing_stack(CIPHER_STACK, || Cipher::of(&self.0).ok_or(Error::Cipher)?.seal(aad, value))
    }

    pub(crate) fn wrap(&self, key: &MasterKey, aad: &[u8]) -> Result<WrappedDek, Error> {
        let seal = || key.cipher().ok_or(Error::Cipher)?.seal(aad, &self.0);
        let sealed = pages::clearing_stack(CIPHER_STACK, seal)?;
        let bytes = sealed.ciphertext.try_into().map_err(|_| Error::Cipher)?;
        Ok(WrappedDek { nonce: sealed.nonce, bytes })
    }

    /// Unwraps a DEK with the key that the row names, or, where it names none, with the first
    /// of the ring that opens it.
    pub(crate) fn unwrap(
        ring: &KeyRing,
        context: &Context<'_>,
        nonce: &[u8; NONCE_BYTES],
        wrapped: &[u8; WRAPPED_DEK_BYTES],
    ) -> Result<Self, Unopened> {
        pages::clearing_stack(CIPHER_STACK, || Self::unwrapped(ring, context, nonce, wrapped))
    }

    /// Opens the value that was sealed under this DEK.
    pub(crate) fn open(
        &self,
        context: &Context<'_>,
        nonce: &[u8; NONCE_BYTES],
        ciphertext: &[u8],
    ) -> Result<Cleartext, Unopened> {
        pages::clearing_stack(CIPHER_STACK, || self.opened(context, nonce, ciphertext))
    }

    /// The two, one after the other.
    pub(crate) fn unseal(
        ring: &KeyRing,
        context: &Context<'_>,
        sealed: &SealedSecret,
    ) -> Result<Cleartext, Unopened> {
        pages::clearing_stack(CIPHER_STACK, || {
            Self::unwrapped(ring, context, &sealed.dek_nonce, &sealed.wrapped_dek)?.opened(
                context,
                &sealed.nonce,
                &sealed.ciphertext,
            )
        })
    }

    fn unwrapped(
        ring: &KeyRing,
        context: &Context<'_>,
        nonce: &[u8; NONCE_BYTES],
        wrapped: &[u8; WRAPPED_DEK_BYTES],
    ) -> Result<Self, Unopened> {
        let aad = context.dek_aad();
        let open = |key: &MasterKey| key.cipher()?.open(nonce, &aad, wrapped).ok().map(Self);
        match context.scheme {
            AadScheme::Two { key_id } | AadScheme::One { key_id: Some(key_id), .. } => {
                let key = ring.find(key_id).ok_or(Unopened::OtherKey(key_id))?;
                open(key).ok_or(Unopened::NotAuthentic)
            }
            AadScheme::One { key_id: None, .. } => ring.keys().find_map(open).ok_or(Unopened::NotAuthentic),
        }
    }

    fn opened(
        &self,
        context: &Context<'_>,
        nonce: &[u8; NONCE_BYTES],
        ciphertext: &[u8],
    ) -> Result<Cleartext, Unopened> {
        let aad = context.value_aad();
        let open = || Cipher::of(&self.0)?.open(nonce, &aad, ciphertext).ok();
        open().ok_or(Unopened::NotAuthentic)
    }
}
