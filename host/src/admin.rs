//! What administrators do with tenants and secrets; the HTTP handlers only carry it.

mod error;
mod audit;
mod secrets;
mod tenants;

use std::sync::Arc;

use store::Store;
use vault::Vault;

pub use audit::{Deed, record};
pub use error::{AdminError, Denial, Extra};
pub use secrets::{Asked, Stored};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Whoever works on this machine, while nobody is enrolled (R32).
    Open,
}

impl Actor {
    /// How the actor is called in the log.
    #[must_use]
    pub const fn label(&self) -> &str {
        match self {
            Self::Open => "open",
        }
    }

    /// What a row remembers as its author.
    #[must_use]
    pub const fn author(&self) -> Option<&str> {
        match self {
            Self::Open => None,
        }
    }
}

/// The rooms that administration reaches.
pub struct Admin {
    store: Arc<Store>,
    vault: Option<Arc<Vault>>,
}

impl Admin {
    /// Administration of `store`; without a vault the secret verbs answer that it is off.
    #[must_use]
    pub fn new(store: Arc<Store>, vault: Option<Arc<Vault>>) -> Self {
        Self { store, vault }
    }
}
