//! What an op may ask during its call.

use alloc::string::String;
use alloc::vec::Vec;

use crate::host::Host;
use crate::{Blob, Encoding, Failure, Field, Key, MacKey, Params, Value, keys};

/// One call of the op: its facts, its input, its secrets.
///
/// A component talks to the chassis through it; a native test to a
/// [`FakeHost`](crate::testing::FakeHost). Paths are as in rules: `a.b.0`, and `@a` for
/// `_txc.a`. A slot is the path under the rule's `WITH secrets.`.
pub struct Call(pub(crate) Host);

impl Call {
    /// The id of the request, `req_…`.
    #[must_use]
    pub fn request_id(&self) -> String {
        self.0.request_id()
    }

    /// The stack whose rule called the op.
    #[must_use]
    pub fn stack(&self) -> String {
        self.0.stack()
    }

    /// The scope within the stack.
    #[must_use]
    pub fn scope(&self) -> u32 {
        self.0.scope()
    }

    /// The name of the rule.
    #[must_use]
    pub fn rule(&self) -> String {
        self.0.rule()
    }

    /// The time, in milliseconds since 1970-01-01T00:00:00Z: the same for all ops of a scope.
    #[must_use]
    pub fn now_millis(&self) -> u64 {
        self.0.now()
    }

    /// The time in whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn now_seconds(&self) -> u64 {
        self.0.now() / 1000
    }

    /// The rule's `WITH name = …`; never anything below `secrets`.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Value> {
        self.0.param(name)
    }

    /// A parameter as text; an empty one and `null` count as absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.present(name).map(Value::into_text)
    }

    // What does not depend on a type is not in the op once per type.
    #[inline(never)]
    pub(crate) fn present(&self, name: &str) -> Option<Value> {
        self.param(name).filter(|value| !matches!(value.as_text(), "" | "null"))
    }

    /// The parameters of the rule, with types. An op has them as an argument, too.
    ///
    /// # Errors
    /// [`Failure`] that names the parameter and what it takes.
    pub fn params<P: Params>(&self) -> Result<P, Failure> {
        P::read(self)
    }

    /// The whole input, as JSON text. Rather ask for what the op needs.
    #[must_use]
    pub fn input(&self) -> String {
        self.0.input()
    }

    /// What the input has at `path`. A credential reads as the text `[credential]`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        self.0.get(path)
    }

    /// The bytes that a signature over `path` covers: the body as it was received, a string's
    /// own bytes, of anything else its JSON text. `None` when nothing is there.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<Blob> {
        self.0.bytes(path).map(Blob)
    }

    /// How many versions the secret in `slot` has; 0 when the rule declares none. More than
    /// one only when `op.toml` says `accepts-retiring`.
    #[must_use]
    pub fn versions(&self, slot: &str) -> u32 {
        if cfg!(feature = "use-keys") { keys::versions(&self.0, slot) } else { self.0.versions(slot) }
    }

    /// The newest version of the secret in `slot`, in the op's own memory.
    ///
    /// # Errors
    /// [`Failure`] when the rule declares no such slot, or the secret may not be revealed.
    #[cfg(not(feature = "use-keys"))]
    pub fn reveal(&self, slot: &str) -> Result<crate::Secret, Failure> {
        self.reveal_version(slot, 0)
    }

    /// One version of the secret in `slot`; index 0 is the newest.
    ///
    /// # Errors
    /// As [`reveal`](Self::reveal), and when there are fewer versions.
    #[cfg(not(feature = "use-keys"))]
    pub fn reveal_version(&self, slot: &str, index: u32) -> Result<crate::Secret, Failure> {
        self.0.reveal(slot, index).map(crate::Secret::new).map_err(|error| Failure::reveal(slot, error))
    }

    /// A handle to the newest version of the secret in `slot`.
    ///
    /// # Errors
    /// [`Failure`] when the rule declares no such slot, or the secret may not be used. Whether its
    /// value reads as `encoding` is found out when it is used: the algorithm has a say in it.
    pub fn key(&self, slot: &str, encoding: Encoding) -> Result<Key, Failure> {
        self.key_version(slot, 0, encoding)
    }

    /// A handle to one version of the secret in `slot`; index 0 is the newest.
    ///
    /// # Errors
    /// As [`key`](Self::key), and when there are fewer versions.
    pub fn key_version(&self, slot: &str, index: u32, encoding: Encoding) -> Result<Key, Failure> {
        let key = keys::open(&self.0, slot, index, encoding);
        key.map(|key| Key::new(key, slot)).map_err(|error| Failure::key(slot, error))
    }

    /// Handles to all versions of the secret in `slot`, newest first and at least one.
    ///
    /// # Errors
    /// As [`key`](Self::key).
    pub fn keys(&self, slot: &str, encoding: Encoding) -> Result<Vec<Key>, Failure> {
        // Of none, the first is asked for all the same: that fails with the reason.
        let versions = keys::versions(&self.0, slot).max(1);
        (0..versions).map(|index| self.key_version(slot, index, encoding)).collect()
    }

    /// The newest version of the secret in `slot` as a key for MACs, revealed or by handle.
    ///
    /// # Errors
    /// [`Failure`] when the rule declares no such slot, the op may not have the secret, or its
    /// value does not read as `encoding`; the last, with `use-keys`, when the key is used.
    #[inline]
    pub fn mac_key(&self, slot: &str, encoding: Encoding) -> Result<MacKey, Failure> {
        MacKey::open(self, slot, 0, encoding)
    }

    /// All versions of the secret in `slot` as keys for MACs, newest first and at least one:
    /// a verifier takes what was signed before a rotation for as long as it overlaps.
    ///
    /// # Errors
    /// As [`mac_key`](Self::mac_key).
    #[inline]
    pub fn mac_keys(&self, slot: &str, encoding: Encoding) -> Result<Vec<MacKey>, Failure> {
        // Of none, the first is asked for all the same: that fails with the reason.
        (0..self.versions(slot).max(1)).map(|index| MacKey::open(self, slot, index, encoding)).collect()
    }

    /// `N` bytes of the operating system's randomness; under `txco op test` the same in each
    /// run.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(RANDOM_AT_ONCE) {
            let random = self.0.random(chunk.len() as u32);
            chunk.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
        }
        bytes
    }

    /// One line for the op's author. The lines of an op that was shown a secret are counted
    /// and dropped, unless the secret's policy trusts it with more.
    pub fn log(&self, line: &str) {
        self.0.log(line);
    }
}

/// The most bytes the host gives at once.
const RANDOM_AT_ONCE: usize = 4096;

/// Writes a line to the op's log, as of `format!`.
///
/// ```
/// # use txco_op::prelude::*;
/// fn told(call: &Call, body: &Blob) {
///     log!(call, "signing {} bytes", body.len());
/// }
/// ```
#[macro_export]
macro_rules! log {
    ($call:expr, $($words:tt)+) => {
        $call.log(&$crate::__::format!($($words)+))
    };
}

/// Gives a failure its op's name and code.
pub fn run(op: &str, code: &'static str, result: Result<Vec<Field>, Failure>) -> Result<Vec<Field>, Failure> {
    result.map_err(|failure| failure.of(op, code))
}

/// The component's `handle`.
#[cfg(target_arch = "wasm32")]
pub fn handle(
    op: impl FnOnce(&Call) -> Result<Vec<Field>, Failure>,
) -> Result<Vec<Field>, crate::bindings::Failure> {
    op(&Call(Host)).map_err(Failure::into_wire)
}
