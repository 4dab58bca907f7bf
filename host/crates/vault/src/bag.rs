//! What one call may see: the secrets of one rule, opened for one purpose.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Class, CredentialId, Destination, FormatTemplate, HostRule, Id, OpRef, SecretName, Slot};

use crate::cleartext::Cleartext;
use crate::credentials::{Bonds, Credentials, Parent};
use crate::encoding::Encoding;
use crate::error::Error;
use crate::key::{Key, KeyError};
use crate::uses::Uses;

/// The purpose of a bag whose secrets a sandboxed op may ask for.
pub struct Reveal {
    op: Option<OpRef>,
    /// All secrets of the call, the ones it has as handles too.
    parents: Vec<Parent>,
    /// Slots of the call that the op may not see.
    denied: Vec<String>,
    may_return: Class,
}

/// The purpose of a bag whose secrets a sandboxed op may use through handles.
pub struct Use(());

/// What one call of an op was granted: to see, and to use without seeing.
pub struct OpBags {
    /// For the op's `secrets` interface.
    pub reveal: SecretBag<Reveal>,
    /// For its `keys` interface.
    pub keys: SecretBag<Use>,
}

/// The purpose of a bag whose secrets go into one outbound request.
pub struct Splice {
    destination: Destination,
    parents: Vec<Parent>,
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
/// A bag of handles shows no bytes:
///
/// ```compile_fail,E0599
/// fn f(bag: txco_vault::SecretBag<txco_vault::Use>) { let _ = bag.cleartext("key", 0); }
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
    pub(crate) format: Option<FormatTemplate>,
    pub(crate) newest: Opened,
    /// The version that is being retired, where the op accepts it (R22).
    pub(crate) retiring: Option<Opened>,
}

/// One version of a secret, open.
pub(crate) struct Opened {
    pub(crate) version: u32,
    pub(crate) encoding: Encoding,
    pub(crate) cleartext: Arc<Cleartext>,
    /// Told when it is handed out, where that is not certain when it is packed.
    pub(crate) counter: Option<Arc<Counter>>,
}

/// Counts the uses of one version.
pub(crate) struct Counter {
    pub(crate) uses: Arc<Uses>,
    pub(crate) secret: Id,
}

impl Packed {
    fn version(&self, index: u32) -> Option<&Opened> {
        match index {
            0 => Some(&self.newest),
            1 => {
                let retiring = self.retiring.as_ref()?;
                if let Some(counter) = &retiring.counter {
                    counter.uses.note(&counter.secret, retiring.version);
                }
                Some(retiring)
            }
            _ => None,
        }
    }

    fn versions(&self) -> u32 {
        1 + u32::from(self.retiring.is_some())
    }

    /// The same slot, for another bag: it shares the bytes.
    pub(crate) fn again(&self) -> Self {
        Self {
            slot: self.slot.clone(),
            slot_text: self.slot_text.clone(),
            name: self.name.clone(),
            format: self.format.clone(),
            newest: self.newest.again(),
            retiring: self.retiring.as_ref().map(Opened::again),
        }
    }
}

impl Opened {
    /// The same version, sharing the bytes.
    pub(crate) fn again(&self) -> Self {
        let cleartext = Arc::clone(&self.cleartext);
        Self { version: self.version, encoding: self.encoding, cleartext, counter: self.counter.clone() }
    }
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
        self.packed.iter().map(|one| Granted {
            slot: &one.slot,
            name: &one.name,
            version: one.newest.version,
        })
    }

    fn slot(&self, text: &str) -> Option<&Packed> {
        self.packed.iter().find(|one| one.slot_text == text)
    }
}

impl SecretBag<Reveal> {
    /// A bag with nothing in it, for an op that was granted nothing.
    #[must_use]
    pub const fn empty() -> Self {
        let purpose = Reveal { op: None, parents: Vec::new(), denied: Vec::new(), may_return: Class::Data };
        Self { purpose, packed: Vec::new() }
    }

