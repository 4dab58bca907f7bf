//! A policy as it is stored: one text for one policy, so that its digest can be sealed in.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{HostRule, OpRule, Ops, Policy, Purpose};
use crate::{Class, Digest, OpName};

const HEAD: &str = "txco/policy/1";
/// The most hosts or ops that one policy names.
const MOST: usize = 64;

/// A text that is no policy of this version of txco.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a policy that this version of txco knows")]
pub struct UnknownPolicy;

/// One line for each rule, in a fixed order.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for purpose in &self.purposes {
            write!(f, "\npurpose {}", purpose.word())?;
        }
        for host in self.hosts.iter().flatten() {
            write!(f, "\nhost {host}")?;
        }
        match &self.ops {
            Ops::Any => Ok(()),
            Ops::Sealing => f.write_str("\nops sealing"),
            Ops::Only(rules) => rules.iter().try_for_each(|rule| match rule {
                OpRule::Builtin(name) => write!(f, "\nop txco://{name}"),
                OpRule::Tenant { name, returns, digests } => {
                    write!(f, "\nop op://{name} {}", returns.word())?;
                    digests.iter().try_for_each(|digest| write!(f, " {digest}"))
                }
            }),
        }
    }
}

/// Reads what [`fmt::Display`] writes, and nothing else.
impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        let mut lines = text.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(UnknownPolicy);
        }
        let (mut purposes, mut hosts, mut rules) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut sealing = false;
        for line in lines {
            match line.split_once(' ').ok_or(UnknownPolicy)? {
                ("purpose", word) => {
                    purposes.insert(Purpose::parse(word).ok_or(UnknownPolicy)?);
                }
                ("host", host) => {
                    hosts.insert(HostRule::parse(host).map_err(|_| UnknownPolicy)?);
                }
                ("ops", "sealing") => sealing = true,
                ("op", rule) => {
                    rules.insert(op_rule(rule)?);
                }
                _ => return Err(UnknownPolicy),
            }
        }
        let policy = Self {
            purposes,
            hosts: (!hosts.is_empty()).then_some(hosts),
            ops: match (sealing, rules.is_empty()) {
                (true, _) => Ops::Sealing,
                (false, true) => Ops::Any,
                (false, false) => Ops::Only(rules),
            },
        };
        // Two texts of one policy would be two digests.
        if policy.to_string() == text && !policy.purposes.is_empty() {
            Ok(policy)
        } else {
            Err(UnknownPolicy)
        }
    }
}

fn op_rule(text: &str) -> Result<OpRule, UnknownPolicy> {
    let mut words = text.split(' ');
    let operand = words.next().unwrap_or_default();
    if let Some(name) = operand.strip_prefix("txco://") {
        return OpName::parse(name).map(OpRule::Builtin).map_err(|_| UnknownPolicy);
    }
    let name =
        operand.strip_prefix("op://").and_then(|name| OpName::parse(name).ok()).ok_or(UnknownPolicy)?;
    let returns = words.next().and_then(Class::parse).ok_or(UnknownPolicy)?;
    let digests = words.map(|word| Digest::parse(word).ok_or(UnknownPolicy)).collect::<Result<_, _>>()?;
    Ok(OpRule::Tenant { name, returns, digests })
}

impl Policy {
    /// What binds this policy to the keys of its secret.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_string().as_bytes())
    }

    /// Whether it names more than a policy may.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        let ops = match &self.ops {
            Ops::Any | Ops::Sealing => 0,
            Ops::Only(rules) => rules.len(),
        };
        ops > MOST || self.hosts.as_ref().map_or(0, BTreeSet::len) > MOST
    }

    /// How many hosts, and how many ops, a policy may name.
    #[must_use]
    pub const fn most() -> usize {
        MOST
    }
}
