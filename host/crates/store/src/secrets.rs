//! Secrets as administration sees them: exact places, metadata, new versions, tombstones.

use model::{Id, IdKind, SecretName, StackName, TenantId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::chain::By;
use crate::error::Error;
use crate::quota::{self, Usage};
use crate::row::{AadScheme, Metadata, NewVersion, PolicyRow, Retiring, SecretAddress, said, time_text};
use crate::store::{Store, Writing};

/// The tag of AES-GCM: how much longer a sealed value is.
const TAG_BYTES: i64 = 16;
/// Below this a value cannot be masked inside a reply (R6).
const SHORT_VALUE_BYTES: i64 = 8;

/// The newest version comes along: SQLite takes a query's bare columns from the row that
/// has its MAX.
const METADATA: &str = "
    SELECT s.secret_id, s.tenant_id, s.name, s.stack, s.description, s.created_at, s.created_by,
           s.last_rotated_at, s.key_version, COALESCE(MAX(v.version_no), 0), length(v.ciphertext),
           s.policy, v.key_encoding, v.expires_at,
           (SELECT COUNT(*) FROM tenant_secret_versions h WHERE h.secret_id = s.secret_id AND h.destroyed_at IS NULL),
           (SELECT SUM(u.uses) FROM txco_secret_uses u WHERE u.secret_id = s.secret_id),
           (SELECT MAX(u.last_used_at) FROM txco_secret_uses u WHERE u.secret_id = s.secret_id),
           (SELECT r.version_no || ' ' || r.retiring_until FROM tenant_secret_versions r
            WHERE r.secret_id = s.secret_id AND r.revoked_at IS NULL
              AND r.retiring_until > strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
            ORDER BY r.version_no DESC LIMIT 1)
    FROM tenant_secrets s
    LEFT JOIN tenant_secret_versions v ON v.secret_id = s.secret_id AND v.revoked_at IS NULL";

impl Store {
    /// The active secret at exactly this place.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn secret(&self, address: &SecretAddress<'_>) -> Result<Option<Metadata>, Error> {
        self.read(|reader| active(&reader.connection, address))
    }

    /// All active secrets of a tenant, by name and stack.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn secrets(&self, tenant: &TenantId) -> Result<Vec<Metadata>, Error> {
        let sql = format!(
            "{METADATA} WHERE s.tenant_id = ?1 AND s.revoked_at IS NULL
             GROUP BY s.secret_id ORDER BY s.name, COALESCE(s.stack, '')"
        );
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(&sql).map_err(Error::of)?;
            let rows = statement.query_map([tenant.as_str()], metadata).map_err(Error::of)?;
            // A row whose names are none cannot be addressed; one such row hides no other.
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }
}

impl Store {
    /// What a tenant keeps.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn usage(&self, tenant: &TenantId) -> Result<Usage, Error> {
        self.read(|reader| quota::counted(&reader.connection, tenant))
    }
}

impl Writing<'_> {
    /// The active secret at exactly this place, as of this transaction.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn secret(&self, address: &SecretAddress<'_>) -> Result<Option<Metadata>, Error> {
        active(self.transaction, address)
    }

    /// The revoked secrets that were at exactly this place, oldest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn revoked(&self, address: &SecretAddress<'_>) -> Result<Vec<Id>, Error> {
        let sql = "SELECT secret_id FROM tenant_secrets
                   WHERE tenant_id = ?1 AND COALESCE(stack, '') = ?2 AND name = ?3 AND revoked_at IS NOT NULL
                   ORDER BY revoked_at, secret_id";
        let stack = address.stack.map_or("", StackName::as_str);
        let mut statement = self.transaction.prepare_cached(sql).map_err(Error::of)?;
        let place = (address.tenant.as_str(), stack, address.name.as_str());
        let rows = statement.query_map(place, |row| row.get(0).map(Id::from_row)).map_err(Error::of)?;
        rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
    }

    /// Adds a secret without a version.
    ///
    /// # Errors
    /// [`Error::Taken`] when an active one is there, [`Error::QuotaReached`], or of the database.
    pub fn add_secret(
        &self,
        id: &Id,
        address: &SecretAddress<'_>,
        description: Option<&str>,
        by: By<'_>,
    ) -> Result<(), Error> {
        let stack = address.stack.map_or("-", StackName::as_str);
        self.changed('+', &format!("secret {id} {} {stack} {}", address.tenant, address.name));
        self.run(
            "INSERT INTO tenant_secrets
                 (secret_id, tenant_id, stack, name, description, created_at, created_by, key_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
            (
                id.as_str(),
                address.tenant.as_str(),
                address.stack.map(StackName::as_str),
                address.name.as_str(),
                description,
                self.time(),
                by.author(),
            ),
        )?;
        self.quotas.hold_tenant(self.transaction, address.tenant.as_str())
    }

    /// The number of the next version: above all there ever were, revoked ones too.
    ///
    /// # Errors
    /// [`Error`] of the database, or [`Error::Row`] at the end of the numbers.
    pub fn next_version(&self, id: &Id) -> Result<u32, Error> {
        let sql = "SELECT MAX(version_no) FROM tenant_secret_versions WHERE secret_id = ?1";
        let mut statement = self.transaction.prepare_cached(sql).map_err(Error::of)?;
        let last: Option<u32> = statement.query_row([id.as_str()], |row| row.get(0)).map_err(Error::of)?;
        last.unwrap_or(0).checked_add(1).ok_or(Error::Row { table: "tenant_secret_versions" })
    }

    /// Adds a version.
    ///
    /// # Errors
    /// [`Error::QuotaReached`], or of the database.
    pub fn add_version<'n>(
        &self,
        secret: &Id,
        version_no: u32,
        new: impl Into<NewVersion<'n>>,
        by: By<'_>,
    ) -> Result<(), Error> {
        let NewVersion { sealed, key_encoding, expires_at } = new.into();
        self.changed('+', &format!("version {secret} {version_no}"));
        let (scheme, key_id, key_version) = columns(sealed.scheme);
        self.run(
            "INSERT INTO tenant_secret_versions
                 (version_id, secret_id, version_no, nonce, ciphertext, wrapped_dek, dek_nonce, created_at,
                  created_by, aad_scheme, key_id, aad_key_version, key_encoding, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            (
                self.mint(IdKind::SecretVersion)?.as_str(),
                secret.as_str(),
                version_no,
                sealed.nonce,
                &sealed.ciphertext,
                sealed.wrapped_dek,
                sealed.dek_nonce,
                self.time(),
                by.author(),
                scheme,
                key_id,
                key_version,
                key_encoding,
                expires_at.map(time_text),
            ),
        )?;
        self.quotas.hold_versions(self.transaction, secret)
    }

    /// Notes on the secret that its newest version was made now.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn mark_rotated(&self, id: &Id) -> Result<(), Error> {
        self.run(
            "UPDATE tenant_secrets SET last_rotated_at = ?2 WHERE secret_id = ?1",
            (id.as_str(), self.time()),
        )
    }

    /// Replaces the description; an empty one clears it.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn describe(&self, id: &Id, description: &str) -> Result<(), Error> {
        self.run(
            "UPDATE tenant_secrets SET description = ?2 WHERE secret_id = ?1",
            (id.as_str(), description),
        )
    }

    /// Revokes a secret; its versions stay. The search for its name ends here from now
    /// on, until a new one is made in its place (R17).
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn revoke(&self, id: &Id) -> Result<(), Error> {
        let place = "SELECT tenant_id || ' ' || COALESCE(NULLIF(stack, ''), '-') || ' ' || name
                     FROM tenant_secrets WHERE secret_id = ?1 AND revoked_at IS NULL";
        let place: Option<String> = self
            .transaction
            .query_row(place, [id.as_str()], |row| row.get(0))
            .optional()
            .map_err(Error::of)?;
        if let Some(place) = place {
            self.changed('-', &format!("secret {id} {place}"));
            self.changed('+', &format!("revoked {id} {place}"));
        }
        self.run(
            "UPDATE tenant_secrets SET revoked_at = ?2, blocks_fallback = 1 WHERE secret_id = ?1",
            (id.as_str(), self.time()),
        )
    }

    pub(crate) fn run(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<(), Error> {
        // Kept prepared: an import says the same a thousand times.
        let mut statement = self.transaction.prepare_cached(sql).map_err(Error::of)?;
        statement.execute(parameters).map(drop).map_err(Error::of)
    }
}

