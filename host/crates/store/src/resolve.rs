//! What a name means to a caller: one joined query, remembered until the database changes.

use std::sync::Arc;

use model::{Id, SecretName, StackName, TenantId};
use rusqlite::{OptionalExtension as _, Row};

use crate::error::Error;
use crate::row::{AadScheme, ActiveSecret, KeyId, Resolution, SealedSecret, SealedVersion};
use crate::store::{Reader, StackFallback, Store};

/// The exact stack, then (with `?4`) its parents, nearest first, then the tenant; a
/// revocation by us ends the search where it stands. All in one statement, so that no
/// commit falls between a secret and its version (weakness S12).
const RESOLVE: &str = "
    SELECT s.secret_id, COALESCE(s.stack, ''), s.revoked_at IS NOT NULL, v.version_no, v.aad_scheme, v.key_id,
           COALESCE(v.aad_key_version, s.key_version), v.nonce, v.ciphertext, v.dek_nonce, v.wrapped_dek
    FROM tenant_secrets s
    LEFT JOIN tenant_secret_versions v
      ON v.secret_id = s.secret_id AND v.revoked_at IS NULL
     AND v.version_no = (SELECT MAX(version_no) FROM tenant_secret_versions
                         WHERE secret_id = s.secret_id AND revoked_at IS NULL)
    WHERE s.tenant_id = ?1 AND s.name = ?2
      AND (COALESCE(s.stack, '') = '' OR s.stack = ?3
           OR (?4 AND substr(?3, 1, length(s.stack) + 1) = s.stack || '/'))
      AND (s.revoked_at IS NULL OR s.blocks_fallback = 1)
    ORDER BY length(COALESCE(s.stack, '')) DESC, s.revoked_at IS NULL DESC, s.created_at DESC, s.secret_id DESC
    LIMIT 1";

impl Store {
    /// What each of `names` means to rules of `stack` in `tenant`, in the order given.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn resolve<'n>(
        &self,
        tenant: &TenantId,
        stack: Option<&StackName>,
        names: impl IntoIterator<Item = &'n SecretName>,
    ) -> Result<Vec<Resolution>, Error> {
        let parents = self.fallback() == StackFallback::Parents;
        let stack = stack.map_or("", StackName::as_str);
        self.read(|reader| {
            reader.forget_if_changed()?;
            names.into_iter().map(|name| reader.resolve(tenant, stack, name, parents)).collect()
        })
    }
}

impl Reader {
    /// SQLite counts commits of other connections and processes in `data_version` (R16).
    /// It is read *before* the rows: a row fetched after it can only be newer than the
    /// number says, and then the next look forgets it. So a reader never keeps what a
    /// writer has replaced (weakness S10).
    fn forget_if_changed(&mut self) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version").map_err(Error::of)?;
        let now = Some(statement.query_row([], |row| row.get(0)).map_err(Error::of)?);
        if self.as_of != now {
            self.known.clear();
            self.as_of = now;
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        tenant: &TenantId,
        stack: &str,
        name: &SecretName,
        parents: bool,
    ) -> Result<Resolution, Error> {
        // Names cannot contain the separator; absence is remembered like presence.
        let key = format!("{tenant}|{stack}|{name}");
        if let Some(known) = self.known.find(&key) {
            return Ok(known);
        }
        let mut statement = self.connection.prepare_cached(RESOLVE).map_err(Error::of)?;
        let resolution = statement
            .query_row((tenant.as_str(), name.as_str(), stack, parents), |row| resolution(row, tenant, name))
            .optional()
            .map_err(Error::of)?
            .unwrap_or(Resolution::Missing);
        self.known.keep(key, resolution.clone());
        Ok(resolution)
    }
}

fn resolution(row: &Row<'_>, tenant: &TenantId, name: &SecretName) -> rusqlite::Result<Resolution> {
    let stack: String = row.get(1)?;
    if row.get(2)? {
        // Nothing is wider than the whole tenant, so a revocation there ends nothing.
        return Ok(StackName::parse(&stack).map_or(Resolution::Missing, Resolution::Revoked));
    }
    Ok(Resolution::Found(Arc::new(ActiveSecret {
        secret_id: Id::from_row(row.get(0)?),
        tenant_id: tenant.clone(),
        name: name.clone(),
        stack,
        version: match row.get::<_, Option<u32>>(3)? {
            Some(version_no) => Some(SealedVersion { version_no, sealed: sealed(row)? }),
            None => None,
        },
    })))
}

/// `None` for bytes of lengths or a layout that nobody of ours has written: they cannot
/// be opened, which is the vault's to say, not a failure of the database.
fn sealed(row: &Row<'_>) -> rusqlite::Result<Option<SealedSecret>> {
    let scheme = scheme(row.get(4)?, row.get::<_, Option<String>>(5)?.as_deref(), row.get(6)?);
    let (nonce, ciphertext): (Vec<u8>, Vec<u8>) = (row.get(7)?, row.get(8)?);
    let (dek_nonce, wrapped_dek): (Vec<u8>, Vec<u8>) = (row.get(9)?, row.get(10)?);
    Ok((|| {
        Some(SealedSecret {
            scheme: scheme?,
            nonce: nonce.try_into().ok()?,
            ciphertext,
            dek_nonce: dek_nonce.try_into().ok()?,
            wrapped_dek: wrapped_dek.try_into().ok()?,
        })
    })())
}

/// The layout that a row's columns name.
pub(crate) fn scheme(scheme: i64, key_id: Option<&str>, key_version: i64) -> Option<AadScheme> {
    match (scheme, key_id.map(KeyId::parse)) {
        (1, key_id) => Some(AadScheme::One { key_version, key_id: key_id.flatten() }),
        (2, Some(Some(key_id))) => Some(AadScheme::Two { key_id }),
        _ => None,
    }
}
