//! The parameters of an HMAC, as rules write them.

use alloc::string::String;
use alloc::vec::Vec;

use txco_op::{Failure, FromParam, Hash, MacKey, Piece, base64, from_base64, from_hex, hex};

/// The hash function under the HMAC.
#[derive(FromParam, Clone, Copy)]
pub enum Algorithm {
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl Algorithm {
    /// The HMAC of the message.
    ///
    /// # Errors
    /// [`Failure`] when the key cannot be used.
    pub fn sign(self, key: &MacKey, message: &[Piece<'_>]) -> Result<Vec<u8>, Failure> {
        // Each hash by its name, so that SHA-1 is not in the op.
        match self {
            Self::Sha256 => key.hmac(Hash::Sha256, message),
            Self::Sha512 => key.hmac(Hash::Sha512, message),
        }
    }

    /// Whether `mac` is the HMAC of the message, compared in constant time.
    ///
    /// # Errors
    /// [`Failure`] when the key cannot be used.
    pub fn verify(self, key: &MacKey, message: &[Piece<'_>], mac: &[u8]) -> Result<bool, Failure> {
        match self {
            Self::Sha256 => key.verify(Hash::Sha256, message, mac),
            Self::Sha512 => key.verify(Hash::Sha512, message, mac),
        }
    }
}

/// How a MAC is written.
#[derive(FromParam, Clone, Copy)]
pub enum Written {
    /// Hexadecimal: lower case when written, either case when read.
    Hex,
    /// Base64, the standard alphabet.
    Base64,
}

impl Written {
    /// The text of a MAC.
    #[must_use]
    pub fn write(self, mac: &[u8]) -> String {
        match self {
            Self::Hex => hex(mac),
            Self::Base64 => base64(mac),
        }
    }

    /// The MAC that a text writes, if it is one.
    #[must_use]
    pub fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => from_hex(text),
            Self::Base64 => from_base64(text),
        }
    }
}
