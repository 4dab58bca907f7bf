//! The random bytes of a call: the operating system's, or a test's.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Error, Randomness};

/// The most bytes at once; the contract says so.
pub(crate) const MOST_AT_ONCE: u32 = 4096;

/// Where the bytes come from, and how many seeded blocks it has given.
pub(crate) struct Source {
    randomness: Randomness,
    blocks: u64,
}

impl Source {
    pub(crate) const fn new(randomness: Randomness) -> Self {
        Self { randomness, blocks: 0 }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self.randomness {
            Randomness::System => getrandom::fill(bytes).map_err(|_| Error::NoRandomness),
            Randomness::Seeded(seed) => self.seeded(seed, bytes),
        }
    }

    /// HMAC-SHA256 of a counter under the seed: no secret, and the same on every machine.
    fn seeded(&mut self, seed: u64, bytes: &mut [u8]) -> Result<(), Error> {
        for piece in bytes.chunks_mut(32) {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(&seed.to_be_bytes()).map_err(|_| Error::NoRandomness)?;
            mac.update(&self.blocks.to_be_bytes());
            self.blocks = self.blocks.saturating_add(1);
            piece.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(source: &mut Source, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        source.fill(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_seed_repeats_itself_and_never_within_a_call() {
        let (mut a, mut b) = (Source::new(Randomness::Seeded(7)), Source::new(Randomness::Seeded(7)));
        let first = drawn(&mut a, 40);
        assert_eq!(first, drawn(&mut b, 40));
        assert_ne!(first[..8], first[32..40]);
        let second = drawn(&mut a, 40);
        assert_ne!(second, first);
        assert_eq!(second, drawn(&mut b, 40));
        assert_ne!(drawn(&mut Source::new(Randomness::Seeded(8)), 40), first);
    }

    #[test]
    fn the_system_s_never_repeat() {
        let mut source = Source::new(Randomness::System);
        assert_ne!(drawn(&mut source, 32), drawn(&mut source, 32));
        assert_ne!(drawn(&mut source, 32), [0; 32]);
    }
}
