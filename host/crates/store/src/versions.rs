//! The life of versions: listed, retired, brought back, destroyed; and how often they are used.

use jiff::Timestamp;
use model::{Id, Policy};
use rusqlite::Connection;

use crate::chain::By;
use crate::error::Error;
use crate::resolve::version;
use crate::row::{SealedSecret, SealedVersion, VersionFacts, said, time_text};
use crate::secrets::columns;
use crate::store::{Store, Writing};

const FACTS: &str = "
    SELECT v.version_no, v.created_at, v.created_by, v.key_encoding, v.key_id, v.expires_at,
           v.retiring_until, v.revoked_at, v.destroyed_at, v.destroyed_by, COALESCE(u.uses, 0), u.last_used_at
    FROM tenant_secret_versions v
    LEFT JOIN txco_secret_uses u ON u.secret_id = v.secret_id AND u.version_no = v.version_no
    WHERE v.secret_id = ?1 ORDER BY v.version_no DESC";

/// Everything that still has its bytes, also what a rollback has taken out of use.
const HELD: &str = "
    SELECT v.version_no, v.key_encoding, v.expires_at, v.retiring_until, v.aad_scheme, v.key_id,
           COALESCE(v.aad_key_version, s.key_version), v.nonce, v.ciphertext, v.dek_nonce, v.wrapped_dek
    FROM tenant_secret_versions v JOIN tenant_secrets s ON s.secret_id = v.secret_id
    WHERE v.secret_id = ?1 AND v.destroyed_at IS NULL ORDER BY v.version_no DESC";

/// How often a version was handed out since that was last written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The secret.
    pub secret_id: Id,
    /// The version.
    pub version_no: u32,
    /// How often.
    pub uses: u64,
    /// When last.
    pub last: Timestamp,
}

impl Store {
    /// The versions of a secret, newest first; the destroyed ones too.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn versions(&self, secret: &Id) -> Result<Vec<VersionFacts>, Error> {
        self.read(|reader| facts(&reader.connection, secret))
    }

    /// Adds to how often versions were used, all in one write.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn note_uses(&self, all: &[Used]) -> Result<(), Error> {
        if all.is_empty() {
            return Ok(());
        }
        self.write(|writing| {
            all.iter().try_for_each(|one| {
                let uses = i64::try_from(one.uses).unwrap_or(i64::MAX);
                writing.run(
                    "INSERT INTO txco_secret_uses (secret_id, version_no, uses, last_used_at)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (secret_id, version_no) DO UPDATE SET
                         uses = uses + excluded.uses, last_used_at = MAX(last_used_at, excluded.last_used_at)",
                    (one.secret_id.as_str(), one.version_no, uses, time_text(one.last)),
                )
            })
        })
    }
}

impl Writing<'_> {
    /// The versions of a secret as of this transaction, newest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn versions(&self, secret: &Id) -> Result<Vec<VersionFacts>, Error> {
        facts(self.transaction, secret)
    }

    /// The versions that still have their bytes, newest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn held(&self, secret: &Id) -> Result<Vec<SealedVersion>, Error> {
        let mut statement = self.transaction.prepare_cached(HELD).map_err(Error::of)?;
        let rows = statement.query_map([secret.as_str()], |row| version(row, 0)).map_err(Error::of)?;
        rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>().map_err(Error::of)
    }

    /// Replaces what a version is sealed with; its value is the same.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn seal_again(&self, secret: &Id, version_no: u32, sealed: &SealedSecret) -> Result<(), Error> {
        let (scheme, key_id, key_version) = columns(sealed.scheme);
        self.run(
            "UPDATE tenant_secret_versions SET nonce = ?3, ciphertext = ?4, dek_nonce = ?5, wrapped_dek = ?6,
                    aad_scheme = ?7, key_id = ?8, aad_key_version = ?9
             WHERE secret_id = ?1 AND version_no = ?2",
            (
                secret.as_str(),
                version_no,
                sealed.nonce,
                &sealed.ciphertext,
                sealed.dek_nonce,
                sealed.wrapped_dek,
                scheme,
                key_id,
                key_version,
            ),
        )
    }

    /// Writes a secret's policy; nothing takes it away. The DEKs of its versions must be wrapped
    /// under it in the same transaction.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn put_policy(&self, secret: &Id, policy: Option<&Policy>) -> Result<(), Error> {
        let text = policy.map(ToString::to_string);
        self.run("UPDATE tenant_secrets SET policy = ?2 WHERE secret_id = ?1", (secret.as_str(), text))
    }

    /// Leaves `version_no` in use until then, beside a newer one, and no other (R22); without
    /// one, ends every overlap.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn retire(&self, secret: &Id, version: Option<(u32, Timestamp)>) -> Result<(), Error> {
        self.run(
            "UPDATE tenant_secret_versions SET retiring_until = NULL
             WHERE secret_id = ?1 AND retiring_until IS NOT NULL",
            [secret.as_str()],
        )?;
        let Some((version_no, until)) = version else { return Ok(()) };
        self.run(
            "UPDATE tenant_secret_versions SET retiring_until = ?3 WHERE secret_id = ?1 AND version_no = ?2",
            (secret.as_str(), version_no, time_text(until)),
        )
    }

    /// Makes `version_no` the one in use: newer ones are taken out of use, it is brought back.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn bring_back(&self, secret: &Id, version_no: u32) -> Result<(), Error> {
        self.run(
            "UPDATE tenant_secret_versions SET revoked_at = ?3
             WHERE secret_id = ?1 AND version_no > ?2 AND revoked_at IS NULL",
            (secret.as_str(), version_no, self.time()),
        )?;
        self.run(
            "UPDATE tenant_secret_versions SET revoked_at = NULL
             WHERE secret_id = ?1 AND version_no = ?2 AND destroyed_at IS NULL",
            (secret.as_str(), version_no),
        )
    }

    /// Takes a version's bytes out of its row; the rest of the row stays, as history.
    /// [`Store::erase`] takes them out of the file.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn destroy(&self, secret: &Id, version_no: u32, by: By<'_>) -> Result<(), Error> {
        self.run(
            "UPDATE tenant_secret_versions SET nonce = X'', ciphertext = X'', dek_nonce = X'', wrapped_dek = X'',
                    key_id = NULL, retiring_until = NULL, revoked_at = COALESCE(revoked_at, ?3),
                    destroyed_at = ?3, destroyed_by = ?4
             WHERE secret_id = ?1 AND version_no = ?2 AND destroyed_at IS NULL",
            (secret.as_str(), version_no, self.time(), by.author()),
        )
    }
}

fn facts(connection: &Connection, secret: &Id) -> Result<Vec<VersionFacts>, Error> {
    let mut statement = connection.prepare_cached(FACTS).map_err(Error::of)?;
    let rows = statement
        .query_map([secret.as_str()], |row| {
            Ok(VersionFacts {
                version_no: row.get(0)?,
                created_at: row.get(1)?,
                created_by: said(row.get(2)?),
                key_encoding: said(row.get(3)?),
                key_id: said(row.get(4)?),
                expires_at: said(row.get(5)?),
                retiring_until: said(row.get(6)?),
                revoked_at: said(row.get(7)?),
                destroyed_at: said(row.get(8)?),
                destroyed_by: said(row.get(9)?),
                uses: row.get::<_, i64>(10)?.unsigned_abs(),
                last_used_at: said(row.get(11)?),
            })
        })
        .map_err(Error::of)?;
    rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
}
