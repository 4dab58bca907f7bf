//! Which ops this chassis has, compiled and linked before the first request.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::OpName;
use sandbox::{Op, Sandbox};

/// The ops by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    builtins: BTreeMap<OpName, Arc<Op>>,
}

impl Registry {
    /// Compiles, or takes from the code cache, every built-in op.
    pub(crate) fn of_builtins(sandbox: &Sandbox) -> Result<Self, sandbox::Error> {
        let mut builtins = BTreeMap::new();
        for builtin in sandbox::builtins()? {
            let op = sandbox.load_builtin(&builtin)?;
            builtins.insert(op.reference().name.clone(), Arc::new(op));
        }
        Ok(Self { builtins })
    }

    /// The op behind `txco://NAME`.
    pub(crate) fn builtin(&self, name: &OpName) -> Option<&Arc<Op>> {
        self.builtins.get(name)
    }

    /// The names there are, for the message that one is not.
    pub(crate) fn names(&self) -> String {
        self.builtins.keys().map(|name| format!("txco://{name}")).collect::<Vec<_>>().join(", ")
    }
}
