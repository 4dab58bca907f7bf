//! Why the rules of a workspace cannot be used: every reason at once, for people.

use model::{OpName, StackName};
use txcl::{Color, Diagnostics};

use crate::workspace::Misplaced;

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
        found: Vec<StackName>,
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
                format!("there is no stack {asked}; the workspace has: {}\n", listed(found))
            }
            Self::Stack { asked: None, found } => format!(
                "the workspace has several stacks: {}; say which one events enter with --stack NAME\n",
                listed(found)
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

fn listed(stacks: &[StackName]) -> String {
    stacks.iter().map(StackName::as_str).collect::<Vec<_>>().join(", ")
}
