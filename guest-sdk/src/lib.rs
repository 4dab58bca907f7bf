//! Write an op for txco: a function from the facts of one call to fields of the envelope.
//!
//! The chassis makes a fresh instance of the op for each call and wipes its memory
//! afterwards. This is a whole signer:
//!
//! ```
//! use txco_op::prelude::*;
//!
//! #[derive(Params)]
//! struct Params {
//!     #[param(default = "body")]
//!     input_path: String,
//! }
//!
//! #[derive(Output)]
//! struct Signed {
//!     #[output(path = "@computed.mac", param = "output_path", class = digest)]
//!     mac: String,
//! }
//!
//! #[op]
//! fn sign(call: &Call, params: Params) -> Result<Signed, Failure> {
//!     let body = call.bytes(&params.input_path).ok_or("nothing to sign at input_path")?;
//!     let key = call.mac_key("key", Encoding::Text)?;
//!     Ok(Signed { mac: hex(&key.hmac(Hash::Sha256, message![&body])?) })
//! }
//!
//! // Its test runs natively.
//! let host = FakeHost::new().secret("key", "Jefe").body("what do ya want for nothing?");
//! let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
//! assert_eq!(host.run(sign).unwrap(), [Field::digest("@computed.mac", mac)]);
//! ```
//!
//! Use it when an op is written in Rust. In any other language the contract is
//! `wit/op.wit`, and this crate shows how it is meant.
//!
//! Invariants:
//! 1. A [`Secret`] is wiped on drop and cannot be printed, copied or compared.
//! 2. A panic is a trap: it has no words, so it can quote nothing (unless `std` is on).
//! 3. `unsafe` stands in the allocator and in what the contract's text generates.
//! 4. What an op does not call, its component does not import: the grant decides by that.
//! 5. One source serves both ways of delivery: with the feature `use-keys` a [`MacKey`] is a
//!    handle, and without it the key is revealed and the MAC computed here.
//!
//! Tests: the fake host of [`testing`] runs every op natively; `check` builds the examples
//! for WebAssembly and looks at their imports and sizes.
#![cfg_attr(all(target_arch = "wasm32", not(feature = "std")), no_std)]
// What computes in the op is for the other way of delivery, there.
#![cfg_attr(
    feature = "use-keys",
    allow(dead_code, reason = "the half of a source that its other build uses")
)]

extern crate alloc;
// The macros' code says `::txco_op`, and is used in here too.
extern crate self as txco_op;

#[doc(hidden)]
#[allow(unsafe_code, missing_docs, unreachable_pub, reason = "generated from wit/op.wit")]
#[allow(clippy::all, clippy::restriction, reason = "generated from wit/op.wit")]
#[rustfmt::skip]
pub mod bindings;

// Elsewhere the system's allocator serves; the tests look at the arena everywhere.
#[cfg(any(all(target_arch = "wasm32", not(feature = "std")), test))]
mod arena;
#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
mod runtime;
mod value;
mod failure;
mod secret;
mod text;
mod encoding;
#[cfg_attr(target_arch = "wasm32", path = "chassis/host.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "fake/host.rs")]
mod host;
mod blob;
mod hash;
mod mac;
#[cfg_attr(target_arch = "wasm32", path = "chassis/keys.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "fake/keys.rs")]
mod keys;
mod key;
mod mac_key;
mod call;
mod param;
mod output;
#[cfg(feature = "serde")]
mod json;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use bindings::txco::op::keys::{Algorithm, Encoding};
pub use bindings::txco::op::types::{Class, Field, SecretError, Value};
pub use blob::{Blob, Piece};
pub use call::Call;
pub use failure::Failure;
pub use hash::Hash;
#[cfg(feature = "serde")]
pub use json::Json;
pub use key::Key;
pub use mac_key::MacKey;
pub use output::{IntoValue, Output};
pub use param::{FromParam, Params};
pub use secret::Secret;
pub use text::{
    base64, base64url, concat, decimal, equal, from_base32, from_base64, from_base64url, from_hex, hex,
};
pub use txco_op_macros::{FromParam, Output, Params, op};

/// Everything an op usually names, also what `no_std` leaves out of Rust's own prelude.
pub mod prelude {
    #[cfg(feature = "serde")]
    pub use crate::Json;
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::testing::FakeHost;
    pub use crate::{
        Algorithm, Blob, Call, Class, Encoding, Failure, Field, FromParam, Hash, IntoValue, Key, MacKey,
        Output, Params, Piece, Secret, Value, base64, base64url, concat, decimal, equal, fail, from_base32,
        from_base64, from_base64url, from_hex, hex, log, message, op,
    };
    pub use alloc::borrow::ToOwned;
    pub use alloc::format;
    pub use alloc::string::{String, ToString};
    pub use alloc::vec;
    pub use alloc::vec::Vec;
}

/// What the macros' code calls.
#[doc(hidden)]
pub mod __ {
    pub use crate::bindings::{Guest, export};
    #[cfg(target_arch = "wasm32")]
    pub use crate::call::handle;
    pub use crate::call::run;
    pub use crate::output::{credential, digest_or_data, place};
    pub use crate::param::{optional, required};
    pub use alloc::format;
    pub use alloc::vec::Vec;
}

#[cfg(test)]
mod tests;
