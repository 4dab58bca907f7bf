//! What an op may ask during its call.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Secret, SecretError, Value};

/// One call of the op. The chassis is one; a test writes its own.
pub trait Call {
    /// What [`Call::bytes`] gives.
    type Message: Message;

    /// The rule's `WITH name = …`.
    fn param(&self, name: &str) -> Option<Value>;

    /// The bytes that a signature over `path` covers, to be read piece by piece.
    fn bytes(&self, path: &str) -> Option<Self::Message>;

    /// How many versions the secret in `slot` has; 0 when the rule declares none.
    fn versions(&self, slot: &str) -> u32;

    /// The secret in `slot`, the path under the rule's `WITH secrets.`; index 0 is the newest.
    ///
    /// # Errors
    /// [`SecretError`] with the reason.
    fn reveal(&self, slot: &str, index: u32) -> Result<Secret, SecretError>;

    /// A parameter as text; an empty one counts as absent.
    fn text(&self, name: &str) -> Option<String> {
        self.param(name).map(Value::into_text).filter(|text| !text.is_empty())
    }
}

/// Bytes that stay with the host until they are read.
pub trait Message {
    /// At most `max` bytes from `offset` on; none at the end.
    fn read(&self, offset: u64, max: u32) -> Vec<u8>;

    /// Shows the bytes to `each`, piece by piece: of a long body only one piece is in the
    /// guest's memory at a time.
    fn for_each_piece(&self, mut each: impl FnMut(&[u8])) {
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
}

/// Bytes per piece: small enough for a guest of one page, large enough that the number of
/// calls into the host does not matter.
const PIECE: u32 = 16 * 1024;