    pub(crate) const fn of(
        op: OpRef,
        parents: Vec<Parent>,
        denied: Vec<String>,
        may_return: Class,
        packed: Vec<Packed>,
    ) -> Self {
        Self { purpose: Reveal { op: Some(op), parents, denied, may_return }, packed }
    }

    /// The op it was packed for; an empty bag is for any.
    #[must_use]
    pub const fn op(&self) -> Option<&OpRef> {
        self.purpose.op.as_ref()
    }

    /// How many versions `slot` offers, or `None` when this call was not granted it.
    #[must_use]
    pub fn versions(&self, slot: &str) -> Option<u32> {
        self.slot(slot).map(Packed::versions)
    }

    /// The value in `slot`; index 0 is the newest version, 1 the one that is being retired.
    #[must_use]
    pub fn cleartext(&self, slot: &str, index: u32) -> Option<&Arc<Cleartext>> {
        Some(&self.slot(slot)?.version(index)?.cleartext)
    }

    /// Whether the call has `slot`, and the op may use it but not see it.
    #[must_use]
    pub fn denied(&self, slot: &str) -> bool {
        self.purpose.denied.iter().any(|denied| denied == slot)
    }

    /// The class that tells least about secrets among those the op may return after it was
    /// shown one: all secrets of the bag allow it (R21).
    #[must_use]
    pub const fn may_return(&self) -> Class {
        self.purpose.may_return
    }

    /// Mints `bytes`, which an op made of these secrets, as a credential of the request.
    /// Its parents are all secrets of the call, handles too: what it may be sent to later
    /// is what all of them may be sent to.
    ///
    /// # Errors
    /// [`Error::TooManyCredentials`], [`Error::NoMemory`].
    pub fn derive(&self, credentials: &Credentials, bytes: &[u8]) -> Result<CredentialId, Error> {
        credentials.hold(bytes, self.purpose.parents.clone())
    }
}

impl SecretBag<Use> {
    /// A bag with nothing in it, for an op that was granted nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self { purpose: Use(()), packed: Vec::new() }
    }

    pub(crate) const fn of(packed: Vec<Packed>) -> Self {
        Self { purpose: Use(()), packed }
    }

    /// How many versions `slot` offers, or `None` when this call was not granted it.
    #[must_use]
    pub fn versions(&self, slot: &str) -> Option<u32> {
        self.slot(slot).map(Packed::versions)
    }

    /// A handle to the value in `slot`, which `encoding` reads as a key; index 0 is the
    /// newest version, 1 the one that is being retired.
    ///
    /// # Errors
    /// [`KeyError::NoSuchSlot`], [`KeyError::NoSuchVersion`].
    pub fn key(&self, slot: &str, index: u32, encoding: Encoding) -> Result<Key, KeyError> {
        let packed = self.slot(slot).ok_or(KeyError::NoSuchSlot)?;
        let opened = packed.version(index).ok_or(KeyError::NoSuchVersion)?;
        let encoding = if encoding == Encoding::Declared { opened.encoding } else { encoding };
        Ok(Key::stored(Arc::clone(&opened.cleartext), encoding))
    }
}

impl SecretBag<Splice> {
    /// A bag with nothing in it, for a request that carries no secret of the store.
    #[must_use]
    pub const fn empty(destination: Destination) -> Self {
        Self { purpose: Splice { destination, parents: Vec::new() }, packed: Vec::new() }
    }

    pub(crate) const fn of(destination: Destination, parents: Vec<Parent>, packed: Vec<Packed>) -> Self {
        Self { purpose: Splice { destination, parents }, packed }
    }

    /// What binds the credentials in the reply to a request to `from` that carries this bag:
    /// they go back to `from`, to `hosts`, and nowhere that a policy here does not allow.
    #[must_use]
    pub fn bonds(&self, from: Destination, hosts: BTreeSet<HostRule>) -> Bonds {
        Bonds::new(from, hosts, self.purpose.parents.clone())
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
            version: one.newest.version,
            format: one.format.as_ref(),
            cleartext: &one.newest.cleartext,
        })
    }
}
