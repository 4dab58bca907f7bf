//! The audit of the actor database: a chain of its own, read as that of the runtime database.

use std::sync::Arc;

use super::Actors;
use crate::audit::{self, AuditFilter, Verdict};
use crate::chain::{self, AuditRow, AuditSeal, By, Deed, Head, PEOPLE};
use crate::error::Error;

impl Actors {
    /// From now on `seal` authenticates the rows; said once.
    pub fn seal_audit_with(&self, seal: Arc<dyn AuditSeal>) {
        self.seal.get_or_init(|| seal);
    }

    /// Begins the chain where somebody is there already: they are its baseline. Where nobody
    /// is, it begins with the first deed.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn begin_audit(&self) -> Result<(), Error> {
        self.write(|step| {
            let begun = chain::last(step.transaction)?.is_some();
            if begun || chain::lines(step.transaction, PEOPLE)?.is_empty() {
                return Ok(());
            }
            chain::begin(step.transaction, step.seal, &step.time(), &[], PEOPLE).map(drop)
        })
    }

    /// The end of the chain.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_head(&self) -> Result<Option<Head>, Error> {
        self.read(|connection| Ok(chain::last(connection)?.map(|row| row.head())))
    }

    /// The last `most` rows that `filter` lets through, oldest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_rows(&self, filter: &AuditFilter<'_>, most: u32) -> Result<Vec<AuditRow>, Error> {
        let mut rows = self.read(|connection| audit::select(connection, filter, "DESC", most))?;
        rows.reverse();
        Ok(rows)
    }

    /// The first `most` rows that `filter` lets through, oldest first: a page of an export.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_page(&self, filter: &AuditFilter<'_>, most: u32) -> Result<Vec<AuditRow>, Error> {
        self.read(|connection| audit::select(connection, filter, "ASC", most))
    }

    /// Looks at every row, as [`crate::Store::verify_audit`].
    ///
    /// # Errors
    /// [`Error`] of the database; what is wrong with the chain is none.
    pub fn verify_audit(&self, seals: &[&dyn AuditSeal], kept: Option<Head>) -> Result<Verdict, Error> {
        self.read(|connection| audit::verify(connection, PEOPLE, seals, kept))
    }

    /// Records the state as it is now, whatever changed it; tells how much the chain did not
    /// explain.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn accept_state(&self, by: By<'_>) -> Result<u64, Error> {
        self.write(|step| {
            let untold = audit::untold(step.transaction, PEOPLE)?;
            let count = untold.len() as u64;
            if count > 0 {
                let changes: Vec<_> =
                    untold.into_iter().map(|(sign, line)| format!("{sign}{line}")).collect();
                let deed = Deed::new(by, "audit.accept", "-", "-").fact("count", count);
                chain::append(step.transaction, step.seal, &step.time(), &deed, &changes, PEOPLE)?;
            }
            Ok(count)
        })
    }
}
