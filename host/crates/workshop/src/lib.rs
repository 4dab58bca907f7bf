//! Makes components of op sources; the only place that starts a compiler.
//!
//! **Use it when** a folder with `op.toml` and sources is to become a component, or somebody
//! wants to know what a component is made of. **Not when** it is to run (`sandbox`), to be
//! kept (`store`) or to be called by a rule (`chassis`): what comes out of here is trusted by
//! nobody until it has passed there.
//!
//! Invariants:
//! 1. A compiler is started with a cleared environment, in a folder of the workshop's own,
//!    on a copy of the sources (R28).
//! 2. The same sources and compiler make the same bytes, wherever the folder lies.
//! 3. Nothing is downloaded but what the language's own package manager fetches for the
//!    sources' own list of dependencies.
//! 4. A component carries the text of its `op.toml`.
//!
//! Tests: beside the code; `tests/blackbox/op_*.rs` with a real compiler.
#![forbid(unsafe_code)]

mod error;
mod surroundings;
mod source;
mod sdk;
mod tool;
mod compiler;
mod component;
mod shape;
mod facts;
mod rust;
mod foreign;
mod cache;
mod build;
mod scaffold;

pub use build::{Built, build, sources_below};
pub use error::Error;
pub use facts::Facts;
pub use scaffold::{Scaffold, scaffold};
pub use source::{Language, Source};
pub use surroundings::Surroundings;
