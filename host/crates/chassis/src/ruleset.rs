//! The rules of a workspace: checked, immutable, one snapshot for a whole request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use model::{Object, OpName, StackName};
use txcl::{Color, Diagnostics, Exec, Mode, Rule, RuleFile};

use crate::known::{Absent, Embedded};
use crate::mock;
use crate::modes;
use crate::registry::Builds;
use crate::snapshot::{Pins, Snapshot};
use crate::trace::Hiding;
use crate::workspace::{self, Found, Misplaced, Source};

/// One rule file: its rules run one after the other (R8).
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) rules: Vec<Rule>,
    /// The ops of the tenant that they call, with the line of the first call.
    calls: Vec<(OpName, usize)>,
    /// Below the workspace.
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) text: String,
}

type Scopes = BTreeMap<u32, Vec<Arc<File>>>;

/// The rules of one tenant. A request keeps the set it began with.
#[derive(Debug, Default)]
pub struct RuleSet {
    stacks: BTreeMap<String, Scopes>,
    /// Stacks whose rules cannot be used.
    broken: BTreeSet<String>,
    entry: Option<StackName>,
    files: usize,
    let_pass: Vec<Diagnostics>,
    mocks: mock::Kept,
    /// By stack: each is applied by itself, and pinned by itself.
    ops: BTreeMap<String, BTreeMap<OpName, Builds>>,
    hiding: Arc<Hiding>,
    mode: Mode,
    /// Made when a request first waits under these rules.
    snapshot: OnceLock<Snapshot>,
}

/// A rule that calls an op of the tenant which cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// File and line.
    pub place: String,
    /// The op.
    pub op: OpName,
    /// Why not, and what to do.
    pub why: String,
}

/// Why a workspace's rules cannot be used; every reason at once.
#[derive(Debug)]
pub enum LoadErrors {
    /// Files where no rule belongs, or folders that cannot be read.
    Misplaced(Vec<Misplaced>),
    /// Rules that do not check.
    Rules(Vec<Diagnostics>),
    /// Rules that call ops which cannot be had.
    Ops(Vec<Missing>),
    /// There is no rule at all.
    Empty,
    /// Which stack events enter is not clear (R9).
    Stack {
        /// What was asked for with `--stack`.
        asked: Option<StackName>,
        /// The stacks of the workspace.
        found: Vec<String>,
    },
}

impl LoadErrors {
    /// Everything that is wrong, for people.
    #[must_use]
    pub fn render(&self, color: Color) -> String {
        match self {
            Self::Misplaced(all) => all.iter().map(Misplaced::render).collect(),
            Self::Rules(files) => files.iter().map(|d| d.render(color)).collect(),
            Self::Ops(all) => all
                .iter()
                .map(|one| format!("{}: EXEC \"op://{}\": {}\n", one.place, one.op, one.why))
                .collect(),
            Self::Empty => "OPS holds no rule; the first could be OPS/app/100/hello.txcl with: \
                            EMIT .hello = \"world\"\n"
                .to_owned(),
            Self::Stack { asked: Some(asked), found } => {
                format!("there is no stack {asked}; the workspace has: {}\n", found.join(", "))
            }
            Self::Stack { asked: None, found } => format!(
                "the workspace has several stacks: {}; say which one events enter with --stack NAME\n",
                found.join(", ")
            ),
        }
    }

    /// How many things are wrong.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Misplaced(all) => all.len(),
            Self::Rules(files) => files.iter().map(|d| d.iter().count()).sum(),
            Self::Ops(all) => all.len(),
            Self::Empty | Self::Stack { .. } => 1,
        }
    }
}

impl RuleSet {
    /// Loads and checks all rules below `workspace/OPS`. Events enter `stack`, or the only
    /// stack whose name does not begin with `_` (R9).
    ///
    /// # Errors
    /// [`LoadErrors`]; nothing is loaded then.
    pub fn load(workspace: &Path, stack: Option<&StackName>, mode: Mode) -> Result<Self, LoadErrors> {
        let found = workspace::read(workspace).map_err(LoadErrors::Misplaced)?;
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

    fn of_found(found: Vec<Found>, mocks: mock::Kept, mode: Mode) -> Result<Self, LoadErrors> {
        let mut stacks: BTreeMap<String, Scopes> = BTreeMap::new();
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
            stacks.entry(file.stack.as_str().to_owned()).or_default().entry(file.scope).or_default().push(
                Arc::new(File {
                    calls: calls(&rules, &file.text),
                    rules,
                    path: file.shown,
                    name: file.name,
                    text: file.text,
                }),
            );
        }
        if !broken.is_empty() {
            return Err(LoadErrors::Rules(broken));
        }
        let hiding = Arc::new(hiding(&stacks));
        let rules = Self { stacks, files, let_pass, mocks, hiding, mode, ..Self::default() };
        let impossible = rules.stages().flat_map(|(_, _, files)| {
            let files: Vec<_> = files.iter().map(|f| (f.path.as_str(), f.rules.as_slice())).collect();
            modes::impossible(&files)
        });
        let impossible: Vec<_> = impossible.chain(rules.never_wait()).collect();
        if impossible.is_empty() { Ok(rules) } else { Err(LoadErrors::Misplaced(impossible)) }
    }

