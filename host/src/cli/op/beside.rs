//! The op that a rule calls and that lies beside it: what is meant where a rule's file is given for an op.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use txcl::{AnyOps, Exec, Mode, RuleFile};
use workshop::Source;

use crate::cli::output::Complaint;

/// Whether a path is a rule's.
pub(super) fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "txcl")
}

/// Its folder of sources, or its component `NAME.wasm`, in the rule's own scope.
pub(super) fn op_of(rule: &Path) -> Result<PathBuf, Complaint> {
    let shown = rule.display().to_string();
    let failed = |why: &dyn std::fmt::Display| Complaint::failed(format!("{shown}: {why}"));
    let text = fs::read_to_string(rule).map_err(|e| failed(&e))?;
    let file = RuleFile { path: &shown, name: "rule", text: &text };
    let (rules, findings) = txcl::check(&file, Mode::Lenient, &AnyOps);
    if findings.has_errors() {
        return Err(Complaint::failed(findings.to_string()));
    }
    let name = |rule: &txcl::Rule| {
        if let Some(Exec::Op { name, .. }) = rule.exec() { Some(name.clone()) } else { None }
    };
    let mut names = rules.iter().filter_map(name).collect::<BTreeSet<_>>().into_iter();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(failed(&"it does not call exactly one op://NAME; give the op's folder or component"));
    };
    let scope = rule.parent().filter(|scope| !scope.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let is_it = |folder: &PathBuf| {
        folder.ends_with(name.as_str())
            || Source::read(folder).is_ok_and(|source| source.manifest.name == name)
    };
    let component = scope.join(format!("{name}.wasm"));
    let found = workshop::sources_below(scope).into_iter().find(is_it);
    found.or_else(|| component.is_file().then_some(component)).ok_or_else(|| {
        failed(&format!("op://{name} does not lie beside it; give the op's folder or component"))
    })
}
