//! Everything that is wrong with rules, found without running them.

use std::path::Path;

use txcl::{Color, Diagnostics, Mode, RuleFile, Severity};

use crate::flow::flow;
use crate::known::{Absent, Embedded};
use crate::operations::Operations;
use crate::ruleset::RuleSet;
use crate::unusable::LoadErrors;
use crate::workspace::{self, Misplaced};

/// What was found.
#[derive(Debug, Default)]
pub struct Lint {
    /// How many rule files were read.
    pub files: usize,
    /// Files where no rule belongs, or that cannot be read: errors.
    pub misplaced: Vec<Misplaced>,
    /// What is wrong inside of files; none of them empty.
    pub findings: Vec<Diagnostics>,
    /// What only shows when the rules are seen together: warnings.
    pub flow: Vec<Misplaced>,
}

impl Lint {
    /// Checks every rule file below `workspace/OPS`.
    #[must_use]
    pub fn of_workspace(workspace: &Path, mode: Mode, operations: &Operations) -> Self {
        let mut lint = Self::default();
        let (mut stack, ops) = (None, Embedded::read(Absent::Told));
        match workspace::read(workspace, operations) {
            Err(misplaced) => lint.misplaced = misplaced,
            Ok(found) => {
                for file in found {
                    let source = RuleFile { path: &file.shown, name: &file.name, text: &file.text };
                    lint.append(Self::checked(&source, mode, &ops));
                    stack = Some(file.stack);
                }
            }
        }
        // Which stack events enter makes no difference: each may be the one.
        match RuleSet::load_with(operations, workspace, stack.as_ref(), mode) {
            Ok(rules) => {
                lint.flow = flow(&rules);
                lint.flow.extend(rules.cannot_wait());
            }
            // Each file is in order, and together they are not.
            Err(LoadErrors::Misplaced(all)) if lint.misplaced.is_empty() => lint.misplaced = all,
            Err(_) => {}
        }
        lint
    }

    /// Checks one rule file.
    #[must_use]
    pub fn of_file(file: &RuleFile<'_>, mode: Mode) -> Self {
        Self::checked(file, mode, &Embedded::read(Absent::Told))
    }

    fn checked(file: &RuleFile<'_>, mode: Mode, ops: &Embedded) -> Self {
        let (_, findings) = txcl::check(file, mode, ops);
        let findings = if findings.is_empty() { Vec::new() } else { vec![findings] };
        Self { files: 1, findings, ..Self::default() }
    }

    /// Puts what was found elsewhere behind this.
    pub fn append(&mut self, mut other: Self) {
        self.files += other.files;
        self.misplaced.append(&mut other.misplaced);
        self.findings.append(&mut other.findings);
        self.flow.append(&mut other.flow);
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.misplaced.is_empty() && self.findings.is_empty() && self.flow.is_empty()
    }

    /// How many findings are as bad as this.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let inside: usize = self.findings.iter().map(|d| d.count(severity)).sum();
        inside
            + match severity {
                Severity::Error => self.misplaced.len(),
                Severity::Warning => self.flow.len(),
            }
    }

    /// For people.
    #[must_use]
    pub fn render(&self, color: Color) -> String {
        let misplaced = self.misplaced.iter().map(Misplaced::render);
        let inside = self.findings.iter().map(|d| d.render(color));
        misplaced.chain(inside).chain(self.flow.iter().map(Misplaced::render)).collect()
    }
}
