//! What a call of an op may see: which of its builds the secrets' policies permit, packed for it.

use std::sync::Arc;

use model::{Class, Failure, Fault, OpManifest, SecretRef};
use sandbox::{Op, Trust};
use vault::{Caller, OpBags, Origin, Reveal, SecretBag, Use, Vault, Wants};

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
    let grants = if refs.is_empty() { Grants::None } else { Grants::Some };
    let mut denied = Failure::new(Fault::Internal, "an op without a build");
    for partly in [false, true] {
        for op in builds.in_order(grants) {
            match pack(vault, caller, op, refs, partly) {
                Ok(bags) => return Ok((op, bags)),
                Err(failure) if failure.fault == Fault::SecretDenied => denied = failure,
                Err(failure) => return Err(failure),
            }
        }
    }
    Err(denied)
}

fn pack(
    vault: Option<&Vault>,
    caller: &Caller<'_>,
    op: &Op,
    refs: &[SecretRef],
    partly: bool,
) -> Result<OpBags, Failure> {
    if refs.is_empty() {
        return Ok(OpBags { reveal: SecretBag::<Reveal>::empty(), keys: SecretBag::<Use>::empty() });
    }
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
    let packed = vault.ok_or_else(store_off)?.pack_for_op(caller, op.reference(), origin, &wants, refs);
    packed.map_err(|error| error.failure())
}

/// The failure of everything that needs the store while it is off.
pub(crate) fn store_off() -> Failure {
    Failure::new(Fault::SecretStoreUnavailable, "the secret store is off; the start-up log says why")
}
