//! How many runs are open.

use super::{OpenRuns, Store};
use crate::error::Error;

impl Store {
    /// How many runs of each tenant are open, by slug; tenants without one are left out.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn open_runs(&self) -> Result<Vec<OpenRuns>, Error> {
        let sql = "SELECT t.slug, SUM(r.open_waits > 0), SUM(r.open_waits = 0)
                   FROM txco_runs r JOIN tenants t ON t.tenant_id = r.tenant_id
                   WHERE r.ended_at IS NULL GROUP BY t.slug ORDER BY t.slug";
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let rows = statement.query_map([], |row| {
                Ok(OpenRuns { tenant: row.get(0)?, waiting: row.get(1)?, running: row.get(2)? })
            });
            rows.map_err(Error::of)?.collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }
}
