//! Write an op for txco: what a guest sees of one call.
//!
//! An op is a function from the facts of one [`Call`] to fields of the envelope. The
//! chassis makes a fresh instance for each call and wipes its memory afterwards.
//!
//! ```
//! use txco_op::{Call, Failure, Field};
//!
//! txco_op::op!(handle);
//!
//! fn handle(call: &impl Call) -> Result<Vec<Field>, Failure> {
//!     let key = call.reveal("key", 0).map_err(|_| Failure::new("no-key", "no key"))?;
//!     let parity = key.expose().iter().fold(0, |sum, byte| sum ^ byte) & 1;
//!     Ok(vec![Field::digest("@computed.parity", parity.to_string())])
//! }
//! ```
//!
//! Built for `wasm32-unknown-unknown` and made a component, that is all; on any other
//! target it is a library whose logic is tested with a `Call` of the test's own.
//!
//! Invariants:
//! 1. A [`Secret`] is wiped on drop and cannot be printed, copied or compared.
//! 2. A panic is a trap: it has no words, so it can quote nothing.
//! 3. `unsafe` stands in the allocator and in what the contract's text generates.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[doc(hidden)]
pub extern crate alloc;

#[doc(hidden)]
#[allow(unsafe_code, missing_docs, unreachable_pub, reason = "generated from wit/op.wit")]
#[allow(clippy::all, clippy::restriction, reason = "generated from wit/op.wit")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "op",
        pub_export_macro: true,
        default_bindings_module: "txco_op::bindings",
    });
}

// Elsewhere the system's allocator serves; the tests look at the arena everywhere.
#[cfg(any(target_arch = "wasm32", test))]
mod arena;
mod secret;
mod field;
mod call;
mod host;

#[cfg(any(target_arch = "wasm32", test))]
#[doc(hidden)]
pub use arena::Arena;
pub use bindings::txco::op::types::{Class, Failure, Field, SecretError, Value};
pub use call::{Call, Message};
#[doc(hidden)]
pub use host::Host;
pub use secret::Secret;

/// Makes `handle`, a function `fn(&impl Call) -> Result<Vec<Field>, Failure>`, the op.
#[macro_export]
macro_rules! op {
    ($handle:path) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the component's exports")]
        const _: () = {
            #[global_allocator]
            static ARENA: $crate::Arena = $crate::Arena::new();

            #[panic_handler]
            fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
                core::arch::wasm32::unreachable()
            }

            struct Op;

            impl $crate::bindings::Guest for Op {
                fn handle() -> Result<$crate::alloc::vec::Vec<$crate::Field>, $crate::Failure> {
                    $handle(&$crate::Host)
                }
            }

    $crate::bindings::export!(Op with_types_in $crate::bindings);
        };
    };
}
