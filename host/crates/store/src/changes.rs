//! What changed in the database of what a running chassis keeps in memory, whoever changed it.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::connection;
use crate::error::Error;
use crate::store::Store;

/// Before the id of a tenant: the count of its ops, not of its rules.
const OPS: &str = "ops/";

/// How often each part changed that a chassis keeps in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Which tenants and hosts there are.
    pub hosts: i64,
    /// What tenants may have.
    pub terms: i64,
    /// The applied rules of each tenant, by its id.
    pub rules: HashMap<String, i64>,
    /// The ops that each tenant pushed, by its id.
    pub ops: HashMap<String, i64>,
}

/// Notices commits of others: a connection of its own, so that nobody waits for it.
pub struct Watch {
    connection: Connection,
    as_of: Option<i64>,
}

impl Store {
    /// How often what changed; read *before* the rows themselves, it is never newer than they are.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn changes(&self) -> Result<Changes, Error> {
        self.read(|reader| {
            let sql = "SELECT what, number FROM txco_changes";
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(Error::of)?;
            let mut rules: HashMap<String, i64> = rows.collect::<rusqlite::Result<_>>().map_err(Error::of)?;
            let mut take = |what| rules.remove(what).unwrap_or(0);
            let (hosts, terms) = (take("hosts"), take("terms"));
            let ops = rules.extract_if(|what, _| what.starts_with(OPS));
            let ops = ops.map(|(what, number)| (what.trim_start_matches(OPS).to_owned(), number)).collect();
            Ok(Changes { hosts, terms, rules, ops })
        })
    }

    /// A look at this database from outside.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn watch(&self) -> Result<Watch, Error> {
        Ok(Watch { connection: connection::reader(self.path())?, as_of: None })
    }
}

impl Watch {
    /// Whether anybody committed anything since the last look; at the first one, yes. It reads
    /// one number from shared memory.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn stirred(&mut self) -> Result<bool, Error> {
        let now = connection::data_version(&self.connection)?;
        Ok(self.as_of.replace(now) != Some(now))
    }
}
