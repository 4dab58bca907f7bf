//! The audit's key: drawn once for a database, wrapped by the master key, and what it seals.
//!
//! It is not derived from the master key, so that a new master key re-wraps 32 bytes and
//! leaves every row as it is.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pages::Locked;
use sha2::Sha256;
use store::{AuditKeyRow, AuditSeal, KeyId, Store, Writing};

use crate::cleartext::Cleartext;
use crate::error::Error;
use crate::master_key::MasterKey;
use crate::ring::KeyRing;
use crate::seal::KEY_BYTES;

/// The key of a database's audit.
pub(crate) struct AuditKey {
    name: String,
    /// For the seals of rows.
    rows: Locked,
    /// For those of the actor database, whose chain is another.
    people: Locked,
    /// For the HMACs of values.
    values: Locked,
}

impl AuditKey {
    fn new(key: &Cleartext) -> Result<Self, Error> {
        let derived = |label: &[u8]| {
            let mut bytes = Locked::zeroed(KEY_BYTES).map_err(|_| Error::NoMemory)?;
            key.expand(label, bytes.bytes_mut())?;
            Ok::<_, Error>(bytes)
        };
        let mut name = [0; 8];
        key.expand(b"txco/v1/audit/name", &mut name)?;
        let name = name.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            name,
            rows: derived(b"txco/v1/audit/rows")?,
            people: derived(b"txco/v1/audit/people")?,
            values: derived(b"txco/v1/audit/values")?,
        })
    }

    /// Opens a key of the database; none when no key of `ring` wrapped it.
    fn open(ring: &KeyRing, row: &AuditKeyRow) -> Result<Option<Self>, Error> {
        let Some(master) = KeyId::parse(&row.key_id).and_then(|id| ring.find(id)) else { return Ok(None) };
        let Ok(nonce) = row.nonce.as_slice().try_into() else { return Ok(None) };
        let opened = master.audit_cipher()?.open(nonce, &aad(&row.audit_key, &row.key_id), &row.wrapped);
        let Ok(bytes) = opened else { return Ok(None) };
        let key = Self::new(&bytes)?;
        Ok((key.name == row.audit_key).then_some(key))
    }

    fn mint(master: &MasterKey) -> Result<(Self, AuditKeyRow), Error> {
        let bytes = Cleartext::random(KEY_BYTES)?;
        let key = Self::new(&bytes)?;
        let row = wrap(master, &key.name, &bytes)?;
        Ok((key, row))
    }

    /// The HMAC of a value.
    pub(crate) fn mac_of(&self, value: &Cleartext) -> Result<[u8; 32], Error> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.values.bytes()).map_err(|_| Error::Cipher)?;
        value.feed(&mut mac);
        Ok(mac.finalize().into_bytes().into())
    }
}

impl AuditSeal for AuditKey {
    fn key(&self) -> &str {
        &self.name
    }

    fn seal(&self, row: &[u8]) -> [u8; 32] {
        sealed(&self.rows, row)
    }
}

/// The same key for the chain of the actor database, so that no row fits into both.
pub(crate) struct PeopleSeal(pub(crate) Arc<AuditKey>);

impl AuditSeal for PeopleSeal {
    fn key(&self) -> &str {
        &self.0.name
    }

    fn seal(&self, row: &[u8]) -> [u8; 32] {
        sealed(&self.0.people, row)
    }
}

fn sealed(key: &Locked, row: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length.
    let mac = Hmac::<Sha256>::new_from_slice(key.bytes()).map(|mac| mac.chain_update(row));
    mac.map_or([0; 32], |mac| mac.finalize().into_bytes().into())
}

fn wrap(master: &MasterKey, name: &str, bytes: &Cleartext) -> Result<AuditKeyRow, Error> {
    let key_id = master.id().to_string();
    let sealed = master.audit_cipher()?.seal(&aad(name, &key_id), bytes)?;
    Ok(AuditKeyRow {
        audit_key: name.to_owned(),
        key_id,
        nonce: sealed.nonce.to_vec(),
        wrapped: sealed.ciphertext.try_into().map_err(|_| Error::Cipher)?,
    })
}

fn aad(name: &str, key_id: &str) -> Vec<u8> {
    // Both are hex digits, so the separator is none of theirs.
    format!("txco/audit-key/1|{name}|{key_id}").into_bytes()
}

/// The audit keys of the database that `ring` opens, the newest first, all of them wrapped by
/// its active key from now on. When there is none, one is minted: the database is new, or its
/// master key was lost and the chain goes on under another.
pub(crate) fn open(store: &Store, ring: &KeyRing) -> Result<Vec<Arc<AuditKey>>, Error> {
    let opened = |rows: &[AuditKeyRow]| {
        let keys = rows.iter().rev().filter_map(|row| AuditKey::open(ring, row).transpose());
        keys.map(|key| key.map(Arc::new)).collect::<Result<Vec<_>, Error>>()
    };
    let rows = store.audit_keys()?;
    let active = ring.active().id().to_string();
    let keys = opened(&rows)?;
    if !keys.is_empty() && rows.iter().all(|row| row.key_id == active) {
        return Ok(keys);
    }
    store.write(|writing| {
        for old in ring.keys().filter(|key| key.id() != ring.active().id()) {
            rewrap_audit_keys(writing, old, ring.active())?;
        }
        // Another process may have minted while we waited for the lock.
        let keys = opened(&writing.audit_keys()?)?;
        if !keys.is_empty() {
            return Ok(keys);
        }
        let (key, row) = AuditKey::mint(ring.active())?;
        writing.keep_audit_key(&row)?;
        Ok(vec![Arc::new(key)])
    })
}

/// Wraps the audit keys that `old` wraps under `new`, inside the transaction of a rewrap, so
/// that nothing of the audit needs `old` any more; tells how many.
///
/// # Errors
/// [`Error::Store`], [`Error::NoRandomness`].
pub fn rewrap_audit_keys(writing: &Writing<'_>, old: &MasterKey, new: &MasterKey) -> Result<u64, Error> {
    let mut count = 0;
    for row in writing.audit_keys()?.iter().filter(|row| row.key_id == old.id().to_string()) {
        let Ok(nonce) = row.nonce.as_slice().try_into() else { continue };
        let opened = old.audit_cipher()?.open(nonce, &aad(&row.audit_key, &row.key_id), &row.wrapped);
        if let Ok(bytes) = opened {
            writing.keep_audit_key(&wrap(new, &row.audit_key, &bytes)?)?;
            count += 1;
        }
    }
    Ok(count)
}
