//! What the embedded ops say of themselves: rules are checked against it when they are loaded.

use std::collections::BTreeMap;

use model::{OpManifest, OpName};
use txcl::{Exec, Known, Ops};

/// How a built-in is taken that this binary does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is a mistake: for those who ask.
    Told,
    /// It is passed over: a request that comes to it fails with a fault that says so.
    Passed,
}

/// The manifests of the embedded ops.
pub(crate) struct Embedded {
    manifests: BTreeMap<OpName, Option<OpManifest>>,
    absent: Absent,
}

impl Embedded {
    /// Reads them. A binary whose ops are damaged does not start at all; here it only knows
    /// nothing of them.
    pub(crate) fn read(absent: Absent) -> Self {
        let builtins = sandbox::builtins().unwrap_or_default();
        let manifests = builtins.into_iter().map(|op| (op.name, sandbox::manifest(op.wasm).ok().flatten()));
        Self { manifests: manifests.collect(), absent }
    }
}

impl Ops for Embedded {
    fn known(&self, exec: &Exec) -> Known<'_> {
        let Exec::Builtin { name, .. } = exec else { return Known::Nothing };
        match (self.manifests.get(name), self.absent) {
            (Some(Some(manifest)), _) => Known::Op(manifest),
            (Some(None), _) | (None, Absent::Passed) => Known::Nothing,
            (None, Absent::Told) => {
                Known::Absent(self.manifests.keys().map(|name| format!("txco://{name}")).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use txcl::{Mode, RuleFile};

    use super::*;

    fn said(text: &str, absent: Absent) -> String {
        let file = RuleFile { path: "t.txcl", name: "t", text };
        txcl::check(&file, Mode::Strict, &Embedded::read(absent)).1.to_string()
    }

    #[test]
    fn rules_are_checked_against_what_the_built_ins_say() {
        let sign = "EXEC \"txco://hmac-sign\" WITH secrets.key.secret = \"K\"";
        assert_eq!(said(sign, Absent::Told), "");
        let wrong = said(&format!("{sign}, algoritm = \"sha256\""), Absent::Passed);
        assert!(wrong.contains("hmac-sign has no parameter algoritm (did you mean algorithm?)"), "{wrong}");
        let without = said("EXEC \"txco://hmac-sign\"", Absent::Passed);
        assert!(without.contains("hmac-sign needs a secret at key"), "{without}");
        let nowhere = "EXEC \"txco://hmac-sing\"";
        assert_eq!(said(nowhere, Absent::Passed), "");
        let told = said(nowhere, Absent::Told);
        assert!(told.contains("there is no such op (did you mean txco://hmac-sign?)"), "{told}");
    }
}