    /// What its rules ask traces not to show.
    pub(crate) fn hiding(&self) -> &Arc<Hiding> {
        &self.hiding
    }

    /// The same with the stacks of `other`, which it does not have.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.stacks.extend(other.stacks);
        self.broken.extend(other.broken);
        self.mocks.extend(other.mocks);
        Arc::make_mut(&mut self.hiding).join(&other.hiding);
        self.ops.extend(other.ops);
        self.let_pass.extend(other.let_pass);
        self.files += other.files;
        if other.mode == Mode::Lenient {
            self.mode = Mode::Lenient;
        }
        self.snapshot = OnceLock::new();
        self
    }

    /// The same with a stack whose rules cannot be used: a request that enters it is told so,
    /// instead of being answered by a parent of it.
    #[must_use]
    pub fn with_broken(mut self, stack: &StackName) -> Self {
        self.broken.insert(stack.as_str().to_owned());
        self
    }

    /// The same, entered by `stack`, or by the only stack whose name does not begin with `_`.
    #[must_use]
    pub fn entered_by(mut self, stack: Option<&StackName>) -> Self {
        let mut candidates = self.stacks.keys().chain(&self.broken).filter(|name| !name.starts_with('_'));
        let only = match (candidates.next(), candidates.next()) {
            (Some(only), None) => StackName::parse(only).ok(),
            _ => None,
        };
        self.entry = stack.cloned().or(only);
        self
    }

    /// Whether there is no stack, not even one whose rules cannot be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty() && self.broken.is_empty()
    }

    /// Whether the rules of `stack` cannot be used.
    #[must_use]
    pub fn is_broken(&self, stack: &StackName) -> bool {
        self.broken.contains(stack.as_str())
    }

    /// The same rules, pinned to no op.
    pub(crate) fn unpinned(&self) -> Self {
        Self {
            stacks: self.stacks.clone(),
            broken: self.broken.clone(),
            entry: self.entry.clone(),
            files: self.files,
            // It was said when they were loaded.
            let_pass: Vec::new(),
            mocks: self.mocks.clone(),
            ops: BTreeMap::new(),
            hiding: Arc::clone(&self.hiding),
            mode: self.mode,
            snapshot: OnceLock::new(),
        }
    }

    /// How many stacks have rules that cannot be used.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.broken.len()
    }

    /// Pins every op of the tenant that the rules call to what `load` gives for it now:
    /// bytes that are pushed later are for rules that are loaded later.
    pub(crate) fn bind(
        &mut self,
        mut load: impl FnMut(&str, &OpName) -> Result<Builds, String>,
    ) -> Result<(), LoadErrors> {
        self.snapshot = OnceLock::new();
        let mut missing = Vec::new();
        for (stack, scopes) in &self.stacks {
            for (file, (op, line)) in
                scopes.values().flatten().flat_map(|f| f.calls.iter().map(move |c| (f, c)))
            {
                let ops = self.ops.entry(stack.clone()).or_default();
                if ops.contains_key(op) {
                    continue;
                }
                match load(stack, op) {
                    Ok(loaded) => {
                        ops.insert(op.clone(), loaded);
                    }
                    Err(why) => {
                        let place = format!("{}:{line}", file.path);
                        missing.push(Missing { place, op: op.clone(), why });
                    }
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(LoadErrors::Ops(missing)) }
    }

    /// The op behind `op://NAME` in a rule of `stack`, as it was when that was loaded.
    pub(crate) fn op(&self, stack: &StackName, name: &OpName) -> Option<&Builds> {
        self.ops.get(stack.as_str())?.get(name)
    }

    /// The built-in ops that the rules call.
    pub(crate) fn builtins(&self) -> BTreeSet<&OpName> {
        let files = self.stacks.values().flat_map(BTreeMap::values).flatten();
        let called =
            |rule| if let Some(Exec::Builtin { name, .. }) = Rule::exec(rule) { Some(name) } else { None };
        files.flat_map(|file| &file.rules).filter_map(called).collect()
    }

    /// The ops of the tenant that the rules call.
    #[must_use]
    pub fn called(&self) -> BTreeSet<OpName> {
        let files = self.stacks.values().flat_map(BTreeMap::values).flatten();
        files.flat_map(|file| &file.calls).map(|(op, _)| op.clone()).collect()
    }

    /// The ops of the tenant that the rules call, with the digests they are pinned to.
    #[must_use]
    pub fn ops(&self) -> String {
        let all: BTreeSet<_> =
            self.ops.values().flat_map(BTreeMap::values).flat_map(Builds::references).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// These rules, to be kept beside a request that waits.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        self.snapshot.get_or_init(|| {
            let files = self.stages().flat_map(|(stack, scope, files)| {
                files.iter().filter_map(move |file| {
                    let (name, shown) = (file.name.clone(), file.path.clone());
                    Some(Found {
                        stack: StackName::parse(stack).ok()?,
                        scope,
                        name,
                        shown,
                        text: file.text.clone(),
                    })
                })
            });
            Snapshot::of(self.mode, files, &self.mocks, self.pins())
        })
    }

    /// The digests that the ops of each stack are pinned to.
    fn pins(&self) -> Pins {
        let of_stack = |ops: &BTreeMap<OpName, Builds>| {
            let digests = |builds: &Builds| builds.digests().collect();
            ops.iter().map(|(name, builds)| (name.clone(), digests(builds))).collect()
        };
        self.ops.iter().map(|(stack, ops)| (stack.clone(), of_stack(ops))).collect()
    }

    /// The rules that a kept content has, and what their ops are to be pinned to; nothing when
    /// it is none.
    pub(crate) fn of_snapshot(content: &str) -> Option<(Self, Pins)> {
        let (found, mocks, mode, pins) = Snapshot::read(content)?;
        Some((Self::of_found(found, mocks, mode).ok()?, pins))
    }

    /// The files of a stage.
    pub(crate) fn stage(&self, stack: &StackName, scope: u32) -> Option<&[Arc<File>]> {
        self.stacks.get(stack.as_str())?.get(&scope).map(Vec::as_slice)
    }

    /// The answer that is kept beside `file` for its ops.
    pub(crate) fn mock(&self, file: &File) -> Option<&Object> {
        if self.mocks.is_empty() {
            return None;
        }
        let (folder, _) = file.path.rsplit_once('/')?;
        self.mocks.get(folder).map(AsRef::as_ref)
    }

    /// The stack that events enter whose host names none; nothing when there are several.
    #[must_use]
    pub fn entry(&self) -> Option<&StackName> {
        self.entry.as_ref()
    }

    /// How many rule files there are.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files
    }

    /// What the lenient mode let pass, by file.
    #[must_use]
    pub fn let_pass(&self) -> &[Diagnostics] {
        &self.let_pass
    }

    /// How many stacks there are.
    #[must_use]
    pub fn stacks(&self) -> usize {
        self.stacks.len()
    }

    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.stacks.values().flat_map(BTreeMap::values).flatten().map(|f| f.rules.len()).sum()
    }

    /// The first scope from `from` on that `stack` has, or else its nearest parent has, with
    /// the stack that owns it: `shop/eu` inherits the scopes of `shop`.
    pub(crate) fn scope(&self, stack: &StackName, from: u32) -> Option<(&str, u32, &[Arc<File>])> {
        let mut name = stack.as_str();
        loop {
            if let Some((owner, scopes)) = self.stacks.get_key_value(name)
                && let Some((scope, files)) = scopes.range(from..).next()
            {
                return Some((owner, *scope, files));
            }
            name = name.rsplit_once('/')?.0;
        }
    }

    /// Every stage: its stack, scope and files.
    pub(crate) fn stages(&self) -> impl Iterator<Item = (&str, u32, &[Arc<File>])> {
        self.stacks.iter().flat_map(|(stack, scopes)| {
            scopes.iter().map(move |(scope, files)| (stack.as_str(), *scope, files.as_slice()))
        })
    }

    /// Whether `stack` or a parent of it has rules.
    pub(crate) fn has(&self, stack: &StackName) -> bool {
        self.scope(stack, 0).is_some()
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

fn hiding(stacks: &BTreeMap<String, Scopes>) -> Hiding {
    let mut hiding = Hiding::default();
    for file in stacks.values().flat_map(BTreeMap::values).flatten() {
        file.rules.iter().for_each(|rule| hiding.add(rule.hidden()));
    }
    hiding
}

fn entry(stacks: &BTreeMap<String, Scopes>, asked: Option<&StackName>) -> Result<StackName, LoadErrors> {
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
    let mut candidates = stacks.keys().filter(|name| !name.starts_with('_'));
    match (candidates.next().map(|name| StackName::parse(name)), candidates.next()) {
        (Some(Ok(only)), None) => Ok(only),
        _ => Err(LoadErrors::Stack { asked: None, found: found() }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        let at = |from| rules.scope(&stack, from).map(|(owner, scope, _)| (owner.to_owned(), scope));
        assert_eq!(at(0), Some(("shop/eu".to_owned(), 20)));
        assert_eq!(at(21), None);
        let other = StackName::parse("shop/us").unwrap();
        assert_eq!(rules.scope(&other, 0).map(|(owner, ..)| owner), Some("shop"));
    }
}
