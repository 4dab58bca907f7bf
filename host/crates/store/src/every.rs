//! Every version in turn, of active secrets and of others, for whoever must see them all: rewrap and verify.

use rusqlite::{Connection, OptionalExtension as _};

use crate::error::Error;
use crate::keys::{WRAPPED, wrapped};
use crate::row::{AadScheme, KeyId, NONCE_BYTES, SealedSecret, WRAPPED_DEK_BYTES, WrappedRow};
use crate::secrets::columns;
use crate::store::{Store, Writing};

/// Which versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// All of them.
    All,
    /// Those that name this key, or none.
    Under(Option<KeyId>),
    /// Those in the layout of the Go chassis.
    SchemeOne,
}

impl Versions {
    /// The condition, over `?1`: each is a range of an index in the order of rows, so that a
    /// page costs what it holds, however large the table is.
    const fn condition(self) -> &'static str {
        match self {
            Self::All => "?1 IS NULL",
            Self::Under(_) => "v.key_id IS ?1",
            Self::SchemeOne => "v.aad_scheme = 1 AND ?1 IS NULL",
        }
    }

    fn key(self) -> Option<String> {
        match self {
            Self::Under(key) => key.map(|key| key.to_string()),
            Self::All | Self::SchemeOne => None,
        }
    }
}

impl Store {
    /// How many `versions` there are.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn count_versions(&self, versions: Versions) -> Result<u64, Error> {
        let sql = format!("SELECT COUNT(*) FROM tenant_secret_versions v WHERE {}", versions.condition());
        self.read(|reader| {
            let count: i64 =
                reader.connection.query_row(&sql, [versions.key()], |row| row.get(0)).map_err(Error::of)?;
            Ok(count.unsigned_abs())
        })
    }

    /// The next `most` of `versions` behind row `after`, in the order of their rows.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn versions_after(
        &self,
        versions: Versions,
        after: i64,
        most: u32,
    ) -> Result<Vec<WrappedRow>, Error> {
        self.read(|reader| page(&reader.connection, versions, after, most))
    }

    /// The sealed value of a row: its nonce and its bytes; `None` when the row is gone or its
    /// nonce is none.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn sealed_value(&self, row: i64) -> Result<Option<SealedValue>, Error> {
        self.read(|reader| sealed_value(&reader.connection, row))
    }
}

impl Writing<'_> {
    /// As [`Store::versions_after`], as of this transaction.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn versions_after(
        &self,
        versions: Versions,
        after: i64,
        most: u32,
    ) -> Result<Vec<WrappedRow>, Error> {
        page(self.transaction, versions, after, most)
    }

    /// As [`Store::sealed_value`], as of this transaction.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn sealed_value(&self, row: i64) -> Result<Option<SealedValue>, Error> {
        sealed_value(self.transaction, row)
    }

    /// Replaces the wrapped DEK of a row and what says how it is wrapped; the sealed value is
    /// not touched.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn rewrap(&self, row: i64, sealed: &Rewrapped) -> Result<(), Error> {
        let (_, key_id, key_version) = columns(sealed.scheme);
        self.change(
            "UPDATE tenant_secret_versions
             SET key_id = ?2, aad_key_version = ?3, dek_nonce = ?4, wrapped_dek = ?5 WHERE rowid = ?1",
            (row, key_id, key_version, sealed.dek_nonce, sealed.wrapped_dek),
        )
    }

    /// Replaces all that is sealed in a row: the same version, in another layout.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn reseal(&self, row: i64, sealed: &SealedSecret) -> Result<(), Error> {
        let (scheme, key_id, key_version) = columns(sealed.scheme);
        self.change(
            "UPDATE tenant_secret_versions
             SET aad_scheme = ?2, key_id = ?3, aad_key_version = ?4, nonce = ?5, ciphertext = ?6,
                 dek_nonce = ?7, wrapped_dek = ?8 WHERE rowid = ?1",
            (
                row,
                scheme,
                key_id,
                key_version,
                sealed.nonce,
                &sealed.ciphertext,
                sealed.dek_nonce,
                sealed.wrapped_dek,
            ),
        )
    }

    fn change(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<(), Error> {
        self.transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map(drop)
            .map_err(Error::of)
    }
}

/// The sealed value of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedValue {
    /// The nonce of the value layer.
    pub nonce: [u8; NONCE_BYTES],
    /// The sealed value, tag last.
    pub ciphertext: Vec<u8>,
}

/// A DEK wrapped anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrapped {
    /// The layout and the key; the layout is what it was.
    pub scheme: AadScheme,
    /// The nonce of the DEK layer.
    pub dek_nonce: [u8; NONCE_BYTES],
    /// The sealed DEK, tag last.
    pub wrapped_dek: [u8; WRAPPED_DEK_BYTES],
}

fn page(
    connection: &Connection,
    versions: Versions,
    after: i64,
    most: u32,
) -> Result<Vec<WrappedRow>, Error> {
    let condition = versions.condition();
    let sql = format!("{WRAPPED} WHERE {condition} AND v.rowid > ?2 ORDER BY v.rowid LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    let rows = statement.query_map((versions.key(), after, most), wrapped).map_err(Error::of)?;
    rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
}

fn sealed_value(connection: &Connection, row: i64) -> Result<Option<SealedValue>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT nonce, ciphertext FROM tenant_secret_versions WHERE rowid = ?1")
        .map_err(Error::of)?;
    let found: Option<(Vec<u8>, Vec<u8>)> =
        statement.query_row([row], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(Error::of)?;
    Ok(found.and_then(|(nonce, ciphertext)| Some(SealedValue { nonce: nonce.try_into().ok()?, ciphertext })))
}
