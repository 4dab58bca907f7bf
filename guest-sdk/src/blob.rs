//! Bytes that stay with the host, and the messages that are made of them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::host;

/// Bytes per piece: small enough for a guest of one page, large enough that the number of
/// calls into the host does not matter.
const PIECE: u32 = 16 * 1024;

/// Bytes that stay with the host until they are read: a body, a field of the envelope.
pub struct Blob(pub(crate) host::Blob);

impl Blob {
    /// How many bytes there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a call into the host is no field")]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// At most `max` bytes from `offset` on; fewer at the end, none beyond it.
    #[must_use]
    pub fn read(&self, offset: u64, max: u32) -> Vec<u8> {
        self.0.read(offset, max)
    }

    /// Shows the bytes to `each`, piece by piece: of a long body only one piece is in the
    /// op's memory at a time.
    pub fn for_each_piece(&self, mut each: impl FnMut(&[u8])) {
        let mut offset = 0;
        loop {
            let piece = self.read(offset, PIECE);
            if piece.is_empty() {
                return;
            }
            offset += piece.len() as u64;
            each(&piece);
        }
    }

    /// All the bytes, in the op's own memory.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::new();
        self.for_each_piece(|piece| all.extend_from_slice(piece));
        all
    }

    /// All the bytes as text, or `None` when they are not UTF-8.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        String::from_utf8(self.to_vec()).ok()
    }
}

/// A piece of a message; [`message!`](crate::message) makes them.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// Bytes that the op has.
    Bytes(&'a [u8]),
    /// Bytes that the host has. Under a handle they never enter the op.
    Blob(&'a Blob),
}

impl Piece<'_> {
    /// Shows the bytes to `each`, piece by piece.
    pub fn for_each_piece(&self, mut each: impl FnMut(&[u8])) {
        match self {
            Self::Bytes(bytes) => each(bytes),
            Self::Blob(blob) => blob.for_each_piece(each),
        }
    }
}

impl<'a> From<&'a Blob> for Piece<'a> {
    fn from(blob: &'a Blob) -> Self {
        Self::Blob(blob)
    }
}

/// What lends bytes is a piece.
macro_rules! pieces_of {
    ($($kind:ty),+) => {$(
        impl<'a> From<&'a $kind> for Piece<'a> {
            fn from(bytes: &'a $kind) -> Self {
                Self::Bytes(bytes.as_ref())
            }
        }
    )+};
}
pieces_of!(str, String, [u8], Vec<u8>);

impl<'a, const N: usize> From<&'a [u8; N]> for Piece<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

/// A message of pieces, one after the other: texts, bytes and [`Blob`]s, all by reference.
///
/// ```
/// # use txco_op::prelude::*;
/// fn slack(key: &MacKey, time: &str, body: &Blob) -> Result<Vec<u8>, Failure> {
///     key.hmac(Hash::Sha256, message!["v0:", time, ":", body])
/// }
/// ```
#[macro_export]
macro_rules! message {
    ($($piece:expr),* $(,)?) => {
        &[$($crate::Piece::from($piece)),*]
    };
}
