//! What administrators do with tenants, secrets and ops; the HTTP handlers only carry it.

mod error;
mod audit;
mod moment;
mod policy;
mod explain;
mod secrets;
mod tenants;
mod ops;

use std::sync::Arc;

use store::Store;
use vault::Vault;

pub(crate) use audit::{Deed, record, record_op};
pub(crate) use error::{AdminError, Denial, Extra};
pub(crate) use explain::Ask;
pub(crate) use ops::{Arriving, OpBounds, Ops, TenantOps};
pub(crate) use policy::PolicyAsked;
pub(crate) use secrets::{Asked, Beside, Demand, MAX_IMPORT_BYTES, MAX_IMPORTED, Secrets, Stored};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Whoever works on this machine, while nobody is enrolled (R32).
    Open,
}

impl Actor {
    /// How the actor is called in the log.
    #[must_use]
    pub(crate) const fn label(&self) -> &str {
        match self {
            Self::Open => "open",
        }
    }

    /// What a row remembers as its author.
    #[must_use]
    pub(crate) const fn author(&self) -> Option<&str> {
        match self {
            Self::Open => None,
        }
    }
}

/// The rooms that administration reaches.
pub(crate) struct Admin {
    store: Arc<Store>,
    vault: Option<Arc<Vault>>,
    ops: Arc<Ops>,
    demand: Demand,
}

impl Admin {
    /// Administration of `store`; without a vault the secret verbs answer that it is off.
    #[must_use]
    pub(crate) fn new(store: Arc<Store>, vault: Option<Arc<Vault>>, ops: Arc<Ops>) -> Self {
        Self { store, vault, ops, demand: Demand::Nothing }
    }

    /// The same, wanting this of every secret that is stored.
    #[must_use]
    pub(crate) fn demanding(self, demand: Demand) -> Self {
        Self { demand, ..self }
    }

    /// The ops of tenants.
    #[must_use]
    pub(crate) fn ops(&self) -> &Ops {
        &self.ops
    }
}
