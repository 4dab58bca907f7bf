//! What a secret may be used for: purposes, hosts and ops, and the answer to "may this be?".

mod host;
mod text;

use std::collections::BTreeSet;
use std::fmt;

pub use host::HostRule;
pub use text::UnknownPolicy;

use crate::{Class, Destination, Digest, OpName, OpRef, Origin};

/// One way of using a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// It goes into an outbound request.
    Splice,
    /// The host computes with it for an op, which never sees it.
    Use,
    /// It is shown to an op.
    Reveal,
}

impl Purpose {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Splice, Self::Use, Self::Reveal];

    /// Its word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Splice => "splice",
            Self::Use => "use",
            Self::Reveal => "reveal",
        }
    }

    /// Reads `splice`, `use` or `reveal`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.word() == word)
    }
}

/// An op that a secret may be handed to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpRule {
    /// A built-in, by name: the bytes this binary embeds are trusted (R20).
    Builtin(OpName),
    /// An op of the tenant: these very builds of it, and what they may return after they
    /// were shown the secret (R21).
    Tenant {
        /// Its name.
        name: OpName,
        /// The least bound class that it may return.
        returns: Class,
        /// The digests of its builds when the policy was made.
        digests: BTreeSet<Digest>,
    },
}

/// Which ops a secret may be handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ops {
    /// Any.
    Any,
    /// Built-ins that return digests and credentials only: what they make of a secret tells
    /// nothing of it, or goes only where the secret may go (R19).
    Sealing,
    /// These.
    Only(BTreeSet<OpRule>),
}

/// What a secret may be used for. A secret without a policy may be used for anything in
/// its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    purposes: BTreeSet<Purpose>,
    hosts: Option<BTreeSet<HostRule>>,
    ops: Ops,
}

/// A use that a policy does not allow; names the rule that does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not for this purpose.
    #[error("its policy allows --purpose {allowed}, not {asked}")]
    Purpose {
        /// What was to be done.
        asked: &'static str,
        /// What may be.
        allowed: String,
    },
    /// Not to this host.
    #[error("its policy allows --allow-host {allowed}, not {asked}")]
    Host {
        /// Where it was to go.
        asked: Destination,
        /// Where it may.
        allowed: String,
    },
    /// It came with a reply, and not to this host.
    #[error("it came from {from}, and the rule's credential_hosts do not name {asked}")]
    Arrived {
        /// Where it was to go.
        asked: Destination,
        /// Who sent it.
        from: Destination,
    },
    /// Not by this op.
    #[error("its policy allows {allowed}, not {asked}")]
    Op {
        /// The op, with its scheme.
        asked: String,
        /// Those that may.
        allowed: String,
    },
    /// By this op, but not by these bytes of it.
    #[error(
        "its policy allows other bytes of {asked} than these ({digest}): a later push does not inherit it \
         (`secrets policy` with --allow-op {asked} allows the builds of today)"
    )]
    Build {
        /// The op, with its scheme.
        asked: String,
        /// The bytes that were to be called.
        digest: Digest,
    },
}

/// An op about to be called, as far as a policy asks.
#[derive(Debug, Clone, Copy)]
pub struct Callee<'a> {
    /// Its name and bytes.
    pub op: &'a OpRef,
    /// Whose it is.
    pub origin: Origin,
    /// The least bound class among its declared outputs.
    pub loosest: Class,
}

impl Policy {
    /// The policy that the flags of the command line ask for; `None` when they ask for
    /// nothing. Of what is not said, as little follows as is of use (R19): hosts alone
    /// imply splicing and the built-ins that seal what they make, ops alone imply being
    /// used and shown.
    #[must_use]
    pub fn asked(
        purposes: BTreeSet<Purpose>,
        hosts: BTreeSet<HostRule>,
        ops: BTreeSet<OpRule>,
    ) -> Option<Self> {
        let (said_hosts, said_ops) = (!hosts.is_empty(), !ops.is_empty());
        if purposes.is_empty() && !said_hosts && !said_ops {
            return None;
        }
        let implied = || match (said_hosts, said_ops) {
            (false, true) => BTreeSet::from([Purpose::Use, Purpose::Reveal]),
            _ => BTreeSet::from(Purpose::ALL),
        };
        let sealing = purposes.is_empty() && said_hosts;
        Some(Self {
            purposes: if purposes.is_empty() { implied() } else { purposes },
            hosts: said_hosts.then_some(hosts),
            ops: match (said_ops, sealing) {
                (true, _) => Ops::Only(ops),
                (false, true) => Ops::Sealing,
                (false, false) => Ops::Any,
            },
        })
    }

