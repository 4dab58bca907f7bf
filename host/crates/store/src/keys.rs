//! Which keys the rows were sealed under, as far as the rows say it themselves.

use model::Digest;
use rusqlite::{OptionalExtension as _, Row};

use crate::error::Error;
use crate::resolve::scheme;
use crate::row::{CheckValue, KeyId, WrappedRow};
use crate::store::{Store, Writing};

/// Wrapped DEKs with all that they are bound to; read by [`wrapped`]. A cross join is walked as written.
pub(crate) const WRAPPED: &str = "
    SELECT v.rowid, s.secret_id, s.tenant_id, s.name, COALESCE(s.stack, ''), v.version_no, v.aad_scheme,
           v.key_id, COALESCE(v.aad_key_version, s.key_version), v.dek_nonce, v.wrapped_dek, s.policy, v.key_encoding
    FROM tenant_secret_versions v
    CROSS JOIN tenant_secrets s ON s.secret_id = v.secret_id AND v.destroyed_at IS NULL";

pub(crate) fn wrapped(row: &Row<'_>) -> rusqlite::Result<WrappedRow> {
    Ok(WrappedRow {
        row: row.get(0)?,
        secret_id: row.get(1)?,
        tenant_id: row.get(2)?,
        name: row.get(3)?,
        stack: row.get(4)?,
        version_no: row.get(5)?,
        scheme: scheme(row.get(6)?, row.get::<_, Option<String>>(7)?.as_deref(), row.get(8)?),
        dek_nonce: row.get(9)?,
        wrapped_dek: row.get(10)?,
        policy: row.get::<_, Option<String>>(11)?.map(|text| Digest::of(text.as_bytes())),
        key_encoding: row.get(12)?,
    })
}

impl Store {
    /// Whether any sealed value is in the database.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn holds_ciphertext(&self) -> Result<bool, Error> {
        self.ask(
            "SELECT EXISTS (SELECT 1 FROM tenant_secret_versions WHERE destroyed_at IS NULL)
                 OR EXISTS (SELECT 1 FROM txco_runs WHERE ended_at IS NULL)",
            [],
        )
    }

    /// The keys that versions name, each once: `None` stands for versions that name none
    /// (the Go chassis's), or one that cannot be read.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn keys_named(&self) -> Result<Vec<Option<KeyId>>, Error> {
        // One index lookup per key, not a scan: SQLite's DISTINCT would read the whole index.
        let sql = "
            WITH RECURSIVE named (key_id) AS (
                SELECT MIN(key_id) FROM tenant_secret_versions
                UNION ALL
                SELECT (SELECT MIN(key_id) FROM tenant_secret_versions WHERE key_id > named.key_id)
                FROM named WHERE named.key_id IS NOT NULL)
            SELECT key_id FROM named WHERE key_id IS NOT NULL
            UNION ALL
            SELECT NULL WHERE EXISTS
                (SELECT 1 FROM tenant_secret_versions WHERE key_id IS NULL AND destroyed_at IS NULL)";
        self.read(|reader| {
            let mut statement = reader.connection.prepare(sql).map_err(Error::of)?;
            let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0)).map_err(Error::of)?;
            let mut named: Vec<Option<KeyId>> = rows
                .map(|key| key.map(|key| key.as_deref().and_then(KeyId::parse)))
                .collect::<rusqlite::Result<_>>()
                .map_err(Error::of)?;
            named.sort_unstable();
            named.dedup();
            Ok(named)
        })
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
        let sql = format!(
            "{WRAPPED}
             WHERE s.revoked_at IS NULL AND v.revoked_at IS NULL
               AND v.version_no = (SELECT MAX(version_no) FROM tenant_secret_versions
                                   WHERE secret_id = s.secret_id AND revoked_at IS NULL)"
        );
        self.read(|reader| {
            let mut statement = reader.connection.prepare(&sql).map_err(Error::of)?;
            let mut rows = statement.query([]).map_err(Error::of)?;
            while let Some(row) = rows.next().map_err(Error::of)? {
                visit(&wrapped(row).map_err(Error::of)?);
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

    pub(crate) fn ask<T: rusqlite::types::FromSql>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<T, Error> {
        self.read(|reader| reader.connection.query_row(sql, parameters, |row| row.get(0)).map_err(Error::of))
    }
}

impl Writing<'_> {
    /// Notes a key that this database is used with, unless it is known; whether it was not.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn remember_key(&self, key: KeyId, check: CheckValue) -> Result<bool, Error> {
        self.transaction
            .execute(
                "INSERT OR IGNORE INTO txco_keys (key_id, check_value, first_seen_at) VALUES (?1, ?2, ?3)",
                (key.to_string(), check.as_bytes(), self.time()),
            )
            .map(|rows| rows > 0)
            .map_err(Error::of)
    }
}
