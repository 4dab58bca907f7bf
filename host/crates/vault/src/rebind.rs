//! Moving the versions of a secret to another policy: the DEKs are wrapped anew (R11).

use model::{Digest, Id};
use store::{Metadata, PolicyRow, SealedSecret, SealedVersion, SecretAddress, Writing};

use crate::context::{Context, digest, written};
use crate::encoding::Encoding;
use crate::error::{Error, Unopened};
use crate::terms::Terms;
use crate::vault::Vault;

/// What happens to a version that does not open when its policy changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// Nothing is changed.
    Fails,
    /// It stays under the old policy, and shut: a newer value takes its place.
    StaysBehind,
}

impl Vault {
    /// Changes the policy as `terms` say, if they say anything; tells what it is then.
    pub(crate) fn policy_in(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        found: &Metadata,
        terms: &Terms<'_>,
        shut: Shut,
    ) -> Result<Option<PolicyRow>, Error> {
        let (before, after) = (found.policy.as_ref(), terms.policy_after(found.policy.as_ref())?);
        let undecryptable = |why| Error::Undecryptable { name: address.name.clone(), why };
        if after.as_ref() == before {
            return Ok(after);
        }
        let new = digest(after.as_ref()).map_err(undecryptable)?;
        for version in writing.held(&found.secret_id)? {
            let moved = self.moved(address, found, &version, new)?;
            match (moved, shut) {
                (Ok(sealed), _) => writing.seal_again(&found.secret_id, version.version_no, &sealed)?,
                (Err(_), Shut::StaysBehind) => {}
                (Err(why), Shut::Fails) => return Err(undecryptable(why)),
            }
        }
        writing
            .put_policy(&found.secret_id, after.as_ref().and_then(PolicyRow::policy).map(AsRef::as_ref))?;
        Ok(after)
    }

    /// A version of `found`, sealed for the policy with the digest `new`.
    fn moved(
        &self,
        address: &SecretAddress<'_>,
        found: &Metadata,
        version: &SealedVersion,
        new: Option<Digest>,
    ) -> Result<Result<SealedSecret, Unopened>, Error> {
        let Some(sealed) = &version.sealed else { return Ok(Err(Unopened::UnknownScheme)) };
        let contexts = digest(found.policy.as_ref()).and_then(|old| {
            let to = context_of(address, &found.secret_id, version, new)?;
            Ok((Context { policy: old, scheme: sealed.scheme, ..to }, to))
        });
        match contexts {
            Ok((from, to)) => self.reseal(&from, to, sealed),
            Err(why) => Ok(Err(why)),
        }
    }

    /// A policy that stays must be the one that the version in use is sealed under. Otherwise
    /// whoever edited the row would only have to wait for the next rotation to get a value
    /// sealed under a policy of their own.
    pub(crate) fn prove_policy(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        found: &Metadata,
    ) -> Result<(), Error> {
        let held = writing.held(&found.secret_id)?;
        let Some(version) = held.iter().find(|one| one.version_no == found.version_no) else { return Ok(()) };
        let proven = version.sealed.as_ref().ok_or(Unopened::UnknownScheme).and_then(|sealed| {
            let policy = digest(found.policy.as_ref())?;
            let context = context_of(address, &found.secret_id, version, policy)?;
            self.unwrap(&Context { scheme: sealed.scheme, ..context }, sealed).map(drop)
        });
        proven.map_err(|why| Error::PolicyUnproven { name: address.name.clone(), why })
    }
}

fn context_of<'a>(
    address: &SecretAddress<'a>,
    id: &'a Id,
    version: &SealedVersion,
    policy: Option<Digest>,
) -> Result<Context<'a>, Unopened> {
    let encoding =
        Encoding::parse(written(version.key_encoding.as_deref())).ok_or(Unopened::UnknownScheme)?;
    Ok(Context::at(address, id, version.version_no, encoding, policy))
}
