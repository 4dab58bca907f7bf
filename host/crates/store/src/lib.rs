//! Rows at rest; this crate cannot decrypt any of them.
