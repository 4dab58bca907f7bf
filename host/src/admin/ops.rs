//! The ops of a tenant: pushed after every check, listed, removed, and found when rules load.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chassis::{Chassis, LoadErrors, OpSource, PinnedOps, RuleSet, Space};
use model::{Delivery, Digest, OpName, TenantId, TenantSlug};
use sandbox::Limits;
use store::{NewBuild, Pin, Pushed, Store, StoredBuild, StoredOp};
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
    /// Held while rules are installed: who pins them again does not bring old ones back.
    installing: Mutex<()>,
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
        Self { store, chassis, bounds, signers, installing: Mutex::default() }
    }

    /// Where they run.
    pub(crate) fn chassis(&self) -> &Chassis {
        &self.chassis
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
        let size = one.component.len();
        if size > self.bounds.size {
            return Err(AdminError::OpTooLarge { size, most: self.bounds.size });
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

/// The ops of the one tenant whose rules are loaded from a workspace.
pub(crate) struct TenantOps {
    /// The ops of all.
    pub(crate) ops: Arc<Ops>,
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The same, for people.
    pub(crate) slug: TenantSlug,
}

impl TenantOps {
    /// Makes `rules` the current ones, with these ops; every host leads to them.
    ///
    /// # Errors
    /// [`LoadErrors::Ops`]: a rule calls an op that is not there.
    pub(crate) fn install(&self, rules: RuleSet) -> Result<Arc<RuleSet>, LoadErrors> {
        let (chassis, _turn) = (&self.ops.chassis, self.ops.turn());
        let rules = Arc::new(chassis.bind(rules, &self.ops.current(&self.tenant))?);
        chassis.serve(Space::of(self.tenant.clone(), self.slug.clone(), Arc::clone(&rules)));
        Ok(rules)
    }

    /// Whether any rules are installed.
    pub(crate) fn has_rules(&self) -> bool {
        self.ops.chassis.space().has_rules()
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

/// What `op://NAME` means in rules of a tenant: what is pushed now, or what they are pinned to.
pub(crate) struct Sources<'a> {
    ops: &'a Ops,
    tenant: &'a TenantId,
    pins: Option<&'a [Pin]>,
}

impl Ops {
    /// What is pushed now.
    pub(crate) const fn current<'a>(&'a self, tenant: &'a TenantId) -> Sources<'a> {
        Sources { ops: self, tenant, pins: None }
    }

    /// What a version is pinned to.
    pub(crate) const fn pinned<'a>(&'a self, tenant: &'a TenantId, pins: &'a [Pin]) -> Sources<'a> {
        Sources { ops: self, tenant, pins: Some(pins) }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.installing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pins the installed rules to what is pushed now. Says to what, unless it is what they were
    /// pinned to.
    ///
    /// # Errors
    /// [`LoadErrors::Ops`]: a rule calls an op that is not there any more; then all stays as it was.
    pub(crate) fn install_again(&self) -> Result<Option<String>, LoadErrors> {
        let _turn = self.turn();
        let before = self.chassis.space();
        let (mut space, mut told) = (Space::clone(&before), None);
        for (tenant, slug, rules) in before.tenants() {
            let again = self.chassis.bind_again(rules, &self.current(tenant))?;
            if again.ops() != rules.ops() {
                told = Some(again.ops());
                space = space.with(tenant.clone(), slug.clone(), Arc::new(again));
            }
        }
        if told.is_some() {
            self.chassis.serve(space);
        }
        Ok(told)
    }
}

impl Sources<'_> {
    /// The components of an op, as they would be pinned.
    ///
    /// # Errors
    /// [`store::Error`].
    pub(crate) fn pins(&self, name: &OpName) -> Result<Vec<Pin>, store::Error> {
        if let Some(pins) = self.pins {
            return Ok(pins.iter().filter(|pin| pin.name == *name).cloned().collect());
        }
        let builds = self.ops.store.op(self.tenant, name)?.map(|op| op.builds).unwrap_or_default();
        let pin = |build: StoredBuild| Pin {
            name: name.clone(),
            delivery: build.delivery,
            digest: build.digest,
            signature: build.signature,
        };
        Ok(builds.into_iter().map(pin).collect())
    }
}

impl PinnedOps for Ops {
    fn component(&self, tenant: &TenantId, _: &OpName, digest: &Digest) -> Result<Option<Vec<u8>>, String> {
        let signature = self.store.signature(tenant, digest).map_err(|e| e.to_string())?;
        self.signers.admit(digest, signature.as_deref()).map_err(|e| e.to_string())?;
        self.store.component(tenant, digest).map_err(|e| e.to_string())
    }
}

impl OpSource for Sources<'_> {
    fn components(&self, name: &OpName) -> Result<Vec<Vec<u8>>, String> {
        let Ops { store, signers, .. } = self.ops;
        let load = |pin: &Pin| {
            // Again: the setting may be stricter than when it was pushed.
            let admitted = signers.admit(&pin.digest, pin.signature.as_deref());
            admitted.map_err(|e| e.to_string())?;
            let component = store.component(self.tenant, &pin.digest).map_err(|e| e.to_string())?;
            Ok(component.ok_or("its component is missing from the database")?)
        };
        self.pins(name).map_err(|e| e.to_string())?.iter().map(load).collect()
    }

    fn names(&self) -> Vec<OpName> {
        let all = self.ops.store.ops(self.tenant).unwrap_or_default();
        all.into_iter().map(|op| op.name).collect()
    }
}
