//! Where a request waits, as administrators are told: names and numbers, nothing of its envelope.

use crate::held::{Held, HeldPart};

/// Where a request waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// The stack that has the scope.
    pub stack: String,
    /// The scope.
    pub scope: u32,
    /// The rules whose workers are waited for, in the order of their parts.
    pub rules: Vec<String>,
    /// The fuel that was used so far.
    pub fuel: u64,
    /// How many stages it may enter still, when that is bounded.
    pub left: Option<u32>,
}

impl Stands {
    /// What is told of the bytes that a request holds; nothing when they are of another layout.
    #[must_use]
    pub fn of(held: &[u8]) -> Option<Self> {
        let held = Held::read(held)?;
        let rules = held.parts.into_iter().filter_map(|part| match part {
            HeldPart::Waits { rule, .. } => Some(rule),
            HeldPart::Added { .. } => None,
        });
        let rules = rules.collect();
        let stack = held.owner.as_str().to_owned();
        Some(Self { stack, scope: held.scope, rules, fuel: held.fuel, left: held.left })
    }
}