/// How a layout is written: scheme, key and, for scheme 1, generation.
pub(crate) fn columns(scheme: AadScheme) -> (i64, Option<String>, Option<i64>) {
    match scheme {
        AadScheme::One { key_version, key_id } => (1, key_id.map(|id| id.to_string()), Some(key_version)),
        AadScheme::Two { key_id } => (2, Some(key_id.to_string()), None),
    }
}

/// Old files may hold two in one place; the newest is the one.
fn active(connection: &Connection, address: &SecretAddress<'_>) -> Result<Option<Metadata>, Error> {
    let sql = format!(
        "{METADATA} WHERE s.tenant_id = ?1 AND COALESCE(s.stack, '') = ?2 AND s.name = ?3 AND s.revoked_at IS NULL
         GROUP BY s.secret_id ORDER BY s.created_at DESC, s.secret_id DESC LIMIT 1"
    );
    let place = (address.tenant.as_str(), address.stack.map_or("", StackName::as_str), address.name.as_str());
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    let found = statement.query_row(place, metadata).optional().map_err(Error::of)?;
    found.map(|one| one.ok_or(Error::Row { table: "tenant_secrets" })).transpose()
}

fn metadata(row: &Row<'_>) -> rusqlite::Result<Option<Metadata>> {
    let (tenant_id, name): (String, String) = (row.get(1)?, row.get(2)?);
    let Ok(stack) = said(row.get(3)?).map(|stack| StackName::parse(&stack)).transpose() else {
        return Ok(None);
    };
    let Some((tenant_id, name)) = TenantId::parse(&tenant_id).ok().zip(SecretName::parse(&name).ok()) else {
        return Ok(None);
    };
    let sealed_bytes: Option<i64> = row.get(10)?;
    Ok(Some(Metadata {
        secret_id: Id::from_row(row.get(0)?),
        tenant_id,
        name,
        stack,
        description: said(row.get(4)?),
        created_at: row.get(5)?,
        created_by: said(row.get(6)?),
        last_rotated_at: said(row.get(7)?),
        key_version: row.get(8)?,
        version_no: row.get(9)?,
        versions: row.get(14)?,
        policy: row.get::<_, Option<String>>(11)?.as_deref().map(PolicyRow::read),
        key_encoding: said(row.get(12)?),
        expires_at: said(row.get(13)?),
        retiring: row.get::<_, Option<String>>(17)?.as_deref().and_then(retiring),
        uses: row.get::<_, Option<i64>>(15)?.unwrap_or(0).unsigned_abs(),
        last_used_at: said(row.get(16)?),
        short_value: sealed_bytes.is_some_and(|bytes| bytes - TAG_BYTES < SHORT_VALUE_BYTES),
    }))
}

fn retiring(text: &str) -> Option<Retiring> {
    let (number, until) = text.split_once(' ')?;
    Some(Retiring { version_no: number.parse().ok()?, until: until.to_owned() })
}
