//! Which ops this chassis has, compiled and linked before the first request.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use model::{Digest, OpName, TenantId};
use sandbox::{Op, Sandbox, Trust};

/// Where the ops of a tenant come from when rules are loaded.
pub trait OpSource: Send + Sync {
    /// The components of `op://NAME`: one, or one that is shown secrets and one that is not;
    /// none when there is no such op.
    ///
    /// # Errors
    /// Why they may not be used, in words for the one who loads rules.
    fn components(&self, name: &OpName) -> Result<Vec<Vec<u8>>, String>;

    /// The ops there are, for the message that one is not.
    fn names(&self) -> Vec<OpName>;
}

/// Where the components are that a request began with which waited since.
pub trait PinnedOps: Send + Sync {
    /// The component of `op://NAME` with this digest; none when it was let go of.
    ///
    /// # Errors
    /// Why it cannot be had, or may not be used any more.
    fn component(&self, tenant: &TenantId, name: &OpName, digest: &Digest)
    -> Result<Option<Vec<u8>>, String>;
}

/// No ops but the built-in ones.
impl OpSource for () {
    fn components(&self, _: &OpName) -> Result<Vec<Vec<u8>>, String> {
        Ok(Vec::new())
    }

    fn names(&self) -> Vec<OpName> {
        Vec::new()
    }
}

/// One op, in the builds that there are of it: one that is shown secrets, and one that
/// uses them through handles or has nothing to do with any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Builds {
    revealing: Option<Arc<Op>>,
    other: Option<Arc<Op>>,
}

impl Builds {
    /// Adds a build; what it imports says which it is.
    pub(crate) fn add(&mut self, op: Arc<Op>) {
        let place = if op.reveals() { &mut self.revealing } else { &mut self.other };
        *place = Some(op);
    }

    /// The builds in the order in which they are tried: called is the first that the grants
    /// permit. Without any, one that reveals would not even start.
    pub(crate) fn in_order(&self, grants: Grants) -> impl Iterator<Item = &Arc<Op>> {
        let (first, second) = match grants {
            Grants::Some => (&self.revealing, &self.other),
            Grants::None => (&self.other, &self.revealing),
        };
        first.iter().chain(second)
    }

    /// Of which bytes they are.
    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.revealing.iter().chain(&self.other).map(|op| op.reference().digest)
    }

    /// Names and digests, for logs.
    pub(crate) fn references(&self) -> impl Iterator<Item = String> {
        self.revealing.iter().chain(&self.other).map(|op| op.reference().to_string())
    }
}

/// Whether a rule grants its op any secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grants {
    Some,
    None,
}

/// The ops by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    builtins: BTreeMap<OpName, Builds>,
    /// What rule sets in use have loaded: the same bytes are compiled once.
    tenants: Mutex<HashMap<Digest, Weak<Op>>>,
}

impl Registry {
    /// Compiles, or takes from the code cache, every built-in op.
    pub(crate) fn of_builtins(sandbox: &Sandbox) -> Result<Self, sandbox::Error> {
        let mut builtins: BTreeMap<OpName, Builds> = BTreeMap::new();
        for builtin in sandbox::builtins()? {
            let op = sandbox.load_builtin(&builtin)?;
            builtins.entry(builtin.name).or_default().add(Arc::new(op));
        }
        Ok(Self { builtins, tenants: Mutex::default() })
    }

    /// The op behind `txco://NAME`.
    pub(crate) fn builtin(&self, name: &OpName) -> Option<&Builds> {
        self.builtins.get(name)
    }

    /// The names there are, for the message that one is not.
    pub(crate) fn names(&self) -> String {
        self.builtins.keys().map(|name| format!("txco://{name}")).collect::<Vec<_>>().join(", ")
    }

    /// Compiles an op of a tenant, unless a rule set in use has these very bytes.
    pub(crate) fn tenant(
        &self,
        sandbox: &Sandbox,
        name: &OpName,
        components: &[Vec<u8>],
    ) -> Result<Builds, sandbox::Error> {
        let mut builds = Builds::default();
        for component in components {
            builds.add(self.one(sandbox, name, component)?);
        }
        Ok(builds)
    }

    /// Not under the lock: compiling may take long, and twice is no harm.
    fn one(&self, sandbox: &Sandbox, name: &OpName, component: &[u8]) -> Result<Arc<Op>, sandbox::Error> {
        let digest = Digest::of(component);
        let known = self.lock().get(&digest).and_then(Weak::upgrade);
        // The bytes carry the op's name, but nobody has to believe them here.
        if let Some(op) = known.filter(|op| op.reference().name == *name) {
            return Ok(op);
        }
        let op = Arc::new(sandbox.load(name.clone(), component, Trust::Tenant)?);
        let mut tenants = self.lock();
        tenants.retain(|_, op| op.strong_count() > 0);
        tenants.insert(digest, Arc::downgrade(&op));
        Ok(op)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Weak<Op>>> {
        // A map of what could be loaded again: whole at every point where a panic could be.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
