//! Rules from their files: found, checked, and put where requests find them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::{OpName, StackName};
use txcl::{Exec, Mode, Rule, RuleFile};

use super::{File, RuleSet, Scopes, only};
use crate::known::{Absent, Embedded};
use crate::operations::Operations;
use crate::trace::Hiding;
use crate::unusable::LoadErrors;
use crate::workspace::{self, Found, Source};
use crate::{mock, modes};

impl RuleSet {
    /// Loads and checks all rules below `workspace/OPS`. Events enter `stack`, or the only
    /// stack whose name does not begin with `_` (R9).
    ///
    /// # Errors
    /// [`LoadErrors`]; nothing is loaded then.
    pub fn load(workspace: &Path, stack: Option<&StackName>, mode: Mode) -> Result<Self, LoadErrors> {
        Self::load_with(&Operations::default(), workspace, stack, mode)
    }

    /// The same, with addresses for the names of `operations`.
    ///
    /// # Errors
    /// [`LoadErrors`]; nothing is loaded then.
    pub fn load_with(
        operations: &Operations,
        workspace: &Path,
        stack: Option<&StackName>,
        mode: Mode,
    ) -> Result<Self, LoadErrors> {
        let found = workspace::read(workspace, operations).map_err(LoadErrors::Misplaced)?;
        let folders = found.iter().filter_map(|file| file.shown.rsplit_once('/'));
        let folders = folders.map(|(folder, _)| folder.to_owned()).collect();
        let mocks = mock::read(workspace, folders).map_err(LoadErrors::Misplaced)?;
        let mut rules = Self::of_found(found, mocks, mode)?;
        rules.entry = Some(entry(&rules.stacks, stack)?);
        Ok(rules)
    }

    /// Checks the rules of files that are not read from disk. No stack is entered yet.
    ///
    /// # Errors
    /// [`LoadErrors`]; nothing is loaded then.
    pub fn of_sources(sources: Vec<Source>, mode: Mode) -> Result<Self, LoadErrors> {
        let (rules, others): (Vec<_>, Vec<_>) =
            sources.into_iter().partition(|source| source.path.ends_with(".txcl"));
        let found = workspace::placed(rules).map_err(LoadErrors::Misplaced)?;
        let mocks = mock::of_sources(&others).map_err(LoadErrors::Misplaced)?;
        Self::of_found(found, mocks, mode)
    }

    pub(super) fn of_found(found: Vec<Found>, mocks: mock::Kept, mode: Mode) -> Result<Self, LoadErrors> {
        let mut stacks: BTreeMap<StackName, Scopes> = BTreeMap::new();
        let (mut broken, mut let_pass) = (Vec::new(), Vec::new());
        let files = found.len();
        let ops = Embedded::read(Absent::Passed);
        for file in found {
            let source = RuleFile { path: &file.shown, name: &file.name, text: &file.text };
            let (rules, findings) = txcl::check(&source, mode, &ops);
            if findings.has_errors() {
                broken.push(findings);
                continue;
            }
            if !findings.is_empty() {
                let_pass.push(findings);
            }
            stacks.entry(file.stack).or_default().entry(file.scope).or_default().push(Arc::new(File {
                calls: calls(&rules, &file.text),
                rules,
                path: file.shown,
                name: file.name,
                text: file.text,
            }));
        }
        if !broken.is_empty() {
            return Err(LoadErrors::Rules(broken));
        }
        let hiding = Arc::new(hiding(&stacks));
        let rules = Self { stacks, files, let_pass, mocks, hiding, mode, ..Self::default() };
        let impossible = rules.stages().flat_map(|(_, scope, files)| {
            let files: Vec<_> = files.iter().map(|f| (f.path.as_str(), f.rules.as_slice())).collect();
            modes::impossible(scope, &files)
        });
        let impossible: Vec<_> = impossible.chain(rules.never_wait()).collect();
        if impossible.is_empty() { Ok(rules) } else { Err(LoadErrors::Misplaced(impossible)) }
    }
}

/// What rules call, each op once. The literal stands in the text, so its line can be found there.
fn calls(rules: &[Rule], text: &str) -> Vec<(OpName, usize)> {
    let mut calls: Vec<(OpName, usize)> = Vec::new();
    for rule in rules {
        if let Some(Exec::Op { name, text: operand }) = rule.exec()
            && calls.iter().all(|(known, _)| known != name)
        {
            let line = text.lines().position(|line| line.contains(operand.as_str())).map_or(1, |at| at + 1);
            calls.push((name.clone(), line));
        }
    }
    calls
}

