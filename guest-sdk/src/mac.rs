//! HMAC (RFC 2104), computed in the op.

use alloc::vec::Vec;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::{Algorithm, Piece};

/// The hash function under an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1, 20 bytes: for TOTP and old webhooks, nothing new.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Hash {
    // Inlined, so that an op which names one hash does not carry the other two.
    #[inline(always)]
    pub(crate) fn hmac(self, key: &[u8], message: &[Piece<'_>]) -> Vec<u8> {
        match self {
            Self::Sha1 => of::<Hmac<Sha1>>(key, message),
            Self::Sha256 => of::<Hmac<Sha256>>(key, message),
            Self::Sha512 => of::<Hmac<Sha512>>(key, message),
        }
    }

    /// The same as the host calls it.
    #[inline]
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha1 => Algorithm::HmacSha1,
            Self::Sha256 => Algorithm::HmacSha256,
            Self::Sha512 => Algorithm::HmacSha512,
        }
    }
}

fn of<M: Mac + KeyInit>(key: &[u8], message: &[Piece<'_>]) -> Vec<u8> {
    // HMAC takes keys of any length, so there is always one.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    // By name, so that the reading of pieces is in the op once, whatever the hash.
    let update: &mut dyn FnMut(&[u8]) = &mut |bytes| mac.update(bytes);
    message.iter().for_each(|piece| piece.for_each_piece(&mut *update));
    mac.finalize().into_bytes().to_vec()
}
