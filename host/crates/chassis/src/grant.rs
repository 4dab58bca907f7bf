//! What a call of an op may see: which of its builds the secrets' policies permit, packed for it.

use std::sync::Arc;

use model::{Class, Failure, Fault, OpManifest, SecretRef};
use sandbox::{Op, Trust};
use vault::{Caller, Declared, Error, OpBags, Origin, Reveal, SecretBag, Use, Vault, Wants};

use crate::registry::{Builds, Grants};

/// Chooses the build that is permitted what it imports (R22), and packs for it. Nothing is
/// decrypted for a build that is not called.
///
/// The one that is shown secrets is taken when the policies of all its slots permit that,
/// else the one with handles; and if neither has all of its slots, one that asks for both and
/// may see some of them.
pub(crate) fn grant<'b>(
    vault: Option<&Vault>,
    caller: &Caller<'_>,
    builds: &'b Builds,
    refs: &[SecretRef],
) -> Result<(&'b Arc<Op>, OpBags), Failure> {
    let no_build = || Failure::new(Fault::Internal, "an op without a build");
    if refs.is_empty() {
        let op = builds.in_order(Grants::None).next().ok_or_else(no_build)?;
        let bags = OpBags { reveal: SecretBag::<Reveal>::empty(), keys: SecretBag::<Use>::empty() };
        return Ok((op, bags));
    }
    let vault = vault.ok_or_else(store_off)?;
    let declared = vault.declared(caller, refs).map_err(|error| error.failure())?;
    let mut denied = None;
    for partly in [false, true] {
        for op in builds.in_order(Grants::Some) {
            match pack(vault, &declared, op, partly) {
                Ok(bags) => return Ok((op, bags)),
                Err(error @ Error::Denied { .. }) => denied = Some(error),
                Err(error) => return Err(error.failure()),
            }
        }
    }
    Err(denied.map_or_else(no_build, |error| error.failure()))
}

fn pack(vault: &Vault, declared: &Declared<'_>, op: &Op, partly: bool) -> Result<OpBags, Error> {
    let origin = match op.trust() {
        Trust::Builtin => Origin::Builtin,
        Trust::Tenant | Trust::Author => Origin::Tenant,
    };
    let wants = Wants {
        reveal: op.reveals(),
        keys: op.uses_keys(),
        accepts_retiring: &|slot| op.accepts_retiring(slot),
        loosest: op.manifest().map_or(Class::Data, OpManifest::loosest),
        partly,
    };
    vault.pack(declared, op.reference(), origin, &wants)
}

/// The failure of everything that needs the store while it is off.
pub(crate) fn store_off() -> Failure {
    Failure::new(Fault::SecretStoreUnavailable, "the secret store is off; the start-up log says why")
}
