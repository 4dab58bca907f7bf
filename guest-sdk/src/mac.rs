//! HMAC (RFC 2104), computed in the op.

use alloc::vec::Vec;

use sha1::Sha1;
use sha2::digest::FixedOutputReset;
use sha2::{Digest, Sha256, Sha512};

use crate::{Algorithm, Piece, Secret};

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
            Self::Sha1 => hmac(&mut Sha1::new(), 64, key, message),
            Self::Sha256 => hmac(&mut Sha256::new(), 64, key, message),
            Self::Sha512 => hmac(&mut Sha512::new(), 128, key, message),
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

/// What an HMAC asks of its hash function.
trait Hashing {
    fn update(&mut self, bytes: &[u8]);
    /// The hash of what came so far; then it begins again.
    fn finish(&mut self) -> Vec<u8>;
}

impl<D: Digest + FixedOutputReset> Hashing for D {
    fn update(&mut self, bytes: &[u8]) {
        Digest::update(self, bytes);
    }

    fn finish(&mut self) -> Vec<u8> {
        self.finalize_reset().to_vec()
    }
}

/// RFC 2104, for a hash function with blocks of so many bytes. Written out, and over any hash
/// at run time: generic code would be in an op once per hash, and with what reads pieces.
fn hmac(hash: &mut dyn Hashing, block: usize, key: &[u8], message: &[Piece<'_>]) -> Vec<u8> {
    let mut key = key.to_vec();
    if key.len() > block {
        hash.update(&key);
        key = hash.finish();
    }
    key.resize(block, 0);
    let key = Secret::new(key);
    let begin = |hash: &mut dyn Hashing, pad: u8| {
        let padded = Secret::new(key.expose().iter().map(|byte| byte ^ pad).collect());
        hash.update(padded.expose());
    };
    begin(hash, 0x36);
    message.iter().for_each(|piece| piece.for_each_piece(|bytes| hash.update(bytes)));
    let inner = hash.finish();
    begin(hash, 0x5c);
    hash.update(&inner);
    hash.finish()
}
