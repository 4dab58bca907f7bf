//! What the caller knows of the ops that rules run: a rule is checked against it at load.

use model::{Class, OpManifest};

use crate::exec::Exec;

/// What is known of the op that an EXEC names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<'a> {
    /// What the op says of itself: the rule may give it these parameters and secrets.
    Op(&'a OpManifest),
    /// There is no such op; there are these, as EXEC would name them.
    Absent(Vec<String>),
    /// Nothing: the rule is not checked against it.
    Nothing,
}

impl Known<'_> {
    /// Whether it may return a credential.
    pub(crate) fn makes_credential(&self) -> bool {
        matches!(self, Self::Op(manifest) if manifest.outputs.iter().any(|output| output.class == Class::Credential))
    }
}

/// Knows ops; the chassis does, a formatter need not.
pub trait Ops {
    /// What is known of the op behind `exec`, a built-in or one of the tenant's.
    fn known(&self, exec: &Exec) -> Known<'_>;
}

/// Knows nothing of any op.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyOps;

impl Ops for AnyOps {
    fn known(&self, _: &Exec) -> Known<'_> {
        Known::Nothing
    }
}
