//! The rules of a workspace: checked, immutable, one snapshot for a whole request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use model::{Object, OpName, StackName};
use txcl::{Diagnostics, Exec, Mode, Rule};

use crate::mock;
use crate::registry::Builds;
use crate::snapshot::{Pins, Snapshot};
use crate::trace::Hiding;
use crate::unusable::{LoadErrors, Missing};
use crate::workspace::Found;

mod load;

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
    stacks: BTreeMap<StackName, Scopes>,
    /// Stacks whose rules cannot be used.
    broken: BTreeSet<StackName>,
    entry: Option<StackName>,
    files: usize,
    let_pass: Vec<Diagnostics>,
    mocks: mock::Kept,
    /// By stack: each is applied by itself, and pinned by itself.
    ops: BTreeMap<StackName, BTreeMap<OpName, Builds>>,
    hiding: Arc<Hiding>,
    mode: Mode,
    /// Made when a request first waits under these rules.
    snapshot: OnceLock<Snapshot>,
}

impl RuleSet {
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
        self.broken.insert(stack.clone());
        self
    }

    /// The same, entered by `stack`, or by the only stack whose name does not begin with `_`.
    #[must_use]
    pub fn entered_by(mut self, stack: Option<&StackName>) -> Self {
        let only = only(self.stacks.keys().chain(&self.broken));
        self.entry = stack.or(only).cloned();
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
        self.broken.contains(stack)
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
        mut load: impl FnMut(&StackName, &OpName) -> Result<Builds, String>,
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
        self.ops.get(stack)?.get(name)
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
                files.iter().map(move |file| Found {
                    stack: stack.clone(),
                    scope,
                    name: file.name.clone(),
                    shown: file.path.clone(),
                    text: file.text.clone(),
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
        self.stacks.get(stack)?.get(&scope).map(Vec::as_slice)
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
    pub(crate) fn scope(&self, stack: &StackName, from: u32) -> Option<(&StackName, u32, &[Arc<File>])> {
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
    pub(crate) fn stages(&self) -> impl Iterator<Item = (&StackName, u32, &[Arc<File>])> {
        self.stacks.iter().flat_map(|(stack, scopes)| {
            scopes.iter().map(move |(scope, files)| (stack, *scope, files.as_slice()))
        })
    }

    /// Whether `stack` or a parent of it has rules.
    pub(crate) fn has(&self, stack: &StackName) -> bool {
        self.scope(stack, 0).is_some()
    }
}

/// The only one whose name does not begin with `_`: those are for other events than the web's.
fn only<'a>(stacks: impl Iterator<Item = &'a StackName>) -> Option<&'a StackName> {
    let mut candidates = stacks.filter(|stack| !stack.as_str().starts_with('_'));
    candidates.next().filter(|_| candidates.next().is_none())
}
