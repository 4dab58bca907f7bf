//! The key ring: the key that seals, those that still open, and where a ring comes from.

use store::KeyId;

use crate::error::ProviderError;
use crate::master_key::MasterKey;

/// The master keys of a house: new versions are sealed under the active one, rows open under
/// any. A row says which key wrapped it.
///
/// ```compile_fail,E0277
/// fn f(r: txco_vault::KeyRing) { let _ = format!("{r:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(r: txco_vault::KeyRing) { let _ = r.clone(); }
/// ```
pub struct KeyRing {
    /// The active key, which is first; never empty.
    active: MasterKey,
    others: Vec<MasterKey>,
}

impl KeyRing {
    /// A ring of one key.
    #[must_use]
    pub const fn new(active: MasterKey) -> Self {
        Self { active, others: Vec::new() }
    }

    /// The same with a key that only opens; one that is there already is not taken twice.
    #[must_use]
    pub fn and(mut self, key: MasterKey) -> Self {
        if self.find(key.id()).is_none() {
            self.others.push(key);
        }
        self
    }

    /// The key that seals.
    #[must_use]
    pub const fn active(&self) -> &MasterKey {
        &self.active
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&MasterKey> {
        self.keys().find(|key| key.id() == id)
    }

    /// All keys, the active one first.
    pub fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.active).chain(&self.others)
    }

    /// Their names, the active one's first.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        self.keys().map(MasterKey::id).collect()
    }
}

impl From<MasterKey> for KeyRing {
    fn from(key: MasterKey) -> Self {
        Self::new(key)
    }
}

/// Where a key ring comes from, and comes from again when it was changed: the seam for a KMS
/// or an HSM.
///
/// A provider gives *keys*, once per start and then only when it says that they changed or a
/// row names a key that is not there. It is not asked to wrap: a secret is sealed and opened
/// in this process, without a round trip. So a KMS provider keeps its keys sealed by the KMS
/// and has them unsealed in [`ring`](Self::ring).
pub trait KeyProvider: Send + Sync {
    /// Reads the ring. May block and may ask the network; never called for a request that
    /// finds its key.
    ///
    /// # Errors
    /// Why there is none; the ring in use stays in use.
    fn ring(&self) -> Result<KeyRing, ProviderError>;

    /// Whether [`ring`](Self::ring) would now give another ring than it last gave. Asked before
    /// every sealing, so that no version is sealed under a key that was rotated out: it must be
    /// cheap, at most a look at a file's metadata.
    fn changed(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: u8) -> MasterKey {
        let mut bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        bytes[0] = first;
        MasterKey::from_bytes(&mut bytes).ok().unwrap()
    }

    #[test]
    fn the_active_key_is_first_and_no_key_is_there_twice() {
        let ring = KeyRing::new(key(1)).and(key(2)).and(key(1)).and(key(2));
        assert_eq!(ring.ids(), [key(1).id(), key(2).id()]);
        assert!(ring.active().id() == key(1).id());
        assert!(ring.find(key(2).id()).is_some() && ring.find(key(3).id()).is_none());
    }
}
