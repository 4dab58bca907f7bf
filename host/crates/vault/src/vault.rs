//! The open vault: the key ring beside the rows it opens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use store::{AadScheme, AuditSeal, By, Deed, KeyId, SealedSecret, Store, WrappedRow};

use crate::audit::{self, AuditKey};
use crate::cleartext::Cleartext;
use crate::context::Context;
use crate::dek::Dek;
use crate::error::{Error, Unopened};
use crate::keeper::{Keeper, checked};
use crate::ring::{KeyProvider, KeyRing};
use crate::uses::Uses;

/// Sealed rows and the keys that open them. Share it; every method takes `&self`.
///
/// ```compile_fail,E0277
/// fn f(v: txco_vault::Vault) { let _ = format!("{v:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(v: txco_vault::Vault) { let _ = v.clone(); }
/// ```
pub struct Vault {
    pub(crate) store: Arc<Store>,
    pub(crate) keeper: Keeper,
    pub(crate) uses: Arc<Uses>,
    /// The audit keys that the master keys open; rows are sealed under the first.
    pub(crate) audit: Vec<Arc<AuditKey>>,
}

/// What the keys open of what is stored, found out at boot (D7). Only the newest versions
/// of active secrets count: those are the ones that ops will ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// The active key the vault was opened with.
    pub key_id: KeyId,
    /// How many keys the ring has.
    pub keys: usize,
    /// How many secrets are active.
    pub secrets: u64,
    /// How many were sealed under keys that are not in the ring, by key.
    pub other_keys: BTreeMap<KeyId, u64>,
    /// How many do not open and do not say under which key they were sealed.
    pub unidentified: u64,
}

impl KeyReport {
    /// How many secrets no key of the ring opens.
    #[must_use]
    pub fn unopened(&self) -> u64 {
        self.other_keys.values().sum::<u64>() + self.unidentified
    }
}

/// One sentence for the log: "3 of 10 secrets do not open under key …".
impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unopened() {
            0 => write!(f, "all {} secrets open under ", self.secrets)?,
            unopened => write!(f, "{unopened} of {} secrets do not open under ", self.secrets)?,
        }
        match self.keys {
            0 | 1 => write!(f, "key {}", self.key_id)?,
            keys => write!(f, "the {keys} keys of the ring")?,
        }
        let mut lead = " (";
        for (key, count) in &self.other_keys {
            write!(f, "{lead}{count} sealed under key {key}")?;
            lead = ", ";
        }
        if self.unidentified > 0 {
            write!(f, "{lead}{} imported ones of an unknown key", self.unidentified)?;
        }
        if self.unopened() > 0 { f.write_str(")") } else { Ok(()) }
    }
}

/// Whether the database holds sealed values: then a missing master key must not be minted
/// over (D7).
///
/// # Errors
/// [`Error::Store`].
pub fn key_needed(store: &Store) -> Result<bool, Error> {
    Ok(store.holds_ciphertext()?)
}

impl Vault {
    /// Opens the vault and finds out what the keys do not open. That is no error: the
    /// secrets they open work, the others fail by name, and `set` replaces them.
    ///
    /// # Errors
    /// [`Error::KeyCheck`] when the database knows another key by one of these ids;
    /// [`Error::Store`].
    pub fn open(store: Arc<Store>, ring: impl Into<KeyRing>) -> Result<(Self, KeyReport), Error> {
        let ring = ring.into();
        checked(&store, &ring)?;
        let audit = audit::open(&store, &ring)?;
        if let Some(newest) = audit.first() {
            store.seal_audit_with(Arc::clone(newest) as Arc<dyn AuditSeal>);
        }
        remember(&store, &ring)?;
        store.begin_audit()?;
        let vault = Self { store, keeper: Keeper::new(ring), uses: Arc::default(), audit };
        let report = vault.report()?;
        Ok((vault, report))
    }

    /// The same vault with somebody to ask for the next ring.
    #[must_use]
    pub fn provided_by(mut self, provider: Box<dyn KeyProvider>) -> Self {
        self.keeper.provided_by(provider);
        self
    }

    /// Reads the key ring again from its provider, and tells what the new one opens.
    ///
    /// # Errors
    /// [`Error::Provider`], [`Error::KeyCheck`], [`Error::Store`]; the ring in use stays.
    pub fn renew(&self) -> Result<KeyReport, Error> {
        let ring = self.keeper.renew(&self.store)?;
        remember(&self.store, &ring)?;
        // The audit's key moves along, so that it needs no key that is rotated out.
        audit::open(&self.store, &ring)?;
        self.report()
    }

