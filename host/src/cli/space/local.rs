//! What lies in a workspace, as it is applied: the files of each stack.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chassis::{Misplaced, RuleSet, sources};
use model::{OpName, StackName};
use store::{StackFile, manifest_of};
use txcl::{Color, Mode};

use crate::cli::dev::workspace;
use crate::cli::output::{Complaint, Console};
use crate::cli::project::{Chosen, Mocks};

/// What lies beside rules.
pub(super) const MOCKS: [&str; 2] = ["mock-request.json", "mock-response.json"];
/// Folders of a stack that the Go chassis serves, searches or asks, and this one does not.
const OF_GO: [&str; 4] = ["FILES", "VECTORS", "KV", "DATASETS"];
/// The largest of them.
const MAX_MOCK: u64 = 1 << 20;

/// One stack of a workspace.
pub(super) struct LocalStack {
    pub(super) files: Vec<StackFile>,
    /// The ops of the tenant that its rules call.
    pub(super) calls: BTreeSet<OpName>,
}

impl LocalStack {
    pub(super) fn manifest(&self) -> String {
        manifest_of(&self.files).to_string()
    }
}

/// A workspace.
pub(super) struct Local {
    pub(super) folder: PathBuf,
    pub(super) stacks: BTreeMap<StackName, LocalStack>,
}

impl Local {
    /// Reads the workspace around `dir`, or only one stack of it.
    ///
    /// # Errors
    /// [`Complaint`]; what is wrong with files is told on `console` first.
    pub(super) fn read(
        dir: Option<&Path>,
        only: Option<&str>,
        chosen: &Chosen,
        console: &mut Console<'_>,
    ) -> Result<Self, Complaint> {
        let folder = workspace(dir.unwrap_or_else(|| Path::new(".")))?;
        let misplaced = |all: Vec<Misplaced>, console: &mut Console<'_>| {
            for one in &all {
                console.note(&format!("{}: {}\n  hint: {}", one.path, one.message, one.hint));
            }
            Complaint::failed("nothing is done: files lie where they do not belong")
        };
        let found = match sources(&folder, &chosen.operations) {
            Ok(found) => found,
            Err(all) => return Err(misplaced(all, console)),
        };
        let mut by_stack: BTreeMap<StackName, Vec<_>> = BTreeMap::new();
        for source in found {
            if only.is_none_or(|only| only == source.stack.as_str()) {
                by_stack.entry(source.stack.clone()).or_default().push(source);
            }
        }
        if let (Some(only), true) = (only, by_stack.is_empty()) {
            return Err(Complaint::failed(format!("the workspace has no stack {only}")));
        }
        let mut stacks = BTreeMap::new();
        for (stack, sources) in by_stack {
            for name in OF_GO {
                if folder.join("OPS").join(stack.as_str()).join(name).is_dir() {
                    console.note(&format!("OPS/{stack}/{name} stays here: this txco has rules only"));
                }
            }
            let mut files: Vec<_> = sources
                .iter()
                .map(|source| StackFile { path: source.path.clone(), content: source.text.clone() })
                .collect();
            if chosen.mocks == Mocks::Allowed {
                files.extend(mocks_beside(&folder, &stack, &files)?);
            }
            files.sort_by(|a, b| a.path.cmp(&b.path));
            // What does not check is told when it is applied, by whoever decides.
            let rules = RuleSet::of_sources(sources, Mode::Lenient);
            let calls = rules.map(|rules| rules.called()).unwrap_or_default();
            stacks.insert(stack, LocalStack { files, calls });
        }
        Ok(Self { folder, stacks })
    }

    /// Tells what is wrong with the rules, as the chassis would.
    ///
    /// # Errors
    /// [`Complaint`] when something is.
    pub(super) fn check(&self, mode: Mode, console: &mut Console<'_>) -> Result<(), Complaint> {
        let color = if console.color { Color::Coloured } else { Color::Plain };
        let mut wrong = false;
        for (stack, local) in &self.stacks {
            let rules = local.files.iter().filter(|file| file.path.ends_with(".txcl"));
            let rules = rules.map(|file| chassis::Source {
                stack: stack.clone(),
                path: file.path.clone(),
                text: file.content.clone(),
            });
            if let Err(errors) = RuleSet::of_sources(rules.collect(), mode) {
                console.note(errors.render(color).trim_end());
                wrong = true;
            }
        }
        if wrong { Err(Complaint::failed("nothing is applied: rules do not check")) } else { Ok(()) }
    }
}

/// The mocks in the folders that have rules.
fn mocks_beside(
    workspace: &Path,
    stack: &StackName,
    rules: &[StackFile],
) -> Result<Vec<StackFile>, Complaint> {
    let folders: BTreeSet<&str> =
        rules.iter().filter_map(|rule| rule.path.rsplit_once('/')).map(|(folder, _)| folder).collect();
    let mut found = Vec::new();
    for folder in folders {
        for name in MOCKS {
            let path = format!("{folder}/{name}");
            let file = workspace.join("OPS").join(stack.as_str()).join(&path);
            let failed = |why: String| Complaint::failed(format!("{}: {why}", file.display()));
            match fs::metadata(&file) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error.to_string())),
                Ok(facts) if facts.len() > MAX_MOCK => return Err(failed("is larger than 1 MiB".to_owned())),
                Ok(_) => {}
            }
            let content = fs::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
            found.push(StackFile { path, content });
        }
    }
    Ok(found)
}
