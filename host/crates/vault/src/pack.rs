//! Packing: the names a rule declared become the bag of one call, or a loud failure (D3).

use std::sync::Arc;

use model::{Destination, OpRef, SecretRef, StackName, TenantId};
use store::{ActiveSecret, Resolution};

use crate::bag::{Packed, Reveal, SecretBag, Splice};
use crate::cleartext::Cleartext;
use crate::error::Error;
use crate::vault::Vault;

/// On whose behalf a bag is packed: the tenant of the request and the stack that the rule
/// itself belongs to. A [`SecretRef`] has no tenant, so it cannot leave this one.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The tenant of the request.
    pub tenant: &'a TenantId,
    /// The stack of the rule.
    pub stack: Option<&'a StackName>,
}

impl Vault {
    /// Opens what a rule declared for a sandboxed op.
    ///
    /// # Errors
    /// The first name that cannot be had: [`Error::NotFound`], [`Error::Revoked`],
    /// [`Error::Undecryptable`], [`Error::Store`]. What was opened before it is wiped.
    pub fn pack_reveal(
        &self,
        caller: &Caller<'_>,
        op: &OpRef,
        refs: &[SecretRef],
    ) -> Result<SecretBag<Reveal>, Error> {
        Ok(SecretBag::<Reveal>::of(op.clone(), self.pack(caller, refs)?))
    }

    /// Opens what a rule declared for one outbound request.
    ///
    /// # Errors
    /// As [`pack_reveal`](Self::pack_reveal).
    pub fn pack_splice(
        &self,
        caller: &Caller<'_>,
        destination: &Destination,
        refs: &[SecretRef],
    ) -> Result<SecretBag<Splice>, Error> {
        Ok(SecretBag::<Splice>::of(destination.clone(), self.pack(caller, refs)?))
    }

    /// One look at the database for all names, one opening per secret however many slots
    /// it fills.
    fn pack(&self, caller: &Caller<'_>, refs: &[SecretRef]) -> Result<Vec<Packed>, Error> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let resolved = self.store.resolve(caller.tenant, caller.stack, refs.iter().map(|one| &one.name))?;
        let mut packed: Vec<Packed> = Vec::with_capacity(refs.len());
        for (one, resolution) in refs.iter().zip(resolved) {
            let name = &one.name;
            let secret = match resolution {
                Resolution::Found(secret) => secret,
                Resolution::Revoked(stack) => return Err(Error::Revoked { name: name.clone(), stack }),
                Resolution::Missing => return Err(Error::NotFound { name: name.clone() }),
            };
            let opened = packed.iter().find(|other| other.name == *name);
            let (version, cleartext) = match opened {
                Some(other) => (other.version, Arc::clone(&other.cleartext)),
                None => self.open_one(&secret)?,
            };
            packed.push(Packed {
                slot: one.slot.clone(),
                slot_text: one.slot.to_string(),
                name: name.clone(),
                version,
                format: one.format.clone(),
                cleartext,
            });
        }
        Ok(packed)
    }

    fn open_one(&self, secret: &ActiveSecret) -> Result<(u32, Arc<Cleartext>), Error> {
        match self.unseal(secret) {
            Ok((version, cleartext)) => Ok((version, Arc::new(cleartext))),
            Err(why) => Err(Error::Undecryptable { name: secret.name.clone(), why }),
        }
    }
}
