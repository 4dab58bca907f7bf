//! Hash functions, computed in the op.

use alloc::vec::Vec;

use crate::{Algorithm, Piece};

/// A hash function.
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
    /// The hash of the pieces, one after the other. A blob among them is read piece by piece.
    ///
    /// ```
    /// # use txco_op::prelude::*;
    /// let hash = hex(&Hash::Sha256.digest(message!["abc"]));
    /// assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    /// ```
    // Inlined, as all that names one: an op does not carry the hashes that it does not name.
    #[inline(always)]
    #[must_use]
    pub fn digest(self, message: &[Piece<'_>]) -> Vec<u8> {
        Hashing::new(self.function()).over(message)
    }

    /// The HMAC with it, as the host calls it.
    #[inline]
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha1 => Algorithm::HmacSha1,
            Self::Sha256 => Algorithm::HmacSha256,
            Self::Sha512 => Algorithm::HmacSha512,
        }
    }

    #[inline(always)]
    pub(crate) fn function(self) -> &'static Function {
        match self {
            Self::Sha1 => &SHA1,
            Self::Sha256 => &SHA256,
            Self::Sha512 => &SHA512,
        }
    }
}

/// What the hash functions of FIPS 180-4 differ in.
pub(crate) struct Function {
    /// Bytes of a block: 16 words.
    pub(crate) block: usize,
    /// Words of the hash.
    words: usize,
    /// The state at first.
    initial: [u64; 8],
    /// Takes whole blocks into the state.
    compress: fn(&mut [u64; 8], &[u8]),
}

static SHA1: Function = Function {
    block: 64,
    words: 5,
    initial: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0, 0, 0, 0],
    compress: |state, blocks| {
        let [a, b, c, d, e, ..] = state.map(|word| word as u32);
        let mut words = [a, b, c, d, e];
        sha1::block_api::compress(&mut words, blocks.as_chunks().0);
        state.iter_mut().zip(words).for_each(|(state, word)| *state = word.into());
    },
};

static SHA256: Function = Function {
    block: 64,
    words: 8,
    initial: [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ],
    compress: |state, blocks| {
        let mut words = state.map(|word| word as u32);
        sha2::block_api::compress256(&mut words, blocks.as_chunks().0);
        *state = words.map(u64::from);
    },
};

static SHA512: Function = Function {
    block: 128,
    words: 8,
    initial: [
        0x6a09_e667_f3bc_c908,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1,
        0x9b05_688c_2b3e_6c1f,
        0x1f83_d9ab_fb41_bd6b,
        0x5be0_cd19_137e_2179,
    ],
    compress: |state, blocks| sha2::block_api::compress512(state, blocks.as_chunks().0),
};

/// A hash on its way. The framing around the crates' compression is written out, once for all:
/// theirs is in an op once per hash.
pub(crate) struct Hashing {
    function: &'static Function,
    state: [u64; 8],
    /// What does not fill a block yet.
    held: Vec<u8>,
    bytes: u64,
}

impl Hashing {
    pub(crate) fn new(function: &'static Function) -> Self {
        // The padding is a block longer at most.
        let held = Vec::with_capacity(2 * function.block);
        Self { function, state: function.initial, held, bytes: 0 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let missing = (self.function.block - self.held.len()) % self.function.block;
        let (first, rest) = bytes.split_at(missing.min(bytes.len()));
        self.held.extend_from_slice(first);
        if self.held.len() == self.function.block {
            (self.function.compress)(&mut self.state, &self.held);
            self.held.clear();
        }
        let (whole, last) = rest.split_at(rest.len() - rest.len() % self.function.block);
        (self.function.compress)(&mut self.state, whole);
        self.held.extend_from_slice(last);
    }

    /// The hash of what came so far and the pieces.
    pub(crate) fn over(mut self, message: &[Piece<'_>]) -> Vec<u8> {
        message.iter().for_each(|piece| piece.for_each_piece(|bytes| self.update(bytes)));
        // One bit, zeros, and the number of bits in two words, at the end of a block.
        let (block, word) = (self.function.block, self.function.block / 16);
        self.held.push(0x80);
        let padded = (self.held.len() + 2 * word).next_multiple_of(block);
        self.held.resize(padded - size_of::<u64>(), 0);
        self.held.extend_from_slice(&(self.bytes * 8).to_be_bytes());
        (self.function.compress)(&mut self.state, &self.held);
        let mut hash = Vec::with_capacity(self.function.words * word);
        for state in self.state.iter().take(self.function.words) {
            hash.extend_from_slice(state.to_be_bytes().split_at(size_of::<u64>() - word).1);
        }
        hash
    }
}
