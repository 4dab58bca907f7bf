//! Ops that bring an interpreter along: larger limits for them, and fewer of them at once.

use crate::Limits;

/// A component with more bytes than this holds an interpreter (JavaScript, Python) with an op inside.
const LARGE: usize = 1 << 20;

impl Limits {
    /// Whether a component of so many bytes is held to the limits of large ones.
    #[must_use]
    pub const fn is_large(component: usize) -> bool {
        component > LARGE
    }

    /// The limits of a component of so many bytes. The bytes are what decides, so nobody can
    /// ask for more than their op is.
    #[must_use]
    pub fn of_component(&self, bytes: usize) -> Self {
        if Self::is_large(bytes) { self.large() } else { self.clone() }
    }

    pub(crate) fn large(&self) -> Self {
        Self { memory: self.large_memory, tables: self.large_tables, wall: self.large_wall, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_too_many_makes_it_large() {
        let limits = Limits::default();
        assert_eq!(limits.of_component(LARGE), limits);
        let large = limits.of_component(LARGE + 1);
        assert_eq!(
            (large.memory, large.tables, large.wall),
            (limits.large_memory, limits.large_tables, limits.large_wall)
        );
        assert_eq!((large.output, large.stack), (limits.output, limits.stack), "all others are the same");
        assert!(large.memory > limits.memory && large.tables > limits.tables && large.wall > limits.wall);
    }
}
