//! Everything that is wrong with rules, found without running them.

use std::path::Path;

use txcl::{AnyOps, Color, Diagnostics, Mode, RuleFile, Severity};

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
}

impl Lint {
    /// Checks every rule file below `workspace/OPS`.
    #[must_use]
    pub fn of_workspace(workspace: &Path, mode: Mode) -> Self {
        let mut lint = Self::default();
        match workspace::read(workspace) {
            Err(misplaced) => lint.misplaced = misplaced,
            Ok(found) => {
                for file in found {
                    let source = RuleFile { path: &file.shown, name: &file.name, text: &file.text };
                    lint.append(Self::of_file(&source, mode));
                }
            }
        }
        lint
    }

    /// Checks one rule file.
    #[must_use]
    pub fn of_file(file: &RuleFile<'_>, mode: Mode) -> Self {
        let (_, findings) = txcl::check(file, mode, &AnyOps);
        let findings = if findings.is_empty() { Vec::new() } else { vec![findings] };
        Self { files: 1, misplaced: Vec::new(), findings }
    }

    /// Puts what was found elsewhere behind this.
    pub fn append(&mut self, mut other: Self) {
        self.files += other.files;
        self.misplaced.append(&mut other.misplaced);
        self.findings.append(&mut other.findings);
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.misplaced.is_empty() && self.findings.is_empty()
    }

    /// How many findings are as bad as this.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let inside: usize = self.findings.iter().map(|d| d.count(severity)).sum();
        inside + if severity == Severity::Error { self.misplaced.len() } else { 0 }
    }

    /// For people.
    #[must_use]
    pub fn render(&self, color: Color) -> String {
        let misplaced = self.misplaced.iter().map(Misplaced::render);
        misplaced.chain(self.findings.iter().map(|d| d.render(color))).collect()
    }
}
