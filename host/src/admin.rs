//! What administrators do with tenants, secrets and ops; the HTTP handlers only carry it.

mod unproven;
mod error;
mod actor;
mod audit;
mod moment;
mod policy;
mod explain;
mod secrets;
mod tenants;
mod people;
mod ops;
mod governing;
mod applied;
mod checked;
mod stacks;
mod hostnames;
mod runs;
mod inquiry;

use std::sync::Arc;

use store::{Actors, Store, Tenant};
use vault::LateVault;

pub(crate) use actor::{Actor, Enrolled, Membership, Need};
pub(crate) use applied::{Applied, ServedFrom};
pub(crate) use audit::{Audit, Deed, Effect, Kind};
pub(crate) use checked::{Checked, Checking};
pub(crate) use error::{AdminError, Denial, Extra};
pub(crate) use explain::{Answer, Ask};
pub(crate) use hostnames::{Bound, Hostnames, VERIFY};
pub(crate) use inquiry::{Chain, Wanted};
pub(crate) use ops::{Arriving, OpBounds, Ops, TenantOps};
pub(crate) use people::{EVERYTHING, FIRST_TENANT, Oneself, People, accept, enrol};
pub(crate) use policy::PolicyAsked;
pub(crate) use runs::{Asking, Runs, Shown};
pub(crate) use secrets::{
    Asked, Beside, Demand, MAX_IMPORT_BYTES, MAX_IMPORTED, SecretBounds, Secrets, Stored, Storing,
};
pub(crate) use stacks::Stacks;
pub(crate) use unproven::Unproven;

/// The rooms that administration reaches.
pub(crate) struct Admin {
    store: Arc<Store>,
    vault: LateVault,
    ops: Arc<Ops>,
    applied: Arc<Applied>,
    checking: Checking,
    actors: Arc<Actors>,
    audit: Audit,
    bounds: SecretBounds,
    demand: Demand,
}

/// The audit of people is sealed from the moment on that there is a key.
pub(crate) fn seal_people(actors: &Actors, vault: &LateVault) {
    if let Some(seal) = vault.get().and_then(|vault| vault.people_seal()) {
        actors.seal_audit_with(seal);
    }
}

impl Admin {
    /// Administration of `store`; without a vault the secret verbs answer that it is off.
    #[must_use]
    pub(crate) fn new(
        store: Arc<Store>,
        vault: LateVault,
        ops: Arc<Ops>,
        (applied, checking): (Arc<Applied>, Checking),
        actors: Arc<Actors>,
        bounds: SecretBounds,
    ) -> Self {
        seal_people(&actors, &vault);
        let audit = Audit::new(Arc::clone(&store));
        Self { store, vault, ops, applied, checking, actors, audit, bounds, demand: Demand::Nothing }
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

    /// The people of this chassis, as `actor` may handle them.
    #[must_use]
    pub(crate) fn people<'a>(&'a self, actor: &'a Actor) -> People<'a> {
        People::new(&self.actors, actor)
    }

    /// Who is enrolled.
    #[must_use]
    pub(crate) fn actors(&self) -> &Actors {
        &self.actors
    }

    /// The ops of tenants.
    #[must_use]
    pub(crate) fn ops(&self) -> &Ops {
        &self.ops
    }

    /// The stacks of `tenant`, as `actor` may handle them.
    #[must_use]
    pub(crate) fn stacks<'a>(&'a self, tenant: &'a Tenant, actor: &'a Actor) -> Stacks<'a> {
        let (store, vault, ops) = (&*self.store, self.vault.get().map(AsRef::as_ref), &*self.ops);
        Stacks { store, vault, ops, applied: &self.applied, tenant, actor, checking: self.checking }
    }

    /// The hosts of `tenant`, as `actor` may handle them.
    #[must_use]
    pub(crate) fn hostnames<'a>(&'a self, tenant: &'a Tenant, actor: &'a Actor) -> Hostnames<'a> {
        Hostnames { store: &self.store, applied: &self.applied, chassis: self.ops.chassis(), tenant, actor }
    }

    /// The requests of `tenant` that wait, as `actor` may handle them.
    #[must_use]
    pub(crate) fn runs<'a>(&'a self, tenant: &'a Tenant, actor: &'a Actor) -> Runs<'a> {
        Runs { store: &self.store, vault: self.vault.get().map(AsRef::as_ref), tenant, actor }
    }
}