    /// The names of the keys in use, the active one's first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.keeper.ring().ids()
    }

    /// What the ring in use opens of what is stored now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn report(&self) -> Result<KeyReport, Error> {
        let ring = self.keeper.ring();
        let mut report = KeyReport {
            key_id: ring.active().id(),
            keys: ring.keys().count(),
            secrets: self.store.active_secrets()?,
            other_keys: BTreeMap::new(),
            unidentified: 0,
        };
        let known = |key: &Option<KeyId>| key.is_some_and(|key| ring.find(key).is_some());
        if !self.store.keys_named()?.iter().all(known) {
            self.store.each_wrapped(|row| match unwrapped(&ring, row) {
                Ok(_) => {}
                Err(Unopened::OtherKey(id)) => *report.other_keys.entry(id).or_default() += 1,
                Err(_) => report.unidentified += 1,
            })?;
        }
        Ok(report)
    }

    /// Seals `value` for `context`, under a key of its own; the scheme is ours and today's.
    pub(crate) fn seal(&self, context: Context<'_>, value: &Cleartext) -> Result<SealedSecret, Error> {
        let ring = self.keeper.newest(&self.store);
        let key = ring.active();
        let scheme = AadScheme::Two { key_id: key.id() };
        let context = Context { scheme, ..context };
        let dek = Dek::fresh()?;
        let sealed = dek.seal(&context.value_aad(), value)?;
        let wrapped = dek.wrap(key, &context.dek_aad())?;
        Ok(SealedSecret {
            scheme,
            nonce: sealed.nonce,
            ciphertext: sealed.ciphertext,
            dek_nonce: wrapped.nonce,
            wrapped_dek: wrapped.bytes,
        })
    }

    /// Opens what was sealed for `context`: the DEK with the key that wrapped it, the value with
    /// the DEK.
    pub(crate) fn unseal(&self, context: &Context<'_>, sealed: &SealedSecret) -> Result<Cleartext, Unopened> {
        self.with_ring(context, |ring| Dek::unseal(ring, context, sealed))
    }

    /// Seals for `to` what was sealed for `from`: the same version under another policy. Only
    /// the DEK is wrapped anew (R11), unless the layout is the Go chassis's, which knows no
    /// policy: then the value is sealed anew in ours.
    pub(crate) fn reseal(
        &self,
        from: &Context<'_>,
        to: Context<'_>,
        sealed: &SealedSecret,
    ) -> Result<Result<SealedSecret, Unopened>, Error> {
        if let AadScheme::One { .. } = from.scheme {
            return match self.unseal(from, sealed) {
                Ok(value) => self.seal(to, &value).map(Ok),
                Err(why) => Ok(Err(why)),
            };
        }
        let dek = match self.unwrap(from, sealed) {
            Ok(dek) => dek,
            Err(why) => return Ok(Err(why)),
        };
        let ring = self.keeper.newest(&self.store);
        let scheme = AadScheme::Two { key_id: ring.active().id() };
        let wrapped = dek.wrap(ring.active(), &Context { scheme, ..to }.dek_aad())?;
        Ok(Ok(SealedSecret {
            scheme,
            dek_nonce: wrapped.nonce,
            wrapped_dek: wrapped.bytes,
            ..sealed.clone()
        }))
    }

    /// Unwraps the DEK of a version.
    pub(crate) fn unwrap(&self, context: &Context<'_>, sealed: &SealedSecret) -> Result<Dek, Unopened> {
        self.with_ring(context, |ring| Dek::unwrap(ring, context, &sealed.dek_nonce, &sealed.wrapped_dek))
    }

    /// Opens with a key of the ring, and of the next ring when this one lacks it: a rotated key
    /// arrives with the first row that was sealed under it.
    fn with_ring<T>(
        &self,
        context: &Context<'_>,
        open: impl Fn(&KeyRing) -> Result<T, Unopened>,
    ) -> Result<T, Unopened> {
        let unopened = match open(&self.keeper.ring()) {
            Ok(opened) => return Ok(opened),
            Err(unopened) => unopened,
        };
        let key = match (unopened, context.scheme) {
            (Unopened::OtherKey(id), _) => Some(id),
            (_, AadScheme::One { key_id: None, .. }) => None,
            _ => return Err(unopened),
        };
        let ring = self.keeper.looking_for(&self.store, key).ok_or(unopened)?;
        open(&ring)
    }
}

/// Unwraps the DEK of a row with a key of `ring`.
pub(crate) fn unwrapped(ring: &KeyRing, row: &WrappedRow) -> Result<Dek, Unopened> {
    let context = Context::of(row).ok_or(Unopened::UnknownScheme)?;
    match (row.dek_nonce.as_slice().try_into(), row.wrapped_dek.as_slice().try_into()) {
        (Ok(nonce), Ok(wrapped)) => Dek::unwrap(ring, &context, nonce, wrapped),
        _ => Err(Unopened::UnknownScheme),
    }
}

/// Notes the keys in the database, so that another key under the id of one is noticed. In
/// the audit it is a row, in the same transaction: whatever minted or brought back a key, and
/// whether or not that lived to tell. The first keys of a database come before its audit.
fn remember(store: &Store, ring: &KeyRing) -> Result<(), Error> {
    let mut new = Vec::new();
    for key in ring.keys() {
        if store.known_key(key.id())?.is_none() {
            new.push(key);
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let begun = store.audit_head()?.is_some();
    store.write(|writing| {
        new.iter().try_for_each(|key| {
            let new = writing.remember_key(key.id(), key.check_value())?;
            if new && begun {
                writing.record(&Deed::new(By::Chassis, "keys.known", "-", &key.id().to_string()))?;
            }
            Ok(())
        })
    })
}
