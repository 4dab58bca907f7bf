//! What would be allowed and why, before anything runs: the decisions of `pack`, and no value opened.

use jiff::Timestamp;
use model::{Callee, Denied, Destination, OpRef, Origin, SecretName};

use crate::error::Error;
use crate::pack::{Caller, Wants, in_use, policy_of, resolved_to};
use crate::vault::Vault;

/// What a secret is to be used for.
pub enum Asked<'a> {
    /// A request to there.
    Request(&'a Destination),
    /// A call of an op, in the builds that there are of it: the one that is shown secrets first.
    Call(&'a [(OpRef, Origin, Wants<'a>)]),
    /// Nothing in particular: whether it is there and in use.
    Anything,
}

/// In which way it would be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may go into the request.
    Spliced,
    /// It may be shown to this build of the op.
    Shown(OpRef),
    /// This build of the op may compute with it.
    Used(OpRef),
    /// It is there, and nothing was asked.
    There,
    /// It may not; the rule that does not allow it.
    Denied(Denied),
}

/// What a name means to a rule, and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The stack of the secret that it means, empty for the whole tenant.
    pub stack: String,
    /// The version in use.
    pub version_no: u32,
    /// Whether the secret has a policy.
    pub has_policy: bool,
    /// What may be done.
    pub verdict: Verdict,
}

impl Vault {
    /// Explains what `name` means to `caller`, and whether it may be used as `asked`.
    ///
    /// # Errors
    /// Why the name cannot be had at all: [`Error::NotFound`], [`Error::Revoked`],
    /// [`Error::Expired`], [`Error::Undecryptable`], [`Error::Store`].
    pub fn explain(
        &self,
        caller: &Caller<'_>,
        name: &SecretName,
        asked: &Asked<'_>,
    ) -> Result<Explained, Error> {
        let resolution = self.store.resolve(caller.tenant, caller.stack, [name])?.pop();
        let secret = resolved_to(name, resolution.unwrap_or(store::Resolution::Missing))?;
        let policy = policy_of(&secret)?;
        let version = in_use(name, &secret, Timestamp::now())?;
        // The policy is sealed in, with name and stack: an edited one is none to answer by.
        self.proves(&secret, version)?;
        let version_no = version.version_no;
        let verdict = match asked {
            Asked::Anything => Verdict::There,
            Asked::Request(destination) => {
                match policy.as_ref().map_or(Ok(()), |policy| policy.splices(destination)) {
                    Ok(()) => Verdict::Spliced,
                    Err(denied) => Verdict::Denied(denied),
                }
            }
            Asked::Call(builds) => {
                let mut verdict = Verdict::There;
                for (op, origin, wants) in *builds {
                    let callee = Callee { op, origin: *origin, loosest: wants.loosest };
                    match wants.allowed(policy.as_deref(), &callee) {
                        Ok(ways) if ways.reveal.is_some() => {
                            return Ok(said(&secret, version_no, Verdict::Shown(op.clone())));
                        }
                        Ok(ways) if ways.keys => {
                            return Ok(said(&secret, version_no, Verdict::Used(op.clone())));
                        }
                        Ok(_) => {}
                        Err(denied) => verdict = Verdict::Denied(denied),
                    }
                }
                verdict
            }
        };
        Ok(said(&secret, version_no, verdict))
    }
}

fn said(secret: &store::ActiveSecret, version_no: u32, verdict: Verdict) -> Explained {
    Explained { stack: secret.stack.clone(), version_no, has_policy: secret.policy.is_some(), verdict }
}
