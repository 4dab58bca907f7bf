//! Which master keys wrap the keys of runs, so that none is thrown away that is needed.

use rusqlite::params;

use super::{RUN, RunKey, RunRow, run};
use crate::error::Error;
use crate::row::KeyId;
use crate::store::{Store, Writing};

impl Store {
    /// How many runs each master key is needed for: one that failed needs none.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn run_keys(&self) -> Result<Vec<(KeyId, u64)>, Error> {
        self.read(|reader| {
            let sql = "SELECT key_id, COUNT(*) FROM txco_runs WHERE failed IS NULL GROUP BY key_id";
            let mut statement = reader.connection.prepare(sql).map_err(Error::of)?;
            let rows = statement
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
                .map_err(Error::of)?;
            let mut keys = Vec::new();
            for row in rows {
                let (key, count) = row.map_err(Error::of)?;
                keys.extend(KeyId::parse(&key).map(|key| (key, count.unsigned_abs())));
            }
            Ok(keys)
        })
    }
}

impl Writing<'_> {
    /// At most `most` runs behind `after` whose keys are needed and not wrapped by `key`, by name.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn runs_not_under(&self, key: KeyId, after: &str, most: u32) -> Result<Vec<RunRow>, Error> {
        let sql = format!(
            "SELECT {RUN} FROM txco_runs WHERE key_id <> ?1 AND run_id > ?2 AND failed IS NULL
             ORDER BY run_id LIMIT ?3"
        );
        let mut statement = self.transaction.prepare_cached(&sql).map_err(Error::of)?;
        let rows = statement.query_map((key.to_string(), after, most), run).map_err(Error::of)?;
        // A row that is damaged opens under no key.
        rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>().map_err(Error::of)
    }

    /// Keeps the key of a run wrapped anew.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn rewrap_run(&self, run: &model::Id, key: &RunKey) -> Result<(), Error> {
        let sql = "UPDATE txco_runs SET key_id = ?2, dek_nonce = ?3, wrapped_dek = ?4 WHERE run_id = ?1";
        let row = params![run.as_str(), key.key_id.to_string(), key.nonce, key.wrapped];
        self.transaction.execute(sql, row).map_err(Error::of).map(drop)
    }
}
