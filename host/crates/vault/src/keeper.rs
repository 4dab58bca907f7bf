//! The ring in use: read again from where it came when the database or the provider has moved on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use store::{KeyId, Store};

use crate::error::Error;
use crate::ring::{KeyProvider, KeyRing};

/// How often rows of unknown keys may have the ring read again: such a row can be asked for
/// at every request.
const UNKNOWN_EVERY: Duration = Duration::from_secs(1);

/// Holds the ring, and knows whom to ask for the next one.
pub(crate) struct Keeper {
    ring: ArcSwap<KeyRing>,
    provider: Option<Box<dyn KeyProvider>>,
    asked: Mutex<Option<Instant>>,
}

impl Keeper {
    pub(crate) fn new(ring: KeyRing) -> Self {
        Self { ring: ArcSwap::from_pointee(ring), provider: None, asked: Mutex::new(None) }
    }

    pub(crate) fn provided_by(&mut self, provider: Box<dyn KeyProvider>) {
        self.provider = Some(provider);
    }

    /// The ring in use.
    pub(crate) fn ring(&self) -> Guard<Arc<KeyRing>> {
        self.ring.load()
    }

    /// The ring to seal under: the provider's newest. One that cannot be read leaves the old
    /// one in use, which opens as long as its keys are kept.
    pub(crate) fn newest(&self, store: &Store) -> Guard<Arc<KeyRing>> {
        if self.provider.as_ref().is_some_and(|provider| provider.changed())
            && let Err(error) = self.renew(store)
        {
            tracing::warn!(err = %error, "secret store: the key ring was changed and cannot be read; the old one stays in use");
        }
        self.ring()
    }

    /// Reads the ring again for a row whose key (`None`: it names none) is not in it; `None`
    /// when that was tried a moment ago, or did not help.
    pub(crate) fn looking_for(&self, store: &Store, key: Option<KeyId>) -> Option<Guard<Arc<KeyRing>>> {
        let before = self.ring().ids();
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever waited for another's look has what that one found.
            let now = Instant::now();
            if asked.is_none_or(|last| now.duration_since(last) >= UNKNOWN_EVERY) {
                *asked = Some(now);
                if let Err(error) = self.renew(store) {
                    tracing::warn!(err = %error, "secret store: a row is sealed under another key, and the key ring cannot be read again");
                }
            }
        }
        let ring = self.ring();
        let helped = match key {
            Some(id) => ring.find(id).is_some(),
            None => ring.ids() != before,
        };
        helped.then_some(ring)
    }

    /// Reads the ring from its provider and uses it from now on; without a provider the ring
    /// is what it is.
    pub(crate) fn renew(&self, store: &Store) -> Result<Guard<Arc<KeyRing>>, Error> {
        if let Some(provider) = &self.provider {
            let ring = provider.ring().map_err(Error::Provider)?;
            checked(store, &ring)?;
            let (old, new) = (self.ring.load().ids(), ring.ids());
            self.ring.store(Arc::new(ring));
            if old != new {
                let names = new.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                tracing::info!(keys = names, "secret store: key ring read again; the first key seals");
            }
        }
        Ok(self.ring())
    }
}

/// No key of the ring goes by the id of another that the database knows.
pub(crate) fn checked(store: &Store, ring: &KeyRing) -> Result<(), Error> {
    for key in ring.keys() {
        if store.known_key(key.id())?.is_some_and(|known| known != key.check_value()) {
            return Err(Error::KeyCheck { id: key.id() });
        }
    }
    Ok(())
}
