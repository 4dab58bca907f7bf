//! What the vault does for the audit: remembers that a value was stored, and looks at the chain.

use std::sync::Arc;

use model::Id;
use store::{Actors, AuditSeal, By, Deed, Head, Seen, Verdict, Writing};

use crate::audit::PeopleSeal;
use crate::cleartext::{Cleartext, SecretValue};
use crate::error::Error;
use crate::vault::Vault;

/// The shortest value that is remembered for "was this value ever stored?" (R36): what is
/// shorter could be found by trying.
pub const MIN_SEEN_BYTES: usize = 16;

impl Vault {
    /// Keeps the HMAC of a value long enough that it tells nothing (R36).
    pub(crate) fn keep_value_mac(
        &self,
        writing: &Writing<'_>,
        secret: &Id,
        version_no: u32,
        value: &Cleartext,
    ) -> Result<(), Error> {
        match self.audit.first() {
            Some(key) if value.len() >= MIN_SEEN_BYTES => {
                Ok(writing.keep_value_mac(secret, version_no, key.key(), &key.mac_of(value)?)?)
            }
            _ => Ok(()),
        }
    }

    /// Where exactly this value was ever stored, revoked and replaced versions included; not
    /// where it was destroyed, nor when it is under [`MIN_SEEN_BYTES`] long.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[expect(clippy::needless_pass_by_value, reason = "a value is used up by being asked about")]
    pub fn seen(&self, by: By<'_>, value: SecretValue) -> Result<Vec<Seen>, Error> {
        let mut seen = Vec::new();
        for key in &self.audit {
            seen.extend(self.store.seen(&key.mac_of(&value.0)?)?);
        }
        self.store.note(&[Deed::new(by, "audit.seen", "-", "-").fact("found", seen.len())])?;
        Ok(seen)
    }

    /// Looks at the whole audit, with the keys that the master key opens.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn verify_audit(&self, kept: Option<Head>) -> Result<Verdict, Error> {
        let seals: Vec<&dyn AuditSeal> = self.audit.iter().map(|key| &**key as &dyn AuditSeal).collect();
        Ok(self.store.verify_audit(&seals, kept)?)
    }

    /// What authenticates the audit of the actor database.
    #[must_use]
    pub fn people_seal(&self) -> Option<Arc<dyn AuditSeal>> {
        let newest = self.audit.first()?;
        Some(Arc::new(PeopleSeal(Arc::clone(newest))))
    }

    /// Looks at the whole audit of the actor database, with the keys that the master key opens.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn verify_people(&self, actors: &Actors, kept: Option<Head>) -> Result<Verdict, Error> {
        let seals: Vec<_> = self.audit.iter().map(|key| PeopleSeal(Arc::clone(key))).collect();
        let seals: Vec<&dyn AuditSeal> = seals.iter().map(|seal| seal as &dyn AuditSeal).collect();
        Ok(actors.verify_audit(&seals, kept)?)
    }
}
