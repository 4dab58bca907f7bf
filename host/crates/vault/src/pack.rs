//! Packing: the names a rule declared become the bags of one call, or a loud failure (D3).

use std::sync::Arc;

use model::{Class, Destination, OpRef, Origin, SecretName, SecretRef, Slot, StackName, TenantId};
use store::{ActiveSecret, Resolution};

use crate::bag::{OpBags, Opened, Packed, Reveal, SecretBag, Splice, Use};
use crate::encoding::Encoding;
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

/// What an op's component can do with secrets.
#[derive(Clone, Copy)]
pub struct Wants<'a> {
    /// It asks to be shown them: it imports `secrets`.
    pub reveal: bool,
    /// It uses handles: it imports `keys`.
    pub keys: bool,
    /// Whether it can use a version of a slot that is being retired (R22).
    pub accepts_retiring: &'a dyn Fn(&Slot) -> bool,
}

/// A declared secret that was found.
struct Found<'a> {
    declared: &'a SecretRef,
    secret: Arc<ActiveSecret>,
}

impl Vault {
    /// Opens what a rule declared for a call of `op`: into the bag that shows, into the bag
    /// of handles, or both, as the op wants and the secrets' policies permit.
    ///
    /// # Errors
    /// The first name that cannot be had: [`Error::NotFound`], [`Error::Revoked`],
    /// [`Error::Undecryptable`], [`Error::Store`]. What was opened before it is wiped.
    pub fn pack_for_op(
        &self,
        caller: &Caller<'_>,
        op: &OpRef,
        origin: Origin,
        wants: &Wants<'_>,
        refs: &[SecretRef],
    ) -> Result<OpBags, Error> {
        let (mut shown, mut used) = (Vec::new(), Vec::new());
        let mut opened = OpenedOnce::default();
        let mut parents = Vec::new();
        for found in self.find(caller, refs)? {
            let packed = self.open_one(&mut opened, &found)?;
            parents.push(found.declared.name.clone());
            if wants.keys {
                used.push(packed.again());
            }
            if wants.reveal {
                shown.push(packed);
            }
        }
        parents.sort();
        parents.dedup();
        let may_return = match origin {
            Origin::Builtin => Class::Data,
            Origin::Tenant => Class::Credential,
        };
        Ok(OpBags {
            reveal: SecretBag::<Reveal>::of(op.clone(), parents, Vec::new(), may_return, shown),
            keys: SecretBag::<Use>::of(used),
        })
    }

    /// Opens what a rule declared for an op that is only shown secrets.
    ///
    /// # Errors
    /// As [`pack_for_op`](Self::pack_for_op).
    pub fn pack_reveal(
        &self,
        caller: &Caller<'_>,
        op: &OpRef,
        refs: &[SecretRef],
    ) -> Result<SecretBag<Reveal>, Error> {
        let wants = Wants { reveal: true, keys: false, accepts_retiring: &|_| false };
        Ok(self.pack_for_op(caller, op, Origin::Builtin, &wants, refs)?.reveal)
    }

    /// Opens what a rule declared for one outbound request.
    ///
    /// # Errors
    /// As [`pack_for_op`](Self::pack_for_op).
    pub fn pack_splice(
        &self,
        caller: &Caller<'_>,
        destination: &Destination,
        refs: &[SecretRef],
    ) -> Result<SecretBag<Splice>, Error> {
        let mut opened = OpenedOnce::default();
        let mut packed = Vec::with_capacity(refs.len());
        for found in self.find(caller, refs)? {
            packed.push(self.open_one(&mut opened, &found)?);
        }
        Ok(SecretBag::<Splice>::of(destination.clone(), packed))
    }

    /// One look at the database for all names.
    fn find<'r>(&self, caller: &Caller<'_>, refs: &'r [SecretRef]) -> Result<Vec<Found<'r>>, Error> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let resolved = self.store.resolve(caller.tenant, caller.stack, refs.iter().map(|one| &one.name))?;
        let found = refs.iter().zip(resolved).map(|(declared, resolution)| {
            let name = || declared.name.clone();
            match resolution {
                Resolution::Found(secret) => Ok(Found { declared, secret }),
                Resolution::Revoked(stack) => Err(Error::Revoked { name: name(), stack }),
                Resolution::Missing => Err(Error::NotFound { name: name() }),
            }
        });
        found.collect()
    }

    fn open_one(&self, opened: &mut OpenedOnce, found: &Found<'_>) -> Result<Packed, Error> {
        let name = &found.declared.name;
        let newest = match opened.find(name) {
            Some(known) => known,
            None => match self.unseal(&found.secret) {
                Ok((version, cleartext)) => {
                    let cleartext = Arc::new(cleartext);
                    opened.keep(name, Opened { version, encoding: Encoding::Text, cleartext })
                }
                Err(why) => return Err(Error::Undecryptable { name: name.clone(), why }),
            },
        };
        let slot = found.declared.slot.clone();
        Ok(Packed {
            slot_text: slot.to_string(),
            slot,
            name: name.clone(),
            format: found.declared.format.clone(),
            newest,
            retiring: None,
        })
    }
}

/// One opening per secret however many slots it fills.
#[derive(Default)]
struct OpenedOnce(Vec<(SecretName, Opened)>);

impl OpenedOnce {
    fn find(&self, name: &SecretName) -> Option<Opened> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, opened)| opened.again())
    }

    fn keep(&mut self, name: &SecretName, opened: Opened) -> Opened {
        self.0.push((name.clone(), opened.again()));
        opened
    }
}
