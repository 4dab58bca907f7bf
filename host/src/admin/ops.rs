//! The ops of a tenant: pushed after every check, listed, removed, and found when rules load.

use std::sync::Arc;

use chassis::{Chassis, LoadErrors, OpSource, RuleSet};
use model::{Delivery, Digest, OpName, TenantId};
use sandbox::Limits;
use store::{NewBuild, Pushed, Store, StoredBuild, StoredOp};
use workshop::Facts;

use super::actor::{Actor, Need};
use super::error::AdminError;
use crate::op_signature::Signers;

/// How much of ops a tenant may have, and what an op may begin with.
#[derive(Debug, Clone)]
pub(crate) struct OpBounds {
    /// Bytes of one component.
    pub size: usize,
    /// Ops of one tenant.
    pub count: usize,
    /// What one call may use.
    pub limits: Limits,
}

/// The ops of all tenants, as administration and the loading of rules reach them.
pub(crate) struct Ops {
    store: Arc<Store>,
    chassis: Arc<Chassis>,
    bounds: OpBounds,
    signers: Signers,
}

/// One component as it arrives.
pub(crate) struct Arriving {
    /// How it is given secrets.
    pub delivery: Delivery,
    /// The component.
    pub component: Vec<u8>,
    /// Somebody's signature over it.
    pub signature: Option<String>,
}

impl Ops {
    pub(crate) fn new(store: Arc<Store>, chassis: Arc<Chassis>, bounds: OpBounds, signers: Signers) -> Self {
        Self { store, chassis, bounds, signers }
    }

    /// The largest component.
    pub(crate) fn largest(&self) -> usize {
        self.bounds.size
    }

    /// All ops of `tenant`, by name.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn list(&self, tenant: &TenantId, actor: &Actor) -> Result<Vec<StoredOp>, AdminError> {
        actor.may(tenant, Need::OPS_READ)?;
        Ok(self.store.ops(tenant)?)
    }

    /// One op, and what its components tell.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::OpNotFound`], [`AdminError::InvalidOpName`],
    /// [`AdminError::Store`].
    pub(crate) fn show(
        &self,
        tenant: &TenantId,
        actor: &Actor,
        name: &str,
    ) -> Result<(StoredOp, Vec<Facts>), AdminError> {
        actor.may(tenant, Need::OPS_READ)?;
        let op = self.store.op(tenant, &parsed(name)?)?.ok_or(AdminError::OpNotFound)?;
        let facts = op.builds.iter().filter_map(|build| self.facts(tenant, build).transpose());
        let facts = facts.collect::<Result<_, _>>()?;
        Ok((op, facts))
    }

    fn facts(&self, tenant: &TenantId, build: &StoredBuild) -> Result<Option<Facts>, AdminError> {
        let component = self.store.component(tenant, &build.digest)?;
        Ok(component.and_then(|component| Facts::read(&component).ok()))
    }

    /// Stores an op, once every component of it has been read, checked and compiled. Rules
    /// that are loaded keep what they were loaded with.
    ///
    /// # Errors
    /// [`AdminError`] with the first thing that is wrong; nothing is stored then.
    pub(crate) fn push(
        &self,
        tenant: &TenantId,
        actor: &Actor,
        name: &str,
        arriving: &[Arriving],
    ) -> Result<(StoredOp, Pushed), AdminError> {
        actor.may(tenant, Need::OPS_UPDATE)?;
        let name = parsed(name)?;
        if arriving.is_empty() {
            return Err(AdminError::InvalidBody("the push brings no component".to_owned()));
        }
        for (at, one) in arriving.iter().enumerate() {
            if arriving.iter().take(at).any(|before| before.delivery == one.delivery) {
                return Err(AdminError::InvalidBody(format!("two components are for {}", one.delivery)));
            }
            self.check(&name, one)?;
        }
        let builds: Vec<_> = arriving.iter().map(Arriving::as_build).collect();
        self.store.push_op(tenant, &name, &builds, actor.by(), self.bounds.count).map_err(|error| {
            if matches!(error, store::Error::TooManyOps { .. }) {
                AdminError::TooManyOps(error.to_string())
            } else {
                AdminError::Store(error)
            }
        })
    }

    fn check(&self, name: &OpName, one: &Arriving) -> Result<(), AdminError> {
        let invalid =
            |why: String| AdminError::OpInvalid(format!("the {} build of {name}: {why}", one.delivery));
        if one.component.len() > self.bounds.size {
            return Err(AdminError::OpTooLarge { most: self.bounds.size });
        }
        let facts = Facts::read(&one.component).map_err(|error| invalid(error.to_string()))?;
        if facts.manifest.name != *name {
            return Err(invalid(format!("its op.toml says that it is {}", facts.manifest.name)));
        }
        if one.delivery == Delivery::Use && facts.reveals() {
            return Err(invalid("it asks to be shown secrets (txco:op/secrets)".to_owned()));
        }
        let over = |what, has: u64, most: usize| {
            (has > most as u64).then(|| invalid(format!("it begins with {has} {what}, and may have {most}")))
        };
        let limits = self.bounds.limits.of_component(one.component.len());
        let over_memory = over("bytes of memory", facts.memory, limits.memory);
        if let Some(error) =
            over_memory.or_else(|| over("table elements", facts.table_elements, limits.tables))
        {
            return Err(error);
        }
        self.signers.admit(&facts.digest, one.signature.as_deref()).map_err(|error| {
            AdminError::OpUnsigned(format!("the {} build of {name}: {error}", one.delivery))
        })?;
        let compiled = self.chassis.try_op(name, &one.component);
        compiled.map_err(|error| invalid(error.to_string()))
    }

    /// Removes an op.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::OpNotFound`], [`AdminError::InvalidOpName`],
    /// [`AdminError::Store`].
    pub(crate) fn remove(&self, tenant: &TenantId, actor: &Actor, name: &str) -> Result<(), AdminError> {
        actor.may(tenant, Need::OPS_UPDATE)?;
        if self.store.remove_op(tenant, &parsed(name)?, actor.by())? {
            Ok(())
        } else {
            Err(AdminError::OpNotFound)
        }
    }
}

