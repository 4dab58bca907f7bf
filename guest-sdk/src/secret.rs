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
    /// Takes bytes over; for a `Call` of one's own in tests.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Somebody seems to look, so the compiler cannot leave the zeros out.
        black_box(&self.0);
    }
}
