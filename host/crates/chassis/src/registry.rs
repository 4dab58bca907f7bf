//! Which ops this chassis has, compiled and linked before the first request.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::OpName;
use sandbox::{Op, Sandbox};

/// One op, in the builds that there are of it: one that is shown secrets, and one that
/// uses them through handles or has nothing to do with any.
#[derive(Debug, Default)]
pub(crate) struct Builds {
    revealing: Option<Arc<Op>>,
    other: Option<Arc<Op>>,
}

impl Builds {
    /// Adds a build; what it imports says which it is.
    pub(crate) fn add(&mut self, op: Op) {
        let place = if op.reveals() { &mut self.revealing } else { &mut self.other };
        *place = Some(Arc::new(op));
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
}

impl Registry {
    /// Compiles, or takes from the code cache, every built-in op.
    pub(crate) fn of_builtins(sandbox: &Sandbox) -> Result<Self, sandbox::Error> {
        let mut builtins: BTreeMap<OpName, Builds> = BTreeMap::new();
        for builtin in sandbox::builtins()? {
            let op = sandbox.load_builtin(&builtin)?;
            builtins.entry(builtin.name).or_default().add(op);
        }
        Ok(Self { builtins })
    }

    /// The op behind `txco://NAME`.
    pub(crate) fn builtin(&self, name: &OpName) -> Option<&Builds> {
        self.builtins.get(name)
    }

    /// The names there are, for the message that one is not.
    pub(crate) fn names(&self) -> String {
        self.builtins.keys().map(|name| format!("txco://{name}")).collect::<Vec<_>>().join(", ")
    }
}
