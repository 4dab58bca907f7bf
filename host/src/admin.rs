//! What administrators do with tenants, secrets and ops; the HTTP handlers only carry it.

mod error;
mod audit;
mod moment;
mod policy;
mod explain;
mod secrets;
mod tenants;
mod ops;
mod inquiry;

use std::sync::Arc;

use store::{By, Store};
use vault::Vault;

pub(crate) use audit::{Audit, Deed, Effect};
pub(crate) use error::{AdminError, Denial, Extra};
pub(crate) use explain::Ask;
pub(crate) use inquiry::Wanted;
pub(crate) use ops::{Arriving, OpBounds, Ops, TenantOps};
pub(crate) use policy::PolicyAsked;
pub(crate) use secrets::{
    Asked, Beside, Demand, MAX_IMPORT_BYTES, MAX_IMPORTED, SecretBounds, Secrets, Stored,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Whoever works on this machine, while nobody is enrolled (R32).
    Open,
}

impl Actor {
    /// The actor as the log, the audit and rows know it.
    #[must_use]
    pub(crate) const fn by(&self) -> By<'_> {
        match self {
            Self::Open => By::Open,
        }
    }
}

/// The rooms that administration reaches.
pub(crate) struct Admin {
    store: Arc<Store>,
    vault: Option<Arc<Vault>>,
    ops: Arc<Ops>,
    audit: Audit,
    bounds: SecretBounds,
    demand: Demand,
}

impl Admin {
    /// Administration of `store`; without a vault the secret verbs answer that it is off.
    #[must_use]
    pub(crate) fn new(
        store: Arc<Store>,
        vault: Option<Arc<Vault>>,
        ops: Arc<Ops>,
        bounds: SecretBounds,
    ) -> Self {
        let audit = Audit::new(Arc::clone(&store));
        Self { store, vault, ops, audit, bounds, demand: Demand::Nothing }
    }

    /// The same, wanting this of every secret that is stored.
    #[must_use]
    pub(crate) fn demanding(self, demand: Demand) -> Self {
        Self { demand, ..self }
    }

    /// Where what is asked here is written down.
    #[must_use]
    pub(crate) const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The ops of tenants.
    #[must_use]
    pub(crate) fn ops(&self) -> &Ops {
        &self.ops
    }
}
