//! A key for MACs, whichever way it is delivered.

use alloc::vec::Vec;

use crate::{Failure, Hash, Piece};

/// A key for HMACs that serves both ways of delivery from one source.
///
/// Without the feature `use-keys` the secret is revealed to the op and the MAC is computed
/// here; with it this is a [`Key`](crate::Key), and the host computes. The results are the
/// same, bit by bit.
///
/// ```compile_fail,E0277
/// fn printable<T: std::fmt::Debug>() {}
/// printable::<txco_op::MacKey>();
/// ```
pub struct MacKey(#[cfg(feature = "use-keys")] crate::Key, #[cfg(not(feature = "use-keys"))] crate::Secret);

#[cfg(feature = "use-keys")]
impl MacKey {
    pub(crate) fn open(
        call: &crate::Call,
        slot: &str,
        index: u32,
        encoding: crate::Encoding,
    ) -> Result<Self, Failure> {
        call.key_version(slot, index, encoding).map(Self)
    }

    /// The HMAC of the pieces, one after the other. A blob among them stays with the host.
    ///
    /// # Errors
    /// [`Failure`] when the host cannot use the key.
    pub fn hmac(&self, hash: Hash, message: &[Piece<'_>]) -> Result<Vec<u8>, Failure> {
        self.0.sign(hash.algorithm(), message)
    }

    /// Whether `mac` is the HMAC of the pieces, compared in constant time.
    ///
    /// # Errors
    /// [`Failure`] when the host cannot use the key.
    pub fn verify(&self, hash: Hash, message: &[Piece<'_>], mac: &[u8]) -> Result<bool, Failure> {
        self.0.verify(hash.algorithm(), message, mac)
    }

    /// The HMAC of `message` under `prefix` followed by this key, as a key.
    ///
    /// # Errors
    /// [`Failure`] when the host cannot use the key.
    pub fn derive(&self, hash: Hash, prefix: &[u8], message: &[u8]) -> Result<Self, Failure> {
        self.0.derive(hash.algorithm(), prefix, message).map(Self)
    }
}

#[cfg(not(feature = "use-keys"))]
impl MacKey {
    #[inline]
    pub(crate) fn open(
        call: &crate::Call,
        slot: &str,
        index: u32,
        encoding: crate::Encoding,
    ) -> Result<Self, Failure> {
        let secret = call.reveal_version(slot, index)?;
        encoding.decode(secret).map(Self).map_err(|reason| Failure::unusable(slot, reason))
    }

    /// The HMAC of the pieces, one after the other. A blob among them is read piece by piece.
    ///
    /// # Errors
    /// None in this build; with `use-keys` a [`Failure`] when the host cannot use the key.
    #[inline(always)]
    pub fn hmac(&self, hash: Hash, message: &[Piece<'_>]) -> Result<Vec<u8>, Failure> {
        Ok(hash.hmac(self.0.expose(), message))
    }

    /// Whether `mac` is the HMAC of the pieces, compared in constant time.
    ///
    /// # Errors
    /// None in this build; with `use-keys` a [`Failure`] when the host cannot use the key.
    #[inline(always)]
    pub fn verify(&self, hash: Hash, message: &[Piece<'_>], mac: &[u8]) -> Result<bool, Failure> {
        Ok(crate::equal(hash.hmac(self.0.expose(), message), mac))
    }

    /// The HMAC of `message` under `prefix` followed by this key, as a key.
    ///
    /// # Errors
    /// None in this build; with `use-keys` a [`Failure`] when the host cannot use the key.
    #[inline(always)]
    pub fn derive(&self, hash: Hash, prefix: &[u8], message: &[u8]) -> Result<Self, Failure> {
        let key = crate::Secret::new([prefix, self.0.expose()].concat());
        Ok(Self(crate::Secret::new(hash.hmac(key.expose(), &[Piece::Bytes(message)]))))
    }
}
