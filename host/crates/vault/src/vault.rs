//! The open vault: the master key beside the rows it opens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::Id;
use store::{AadScheme, ActiveSecret, KeyId, SealedSecret, SecretAddress, Store, WrappedRow};

use crate::cleartext::Cleartext;
use crate::context::Context;
use crate::dek::Dek;
use crate::error::{Error, Unopened};
use crate::master_key::MasterKey;

/// Sealed rows and the key that opens them. Share it; every method takes `&self`.
///
/// ```compile_fail,E0277
/// fn f(v: txco_vault::Vault) { let _ = format!("{v:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(v: txco_vault::Vault) { let _ = v.clone(); }
/// ```
pub struct Vault {
    pub(crate) store: Arc<Store>,
    key: MasterKey,
}

/// What the key opens of what is stored, found out at boot (D7). Only the newest versions
/// of active secrets count: those are the ones that ops will ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// The key the vault was opened with.
    pub key_id: KeyId,
    /// How many secrets are active.
    pub secrets: u64,
    /// How many were sealed under other keys, by key.
    pub other_keys: BTreeMap<KeyId, u64>,
    /// How many do not open and do not say under which key they were sealed.
    pub unidentified: u64,
}

impl KeyReport {
    /// How many secrets this key does not open.
    #[must_use]
    pub fn unopened(&self) -> u64 {
        self.other_keys.values().sum::<u64>() + self.unidentified
    }
}

/// One sentence for the log: "3 of 10 secrets do not open under key …".
impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unopened() == 0 {
            return write!(f, "all {} secrets open under key {}", self.secrets, self.key_id);
        }
        write!(f, "{} of {} secrets do not open under key {}", self.unopened(), self.secrets, self.key_id)?;
        let mut lead = " (";
        for (key, count) in &self.other_keys {
            write!(f, "{lead}{count} sealed under key {key}")?;
            lead = ", ";
        }
        if self.unidentified > 0 {
            write!(f, "{lead}{} imported ones of an unknown key", self.unidentified)?;
        }
        f.write_str(")")
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
    /// Opens the vault and finds out what the key does not open. That is no error: the
    /// secrets it opens work, the others fail by name, and `set` replaces them.
    ///
    /// # Errors
    /// [`Error::KeyCheck`] when the database knows another key by this id; [`Error::Store`].
    pub fn open(store: Arc<Store>, key: MasterKey) -> Result<(Self, KeyReport), Error> {
        let check = key.check_value();
        match store.known_key(key.id())? {
            Some(known) if known != check => return Err(Error::KeyCheck { id: key.id() }),
            Some(_) => {}
            None => store.write(|writing| writing.remember_key(key.id(), check))?,
        }
        let vault = Self { store, key };
        let report = vault.report()?;
        Ok((vault, report))
    }

    fn report(&self) -> Result<KeyReport, Error> {
        let key_id = self.key.id();
        let secrets = self.store.active_secrets()?;
        let mut report = KeyReport { key_id, secrets, other_keys: BTreeMap::new(), unidentified: 0 };
        if !self.store.only_key_is(key_id)? {
            self.store.each_wrapped(|row| match row.scheme {
                Some(AadScheme::Two { key_id: id }) if id == key_id => {}
                Some(AadScheme::Two { key_id: id }) => *report.other_keys.entry(id).or_default() += 1,
                // Imported rows do not name their key: trying it is the only way to know,
                // and opens a DEK, not a value.
                Some(AadScheme::One { .. }) if self.unwraps(row) => {}
                Some(AadScheme::One { .. }) | None => report.unidentified += 1,
            })?;
        }
        Ok(report)
    }

    fn unwraps(&self, row: &WrappedRow) -> bool {
        let Some(scheme) = row.scheme else { return false };
        // The name is in scheme 2's DEK layer only, and so is the stack.
        let context = Context {
            tenant_id: &row.tenant_id,
            secret_id: &row.secret_id,
            version_no: row.version_no,
            name: "",
            stack: "",
            scheme,
        };
        let (nonce, wrapped) = (row.dek_nonce.as_slice().try_into(), row.wrapped_dek.as_slice().try_into());
        match (nonce, wrapped) {
            (Ok(nonce), Ok(wrapped)) => Dek::unwrap(&self.key, nonce, &context.dek_aad(), wrapped).is_ok(),
            _ => false,
        }
    }

    /// Seals `value` as a version of a secret, under a key of its own.
    pub(crate) fn seal(
        &self,
        address: &SecretAddress<'_>,
        secret_id: &Id,
        version_no: u32,
        value: &Cleartext,
    ) -> Result<SealedSecret, Error> {
        let scheme = AadScheme::Two { key_id: self.key.id() };
        let context = Context {
            tenant_id: address.tenant.as_str(),
            secret_id: secret_id.as_str(),
            version_no,
            name: address.name.as_str(),
            stack: address.stack.map_or("", model::StackName::as_str),
            scheme,
        };
        let dek = Dek::fresh()?;
        let sealed = dek.cipher()?.seal(&context.value_aad(), value)?;
        let wrapped = dek.wrap(&self.key, &context.dek_aad())?;
        Ok(SealedSecret {
            scheme,
            nonce: sealed.nonce,
            ciphertext: sealed.ciphertext,
            dek_nonce: wrapped.nonce,
            wrapped_dek: wrapped.bytes,
        })
    }

    /// Opens a secret's newest version: the DEK with the master key, the value with the DEK.
    pub(crate) fn unseal(&self, secret: &ActiveSecret) -> Result<(u32, Cleartext), Unopened> {
        let version = secret.version.as_ref().ok_or(Unopened::NoVersion)?;
        let sealed = version.sealed.as_ref().ok_or(Unopened::UnknownScheme)?;
        if let AadScheme::Two { key_id } = sealed.scheme
            && key_id != self.key.id()
        {
            return Err(Unopened::OtherKey(key_id));
        }
        let context = Context {
            tenant_id: secret.tenant_id.as_str(),
            secret_id: secret.secret_id.as_str(),
            version_no: version.version_no,
            name: secret.name.as_str(),
            stack: &secret.stack,
            scheme: sealed.scheme,
        };
        let dek = Dek::unwrap(&self.key, &sealed.dek_nonce, &context.dek_aad(), &sealed.wrapped_dek);
        let value = dek.and_then(|dek| dek.open(&sealed.nonce, &context.value_aad(), &sealed.ciphertext));
        value.map(|value| (version.version_no, value)).map_err(|_| Unopened::NotAuthentic)
    }
}