fn hiding(stacks: &BTreeMap<StackName, Scopes>) -> Hiding {
    let mut hiding = Hiding::default();
    for file in stacks.values().flat_map(BTreeMap::values).flatten() {
        file.rules.iter().for_each(|rule| hiding.add(rule.hidden()));
    }
    hiding
}

fn entry(stacks: &BTreeMap<StackName, Scopes>, asked: Option<&StackName>) -> Result<StackName, LoadErrors> {
    let found = || stacks.keys().cloned().collect();
    if stacks.is_empty() {
        return Err(LoadErrors::Empty);
    }
    if let Some(asked) = asked {
        let mut name = asked.as_str();
        while !stacks.contains_key(name) {
            name = match name.rsplit_once('/') {
                Some((parent, _)) => parent,
                None => return Err(LoadErrors::Stack { asked: Some(asked.clone()), found: found() }),
            };
        }
        return Ok(asked.clone());
    }
    only(stacks.keys()).cloned().ok_or_else(|| LoadErrors::Stack { asked: None, found: found() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use txcl::Color;

    use super::*;

    fn workspace(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join("OPS").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn load(files: &[(&str, &str)], stack: Option<&str>) -> Result<RuleSet, LoadErrors> {
        let stack = stack.map(|s| StackName::parse(s).unwrap());
        RuleSet::load(workspace(files).path(), stack.as_ref(), Mode::Strict)
    }

    const RULE: &str = "EMIT .a = 1\n";

    #[test]
    fn the_only_stack_is_the_entry() {
        let rules =
            load(&[("shop/10/a.txcl", RULE), ("shop/20/b.txcl", RULE), ("_cron/1/c.txcl", RULE)], None);
        // `_cron` is a stack for other events than the web's, so it is no entry.
        let rules = rules.unwrap();
        assert_eq!((rules.entry().unwrap().as_str(), rules.rules()), ("shop", 3));
    }

    #[test]
    fn several_stacks_need_a_word() {
        let files = [("a/1/x.txcl", RULE), ("b/1/x.txcl", RULE)];
        let said = load(&files, None).unwrap_err().render(Color::Plain);
        assert!(said.contains("a, b") && said.contains("--stack"), "{said}");
        assert_eq!(load(&files, Some("b")).unwrap().entry().unwrap().as_str(), "b");
        assert!(load(&files, Some("c")).unwrap_err().render(Color::Plain).contains("no stack c"));
    }

    /// E3 of the weaknesses: there a broken rule is found by the request that hangs on it.
    #[test]
    fn all_broken_files_are_told_at_once() {
        let errors = load(&[("s/1/x.txcl", "SET .a = "), ("s/2/y.txcl", "WHEN .a")], None).unwrap_err();
        let said = errors.render(Color::Plain);
        assert!(said.contains("OPS/s/1/x.txcl") && said.contains("OPS/s/2/y.txcl"), "{said}");
    }

    #[test]
    fn an_op_that_is_not_there_is_told_with_file_and_line() {
        let sign = "# signs\nEXEC \"op://signer\"\n";
        let mut rules = load(&[("s/1/a.txcl", sign), ("s/2/b.txcl", sign)], None).unwrap();
        let errors = rules.bind(|_, _| Err("there is no such op".to_owned())).unwrap_err();
        let said = errors.render(Color::Plain);
        assert_eq!(errors.count(), 2);
        assert!(said.starts_with("OPS/s/1/a.txcl:2: EXEC \"op://signer\": there is no such op\n"), "{said}");
        assert!(said.contains("OPS/s/2/b.txcl:2:"), "{said}");
        assert!(
            load(&[("s/1/a.txcl", RULE)], None).unwrap().bind(|_, _| panic!("nothing is called")).is_ok()
        );
    }

    #[test]
    fn a_nested_stack_inherits_scopes() {
        let rules = load(&[("shop/10/a.txcl", RULE), ("shop/eu/20/b.txcl", RULE)], Some("shop/eu")).unwrap();
        let stack = StackName::parse("shop/eu").unwrap();
        let at = |from| rules.scope(&stack, from).map(|(owner, scope, _)| (owner.as_str().to_owned(), scope));
        assert_eq!(at(0), Some(("shop/eu".to_owned(), 20)));
        assert_eq!(at(21), None);
        let other = StackName::parse("shop/us").unwrap();
        assert_eq!(rules.scope(&other, 0).map(|(owner, ..)| owner), Some(&StackName::parse("shop").unwrap()));
    }
}
