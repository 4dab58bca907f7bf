//! HMAC (RFC 2104), computed in the op.

use alloc::vec::Vec;

use crate::hash::{Function, Hashing};
use crate::{Hash, Piece, Secret};

impl Hash {
    #[inline(always)]
    pub(crate) fn hmac(self, key: &[u8], message: &[Piece<'_>]) -> Vec<u8> {
        hmac(self.function(), key, message)
    }
}

/// Not generic: that would be in an op once per hash.
fn hmac(hash: &'static Function, key: &[u8], message: &[Piece<'_>]) -> Vec<u8> {
    let short;
    let key = if key.len() > hash.block {
        short = Secret::new(Hashing::new(hash).over(&[Piece::Bytes(key)]));
        short.expose()
    } else {
        key
    };
    let begin = |pad: u8| {
        let mut padded = Vec::with_capacity(hash.block);
        padded.extend(key.iter().map(|byte| byte ^ pad));
        padded.resize(hash.block, pad);
        let padded = Secret::new(padded);
        let mut hashing = Hashing::new(hash);
        hashing.update(padded.expose());
        hashing
    };
    let inner = begin(0x36).over(message);
    begin(0x5c).over(&[Piece::Bytes(&inner)])
}
