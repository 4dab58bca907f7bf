//! What one call may see: the secrets of one rule, opened for one purpose.

use std::sync::Arc;

use model::{CredentialId, Destination, FormatTemplate, OpRef, SecretName, Slot};

use crate::cleartext::Cleartext;
use crate::credentials::Credentials;
use crate::error::Error;

/// The purpose of a bag whose secrets a sandboxed op may ask for.
pub struct Reveal {
    op: Option<OpRef>,
}

/// The purpose of a bag whose secrets go into one outbound request.
pub struct Splice {
    destination: Destination,
}

/// The secrets one call was granted, opened for the purpose `P`. Moved, never shared,
/// wiped when dropped.
///
/// The purpose is in the type. A bag packed for an outbound request is the wrong type
/// for a sandbox:
///
/// ```compile_fail,E0308
/// use txco_vault::{Reveal, SecretBag, Splice};
/// fn call(_: SecretBag<Reveal>) {}
/// fn f(bag: SecretBag<Splice>) { call(bag) }
/// ```
/// and a bag packed for a sandbox has nowhere to travel to:
///
/// ```compile_fail,E0599
/// use txco_vault::{Reveal, SecretBag};
/// fn f(bag: SecretBag<Reveal>) { let _ = bag.destination(); }
/// ```
/// Like everything that holds a secret it cannot be printed or copied:
///
/// ```compile_fail,E0277
/// fn f(bag: txco_vault::SecretBag<txco_vault::Reveal>) { let _ = format!("{bag:?}"); }
/// ```
/// ```compile_fail,E0277
/// fn f(bag: txco_vault::SecretBag<txco_vault::Splice>) { let _ = format!("{bag:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(bag: txco_vault::SecretBag<txco_vault::Splice>) { let _ = bag.clone(); }
/// ```
/// ```compile_fail,E0277
/// fn f(bag: txco_vault::SecretBag<txco_vault::Reveal>) { let _ = serde_json::to_string(&bag); }
/// ```
pub struct SecretBag<P> {
    purpose: P,
    packed: Vec<Packed>,
}

/// One slot of a bag. Slots that name the same secret share its bytes.
pub(crate) struct Packed {
    pub(crate) slot: Slot,
    /// The slot as guests spell it.
    pub(crate) slot_text: String,
    pub(crate) name: SecretName,
    pub(crate) version: u32,
    pub(crate) format: Option<FormatTemplate>,
    pub(crate) cleartext: Arc<Cleartext>,
}

/// One slot of a bag without its value: for traces, logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted<'a> {
    /// Where the rule wanted it.
    pub slot: &'a Slot,
    /// Which secret.
    pub name: &'a SecretName,
    /// Which version of it.
    pub version: u32,
}

/// One slot of a bag with its value, for the splice.
pub struct Entry<'a> {
    /// Where in the request it goes.
    pub slot: &'a Slot,
    /// Which secret.
    pub name: &'a SecretName,
    /// Which version of it.
    pub version: u32,
    /// The text around the value, when the rule gave one.
    pub format: Option<&'a FormatTemplate>,
    /// The value.
    pub cleartext: &'a Cleartext,
}

impl<P> SecretBag<P> {
    /// What is in the bag, by name.
    pub fn granted(&self) -> impl Iterator<Item = Granted<'_>> {
        self.packed.iter().map(|one| Granted { slot: &one.slot, name: &one.name, version: one.version })
    }
}

impl SecretBag<Reveal> {
    /// A bag with nothing in it, for an op that was granted nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self { purpose: Reveal { op: None }, packed: Vec::new() }
    }

    pub(crate) const fn of(op: OpRef, packed: Vec<Packed>) -> Self {
        Self { purpose: Reveal { op: Some(op) }, packed }
    }

    /// The op it was packed for; an empty bag is for any.
    #[must_use]
    pub const fn op(&self) -> Option<&OpRef> {
        self.purpose.op.as_ref()
    }

    /// How many versions `slot` offers, or `None` when this call was not granted it.
    #[must_use]
    pub fn versions(&self, slot: &str) -> Option<u32> {
        self.slot(slot).map(|_| 1)
    }

    /// The value in `slot`; index 0 is the newest version.
    #[must_use]
    pub fn cleartext(&self, slot: &str, index: u32) -> Option<&Cleartext> {
        self.slot(slot).filter(|_| index == 0).map(|one| one.cleartext.as_ref())
    }

    /// Mints `bytes`, which an op made of these secrets, as a credential of the request.
    /// Its parents are all secrets of the bag: what it may be sent to later is what all of
    /// them may be sent to.
    ///
    /// # Errors
    /// [`Error::TooManyCredentials`], [`Error::NoMemory`].
    pub fn derive(&self, credentials: &Credentials, bytes: &[u8]) -> Result<CredentialId, Error> {
        let mut parents: Vec<_> = self.packed.iter().map(|one| one.name.clone()).collect();
        parents.sort();
        parents.dedup();
        credentials.hold(bytes, parents)
    }

    fn slot(&self, text: &str) -> Option<&Packed> {
        self.packed.iter().find(|one| one.slot_text == text)
    }
}

impl SecretBag<Splice> {
    /// A bag with nothing in it, for a request that carries no secret of the store.
    #[must_use]
    pub const fn empty(destination: Destination) -> Self {
        Self { purpose: Splice { destination }, packed: Vec::new() }
    }

    pub(crate) const fn of(destination: Destination, packed: Vec<Packed>) -> Self {
        Self { purpose: Splice { destination }, packed }
    }

    /// The only place these secrets may travel to. The bag names it, not the request: a
    /// rule that edits the URL after packing sends to the packed place or fails.
    #[must_use]
    pub const fn destination(&self) -> &Destination {
        &self.purpose.destination
    }

    /// The slots with their values.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.packed.iter().map(|one| Entry {
            slot: &one.slot,
            name: &one.name,
            version: one.version,
            format: one.format.as_ref(),
            cleartext: &one.cleartext,
        })
    }
}
