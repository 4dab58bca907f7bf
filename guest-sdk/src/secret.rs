//! A secret in the guest's own memory.

use core::hint::black_box;

use alloc::vec::Vec;

/// The bytes of a secret that was revealed to the op, wiped when dropped.
///
/// ```compile_fail,E0277
/// fn printable<T: std::fmt::Debug>() {}
/// printable::<txco_op::Secret>();
/// ```
/// ```compile_fail,E0277
/// fn displayable<T: std::fmt::Display>() {}
/// displayable::<txco_op::Secret>();
/// ```
/// ```compile_fail,E0277
/// fn clonable<T: Clone>() {}
/// clonable::<txco_op::Secret>();
/// ```
/// ```compile_fail,E0277
/// fn comparable<T: PartialEq>() {}
/// comparable::<txco_op::Secret>();
/// ```
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes bytes over: what an op makes of a secret is one too.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, or `None` when they are not UTF-8.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Somebody seems to look, so the compiler cannot leave the zeros out.
        black_box(&self.0);
    }
}
