//! Which keys the rows were sealed under, as far as the rows say it themselves.

use rusqlite::OptionalExtension as _;

use crate::error::Error;
use crate::resolve::scheme;
use crate::row::{CheckValue, KeyId, WrappedRow};
use crate::store::{Store, Writing};

impl Store {
    /// Whether any sealed value is in the database.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn holds_ciphertext(&self) -> Result<bool, Error> {
        self.ask("SELECT EXISTS (SELECT 1 FROM tenant_secret_versions)", [])
    }

    /// Whether every version says that it was sealed under `key`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn only_key_is(&self, key: KeyId) -> Result<bool, Error> {
        // Three lookups in the index; an inequality alone would skip the rows without a key.
        self.ask(
            "SELECT NOT (EXISTS (SELECT 1 FROM tenant_secret_versions WHERE key_id IS NULL)
                      OR EXISTS (SELECT 1 FROM tenant_secret_versions WHERE key_id < ?1)
                      OR EXISTS (SELECT 1 FROM tenant_secret_versions WHERE key_id > ?1))",
            [key.to_string()],
        )
    }

    /// How many secrets are active.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn active_secrets(&self) -> Result<u64, Error> {
        let count: i64 = self.ask("SELECT COUNT(*) FROM tenant_secrets WHERE revoked_at IS NULL", [])?;
        Ok(count.unsigned_abs())
    }

    /// Shows `visit` the wrapped DEK of the newest version of every active secret.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn each_wrapped(&self, mut visit: impl FnMut(&WrappedRow)) -> Result<(), Error> {
        let sql = "
            SELECT s.secret_id, s.tenant_id, v.version_no, v.aad_scheme, v.key_id,
                   COALESCE(v.aad_key_version, s.key_version), v.dek_nonce, v.wrapped_dek
            FROM tenant_secrets s
            JOIN tenant_secret_versions v ON v.secret_id = s.secret_id AND v.revoked_at IS NULL
             AND v.version_no = (SELECT MAX(version_no) FROM tenant_secret_versions
                                 WHERE secret_id = s.secret_id AND revoked_at IS NULL)
            WHERE s.revoked_at IS NULL";
        self.read(|reader| {
            let mut statement = reader.connection.prepare(sql).map_err(Error::of)?;
            let mut rows = statement.query([]).map_err(Error::of)?;
            while let Some(row) = rows.next().map_err(Error::of)? {
                let read = || {
                    Ok(WrappedRow {
                        secret_id: row.get(0)?,
                        tenant_id: row.get(1)?,
                        version_no: row.get(2)?,
                        scheme: scheme(row.get(3)?, row.get::<_, Option<String>>(4)?.as_deref(), row.get(5)?),
                        dek_nonce: row.get(6)?,
                        wrapped_dek: row.get(7)?,
                    })
                };
                visit(&read().map_err(Error::of)?);
            }
            Ok(())
        })
    }

    /// What the database knows of the key with this id.
    ///
    /// # Errors
    /// [`Error`] of the database, or [`Error::Row`] when the check value is none.
    pub fn known_key(&self, key: KeyId) -> Result<Option<CheckValue>, Error> {
        self.read(|reader| {
            let found: Option<Vec<u8>> = reader
                .connection
                .query_row("SELECT check_value FROM txco_keys WHERE key_id = ?1", [key.to_string()], |row| {
                    row.get(0)
                })
                .optional()
                .map_err(Error::of)?;
            let check = |bytes: Vec<u8>| bytes.try_into().map(CheckValue::new);
            found.map(|bytes| check(bytes).map_err(|_| Error::Row { table: "txco_keys" })).transpose()
        })
    }

    fn ask<T: rusqlite::types::FromSql>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<T, Error> {
        self.read(|reader| reader.connection.query_row(sql, parameters, |row| row.get(0)).map_err(Error::of))
    }
}

impl Writing<'_> {
    /// Notes a key that this database is used with, unless it is known.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn remember_key(&self, key: KeyId, check: CheckValue) -> Result<(), Error> {
        self.transaction
            .execute(
                "INSERT OR IGNORE INTO txco_keys (key_id, check_value, first_seen_at) VALUES (?1, ?2, ?3)",
                (key.to_string(), check.as_bytes(), self.time()),
            )
            .map(drop)
            .map_err(Error::of)
    }
}
