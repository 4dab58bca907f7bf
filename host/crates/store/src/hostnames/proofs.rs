//! What is asked of a host to see that it is its tenant's.

use jiff::Timestamp;
use model::{Hostname, TenantId};
use rusqlite::OptionalExtension as _;

use crate::chain::{By, Deed};
use crate::error::Error;
use crate::refusal::StackRefusal;
use crate::store::Store;

/// A question to a host, and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostnameProof {
    /// What its URL ends with.
    pub token: String,
    /// What it says there.
    pub answer: String,
    /// Until when it counts.
    pub expires: Timestamp,
}

impl Store {
    /// The question to a host of `tenant` that is still open, or else `fresh`.
    ///
    /// # Errors
    /// [`StackRefusal::NoHostname`], or of the database.
    pub fn hostname_proof(
        &self,
        tenant: &TenantId,
        hostname: &Hostname,
        fresh: &HostnameProof,
    ) -> Result<HostnameProof, Error> {
        self.write(|writing| {
            let transaction = writing.transaction;
            let sql = "SELECT id FROM tenant_hostnames WHERE tenant_id = ?1 AND hostname = ?2 AND revoked_at IS NULL";
            let row = (tenant.as_str(), hostname.as_str());
            let id: Option<String> =
                transaction.query_row(sql, row, |row| row.get(0)).optional().map_err(Error::of)?;
            let id = id.ok_or(Error::Stack(StackRefusal::NoHostname))?;
            let sql = "DELETE FROM txco_hostname_proofs WHERE expires_at <= ?1";
            transaction.execute(sql, [writing.now.as_millisecond()]).map_err(Error::of)?;
            let sql = "INSERT INTO txco_hostname_proofs (hostname_id, token, answer, expires_at)
                       VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            let row = (&id, &fresh.token, &fresh.answer, fresh.expires.as_millisecond());
            transaction.execute(sql, row).map_err(Error::of)?;
            let sql = "SELECT token, answer, expires_at FROM txco_hostname_proofs WHERE hostname_id = ?1";
            let kept = transaction.query_row(sql, [&id], |row| {
                let expires = Timestamp::from_millisecond(row.get(2)?).unwrap_or_default();
                Ok(HostnameProof { token: row.get(0)?, answer: row.get(1)?, expires })
            });
            kept.map_err(Error::of)
        })
    }

    /// What a host is to say to this token.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn hostname_answer(&self, token: &str) -> Result<Option<String>, Error> {
        let sql =
            "SELECT p.answer FROM txco_hostname_proofs p JOIN tenant_hostnames h ON h.id = p.hostname_id
                   WHERE p.token = ?1 AND p.expires_at > ?2 AND h.revoked_at IS NULL";
        let row = (token, Timestamp::now().as_millisecond());
        self.read(|reader| {
            reader.connection.query_row(sql, row, |row| row.get(0)).optional().map_err(Error::of)
        })
    }

    /// A host said what it was to say to `token`: it is the tenant's.
    ///
    /// # Errors
    /// [`StackRefusal::NoHostname`]: it is not any more, or another question is open. Or of the database.
    pub fn verify_hostname(
        &self,
        tenant: &TenantId,
        hostname: &Hostname,
        token: &str,
        by: By<'_>,
    ) -> Result<(), Error> {
        self.write(|writing| {
            let transaction = writing.transaction;
            let sql = "UPDATE tenant_hostnames SET verified_at = ?4 WHERE tenant_id = ?1 AND hostname = ?2
                       AND revoked_at IS NULL AND id IN (SELECT hostname_id FROM txco_hostname_proofs WHERE token = ?3)";
            let row = (tenant.as_str(), hostname.as_str(), token, writing.time());
            if transaction.execute(sql, row).map_err(Error::of)? == 0 {
                return Err(Error::Stack(StackRefusal::NoHostname));
            }
            let sql = "DELETE FROM txco_hostname_proofs WHERE token = ?1";
            transaction.execute(sql, [token]).map_err(Error::of)?;
            let deed = Deed::new(by, "hostname.verify", tenant.as_str(), hostname.as_str());
            writing.record(&deed.fact("method", "http-01"))?;
            Ok(())
        })
    }
}
