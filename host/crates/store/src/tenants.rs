//! Tenants: found by slug, listed, made.

use model::{Id, IdKind, TenantId, TenantSlug};
use rusqlite::{OptionalExtension as _, Row};

use crate::chain::{By, Deed};
use crate::error::Error;
use crate::row::{Tenant, said, time_text};
use crate::store::{Store, Writing};

impl Store {
    /// The tenant called `slug`, unless it is revoked.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn tenant_by_slug(&self, slug: &TenantSlug) -> Result<Option<Tenant>, Error> {
        let sql =
            "SELECT tenant_id, slug, name, created_at FROM tenants WHERE slug = ?1 AND revoked_at IS NULL";
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let found = statement.query_row([slug.as_str()], tenant).optional().map_err(Error::of)?;
            found.map(|tenant| tenant.ok_or(Error::Row { table: "tenants" })).transpose()
        })
    }

    /// All tenants that are not revoked, by slug.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        let sql =
            "SELECT tenant_id, slug, name, created_at FROM tenants WHERE revoked_at IS NULL ORDER BY slug";
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let rows = statement.query_map([], tenant).map_err(Error::of)?;
            // A row whose names are none cannot be addressed; one such row hides no other.
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// [`Error::Taken`], [`Error::ReservedSlug`], or of the database.
    pub fn create_tenant(&self, slug: &TenantSlug, name: Option<&str>, by: By<'_>) -> Result<Tenant, Error> {
        if slug.is_reserved() {
            return Err(Error::ReservedSlug);
        }
        self.write(|writing: &Writing<'_>| {
            let id = writing.mint(IdKind::Tenant)?;
            let id = TenantId::parse(id.as_str()).map_err(|_| Error::Row { table: "tenants" })?;
            let name = name.filter(|name| !name.is_empty());
            let tenant =
                Tenant { id, slug: slug.clone(), name: name.map(str::to_owned), created_at: writing.time() };
            writing
                .transaction
                .execute(
                    "INSERT INTO tenants (tenant_id, slug, name, created_at) VALUES (?1, ?2, ?3, ?4)",
                    (tenant.id.as_str(), slug.as_str(), name, &tenant.created_at),
                )
                .map_err(Error::of)?;
            writing.changed('+', &format!("tenant {} {slug}", tenant.id));
            writing.record(&Deed::new(by, "tenant.create", tenant.id.as_str(), slug.as_str()))?;
            Ok(tenant)
        })
    }
}

impl Writing<'_> {
    /// The moment of this transaction, as it is stored.
    #[must_use]
    pub fn time(&self) -> String {
        time_text(self.now)
    }

    /// Mints an identifier of this moment.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn mint(&self, kind: IdKind) -> Result<Id, Error> {
        let millis = u64::try_from(self.now.as_millisecond()).unwrap_or(0);
        Id::mint(kind, millis).map_err(|_| Error::NoRandomness)
    }
}

fn tenant(row: &Row<'_>) -> rusqlite::Result<Option<Tenant>> {
    let (id, slug): (String, String) = (row.get(0)?, row.get(1)?);
    let (name, created_at) = (said(row.get(2)?), row.get(3)?);
    let names = TenantId::parse(&id).ok().zip(TenantSlug::parse(&slug).ok());
    Ok(names.map(|(id, slug)| Tenant { id, slug, name, created_at }))
}