    /// What it may be used for.
    #[must_use]
    pub const fn purposes(&self) -> &BTreeSet<Purpose> {
        &self.purposes
    }

    /// Where it may go; `None` is anywhere.
    #[must_use]
    pub const fn hosts(&self) -> Option<&BTreeSet<HostRule>> {
        self.hosts.as_ref()
    }

    /// Which ops may have it.
    #[must_use]
    pub const fn ops(&self) -> &Ops {
        &self.ops
    }

    /// Whether it may go into a request to `destination`.
    ///
    /// # Errors
    /// [`Denied`] with the rule.
    pub fn splices(&self, destination: &Destination) -> Result<(), Denied> {
        self.is_for(Purpose::Splice)?;
        self.travels(destination)
    }

    /// Whether what was made of it may go to `destination`: hosts bind a credential too (R2).
    ///
    /// # Errors
    /// [`Denied::Host`].
    pub fn travels(&self, destination: &Destination) -> Result<(), Denied> {
        match &self.hosts {
            Some(hosts) if !hosts.iter().any(|rule| rule.matches(destination)) => {
                Err(Denied::Host { asked: destination.clone(), allowed: listed(hosts) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether `callee` may have it for `purpose`, and what it may return after it has seen it.
    ///
    /// # Errors
    /// [`Denied`] with the rule.
    pub fn serves(&self, callee: &Callee<'_>, purpose: Purpose) -> Result<Class, Denied> {
        self.is_for(purpose)?;
        let (name, digest) = (&callee.op.name, callee.op.digest);
        let asked = || format!("{}://{name}", callee.origin.scheme());
        let other = |allowed| Err(Denied::Op { asked: asked(), allowed });
        let free = match callee.origin {
            Origin::Builtin => Class::Data,
            Origin::Tenant => Class::Credential,
        };
        match &self.ops {
            Ops::Any => Ok(free),
            Ops::Sealing if callee.origin == Origin::Builtin && callee.loosest != Class::Data => Ok(free),
            Ops::Sealing => other("the built-in ops that return a digest or a credential".to_owned()),
            Ops::Only(rules) => {
                let mut known = false;
                for rule in rules {
                    match (rule, callee.origin) {
                        (OpRule::Builtin(allowed), Origin::Builtin) if allowed == name => return Ok(free),
                        (OpRule::Tenant { name: allowed, returns, digests }, Origin::Tenant)
                            if allowed == name =>
                        {
                            if digests.contains(&digest) {
                                return Ok(*returns);
                            }
                            known = true;
                        }
                        (OpRule::Builtin(_) | OpRule::Tenant { .. }, _) => {}
                    }
                }
                if known {
                    return Err(Denied::Build { asked: asked(), digest });
                }
                other(format!("--allow-op {}", listed(rules)))
            }
        }
    }

    fn is_for(&self, purpose: Purpose) -> Result<(), Denied> {
        if self.purposes.contains(&purpose) {
            return Ok(());
        }
        let allowed = self.purposes.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ");
        Err(Denied::Purpose { asked: purpose.word(), allowed })
    }
}

/// As on the command line, without digests: `op://signer:digest`.
impl fmt::Display for OpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "txco://{name}"),
            Self::Tenant { name, returns: Class::Credential, .. } => write!(f, "op://{name}"),
            Self::Tenant { name, returns, .. } => write!(f, "op://{name}:{}", returns.word()),
        }
    }
}

fn listed<T: fmt::Display>(all: &BTreeSet<T>) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
