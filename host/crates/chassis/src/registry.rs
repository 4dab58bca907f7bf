//! Which ops this chassis has, compiled and linked when rules that call them are loaded.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use model::{Digest, OpName, TenantId};
use sandbox::{Builtin, Op, Ready, Sandbox, Trust};

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

/// A built-in op: its components, and what became of them once rules called it.
#[derive(Debug, Default)]
struct Embedded {
    components: Vec<Builtin>,
    builds: OnceLock<Builds>,
}

/// The ops by name, and where they are compiled.
pub(crate) struct Registry {
    /// Owns the epoch ticker that enforces every op's wall-clock limit.
    sandbox: Sandbox,
    builtins: BTreeMap<OpName, Embedded>,
    /// What rule sets in use have loaded: the same bytes are compiled once.
    tenants: Mutex<HashMap<Digest, Weak<Op>>>,
}

impl Registry {
    /// The built-in ops, whose bytes are what their lock says. Each is compiled, or taken from
    /// the code cache, when rules first call it.
    pub(crate) fn new(sandbox: Sandbox) -> Result<Self, sandbox::Error> {
        let mut builtins: BTreeMap<OpName, Embedded> = BTreeMap::new();
        for builtin in sandbox::builtins()? {
            builtins.entry(builtin.name.clone()).or_default().components.push(builtin);
        }
        Ok(Self { sandbox, builtins, tenants: Mutex::default() })
    }

    /// The op behind `txco://NAME`; none when there is no such op.
    pub(crate) fn builtin(&self, name: &OpName) -> Result<Option<&Builds>, sandbox::Error> {
        let Some(Embedded { components, builds }) = self.builtins.get(name) else { return Ok(None) };
        if let Some(builds) = builds.get() {
            return Ok(Some(builds));
        }
        let mut loaded = Builds::default();
        for component in components {
            loaded.add(Arc::new(self.sandbox.load_builtin(component)?));
        }
        // Two that load it at once compile it twice, and one of them is kept.
        Ok(Some(builds.get_or_init(|| loaded)))
    }

    /// How many ops were compiled and how many came from the code cache.
    pub(crate) fn ready(&self) -> Ready {
        self.sandbox.ready()
    }

    /// The names there are, for the message that one is not.
    pub(crate) fn names(&self) -> String {
        self.builtins.keys().map(|name| format!("txco://{name}")).collect::<Vec<_>>().join(", ")
    }

    /// Compiles an op of a tenant, unless a rule set in use has these very bytes.
    pub(crate) fn tenant(&self, name: &OpName, components: &[Vec<u8>]) -> Result<Builds, sandbox::Error> {
        let mut builds = Builds::default();
        for component in components {
            builds.add(self.one(name, component)?);
        }
        Ok(builds)
    }

    /// Not under the lock: compiling may take long, and twice is no harm.
    fn one(&self, name: &OpName, component: &[u8]) -> Result<Arc<Op>, sandbox::Error> {
        let digest = Digest::of(component);
        let known = self.lock().get(&digest).and_then(Weak::upgrade);
        // The bytes carry the op's name, but nobody has to believe them here.
        if let Some(op) = known.filter(|op| op.reference().name == *name) {
            return Ok(op);
        }
        let op = Arc::new(self.sandbox.load(name.clone(), component, Trust::Tenant)?);
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
