//! The ops whose sources lie in a workspace: built, and pushed into the chassis of the one who writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::OpName;
use workshop::{Source, Surroundings};

use crate::admin::{Actor, Arriving, TenantOps};

/// Builds every op below `workspace/OPS` and pushes those that changed. What the compiler
/// says goes to `say`, line by line.
///
/// # Errors
/// Everything that is wrong, as text for people; ops that are in order are pushed all the same.
pub(crate) fn build_and_push(
    workspace: &Path,
    surroundings: &Surroundings,
    ops: &TenantOps,
    say: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let mut told = Vec::new();
    let mut seen: BTreeMap<OpName, PathBuf> = BTreeMap::new();
    for folder in workshop::sources_below(&workspace.join("OPS")) {
        let source = match Source::read(&folder) {
            Ok(source) => source,
            Err(error) => {
                told.push(error.to_string());
                continue;
            }
        };
        if let Some(first) = seen.insert(source.manifest.name.clone(), folder.clone()) {
            told.push(format!(
                "{} and {} are both called {}; an op's name is the tenant's",
                first.display(),
                folder.display(),
                source.manifest.name
            ));
        } else if let Err(error) = one(&source, surroundings, ops, say) {
            told.push(error);
        }
    }
    if told.is_empty() { Ok(()) } else { Err(told.join("\n")) }
}

fn one(
    source: &Source,
    surroundings: &Surroundings,
    ops: &TenantOps,
    say: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let built = workshop::build(source, surroundings, say).map_err(|error| error.in_short())?;
    let arriving: Vec<_> = built
        .builds
        .into_iter()
        .map(|(delivery, component)| Arriving { delivery, component, signature: None })
        .collect();
    if ops.has(&built.name, &arriving) {
        return Ok(());
    }
    let pushed = ops.push(&Actor::Open, built.name.as_str(), &arriving);
    let digests: Vec<_> = arriving.iter().map(|one| format!("{} ({})", one.digest(), one.delivery)).collect();
    match pushed {
        Ok(_) => {
            tracing::info!(op = %built.name, digests = digests.join(", "), compiler = %built.compiler, "op built");
            Ok(())
        }
        Err(error) => Err(format!("{}: {error}", source.folder.display())),
    }
}