impl Arriving {
    /// Its digest.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.component)
    }

    fn as_build(&self) -> NewBuild<'_> {
        let signature = self.signature.as_deref();
        NewBuild { delivery: self.delivery, component: &self.component, signature }
    }
}

fn parsed(name: &str) -> Result<OpName, AdminError> {
    OpName::parse(name).map_err(|e| AdminError::InvalidOpName(e.rule.to_owned()))
}

/// The ops of the one tenant whose rules are loaded.
pub(crate) struct TenantOps {
    /// The ops of all.
    pub(crate) ops: Arc<Ops>,
    /// The tenant.
    pub(crate) tenant: TenantId,
}

impl TenantOps {
    /// Makes `rules` the current ones, with these ops.
    ///
    /// # Errors
    /// [`LoadErrors::Ops`]: a rule calls an op that is not there.
    pub(crate) fn install(&self, rules: RuleSet) -> Result<Arc<RuleSet>, LoadErrors> {
        self.ops.chassis.install(rules, self)
    }

    /// Whether any rules are installed.
    pub(crate) fn has_rules(&self) -> bool {
        self.ops.chassis.rules().is_some()
    }

    /// Whether the op called `name` is exactly these components.
    pub(crate) fn has(&self, name: &OpName, arriving: &[Arriving]) -> bool {
        let Ok(Some(op)) = self.ops.store.op(&self.tenant, name) else { return false };
        let is = |one: &Arriving| {
            op.builds.iter().any(|build| build.delivery == one.delivery && build.digest == one.digest())
        };
        op.builds.len() == arriving.len() && arriving.iter().all(is)
    }

    /// Stores an op of this tenant.
    ///
    /// # Errors
    /// As [`Ops::push`].
    pub(crate) fn push(
        &self,
        actor: &Actor,
        name: &str,
        arriving: &[Arriving],
    ) -> Result<Pushed, AdminError> {
        self.ops.push(&self.tenant, actor, name, arriving).map(|(_, pushed)| pushed)
    }
}

impl OpSource for TenantOps {
    fn components(&self, name: &OpName) -> Result<Vec<Vec<u8>>, String> {
        let store = &self.ops.store;
        let Some(op) = store.op(&self.tenant, name).map_err(|e| e.to_string())? else {
            return Ok(Vec::new());
        };
        let load = |build: &StoredBuild| {
            // Again: the setting may be stricter than when it was pushed.
            let admitted = self.ops.signers.admit(&build.digest, build.signature.as_deref());
            admitted.map_err(|e| e.to_string())?;
            let component = store.component(&self.tenant, &build.digest).map_err(|e| e.to_string())?;
            Ok(component.ok_or("its component is missing from the database")?)
        };
        op.builds.iter().map(load).collect()
    }

    fn names(&self) -> Vec<OpName> {
        let all = self.ops.store.ops(&self.tenant).unwrap_or_default();
        all.into_iter().map(|op| op.name).collect()
    }
}
