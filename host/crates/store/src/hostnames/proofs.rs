//! What is asked about a host to see that it is a tenant's, and whose it is then.

use jiff::Timestamp;
use model::{Hostname, TenantId};
use rusqlite::{OptionalExtension as _, params};

use super::{MOST_HOSTNAMES, claim, let_go, owner};
use crate::chain::{By, Deed};
use crate::error::Error;
use crate::refusal::StackRefusal;
use crate::store::{Store, Writing};

/// How a host is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofMethod {
    /// It says an answer at a URL: whoever rules its server, or its address record, wants it here.
    Http,
    /// Its zone has a TXT record: whoever rules the name itself.
    Dns,
}

impl ProofMethod {
    /// As administrators say it, and as it stands in the audit.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http-01",
            Self::Dns => "dns-txt",
        }
    }
}

/// A question about a host, and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostnameProof {
    /// What its URL ends with.
    pub token: String,
    /// What is said there, or in the record.
    pub answer: String,
    /// Until when it counts.
    pub expires: Timestamp,
}

impl Store {
    /// The question about a host of `tenant` that is still open, or else `fresh`. By DNS a host may also be
    /// another's.
    ///
    /// # Errors
    /// [`StackRefusal::NoHostname`], [`StackRefusal::TooManyHostnames`], or of the database.
    pub fn hostname_proof(
        &self,
        tenant: &TenantId,
        hostname: &Hostname,
        method: ProofMethod,
        fresh: &HostnameProof,
    ) -> Result<HostnameProof, Error> {
        self.write(|writing| {
            let transaction = writing.transaction;
            match owner(transaction, hostname)? {
                Some(owner) if owner == tenant.as_str() || method == ProofMethod::Dns => {}
                Some(_) | None => return Err(Error::Stack(StackRefusal::NoHostname)),
            }
            let sql = "DELETE FROM txco_hostname_claims WHERE expires_at <= ?1";
            transaction.execute(sql, [writing.now.as_millisecond()]).map_err(Error::of)?;
            let sql = "INSERT INTO txco_hostname_claims (tenant_id, hostname, token, answer, expires_at)
                       SELECT ?1, ?2, ?3, ?4, ?5
                       WHERE (SELECT COUNT(*) FROM txco_hostname_claims WHERE tenant_id = ?1) < ?6
                       ON CONFLICT DO NOTHING";
            let HostnameProof { token, answer, expires } = fresh;
            let most = i64::try_from(MOST_HOSTNAMES).unwrap_or(i64::MAX);
            let (tenant, hostname) = (tenant.as_str(), hostname.as_str());
            let row = params![tenant, hostname, token, answer, expires.as_millisecond(), most];
            transaction.execute(sql, row).map_err(Error::of)?;
            let sql = "SELECT token, answer, expires_at FROM txco_hostname_claims
                       WHERE tenant_id = ?1 AND hostname = ?2";
            let kept = transaction.query_row(sql, [tenant, hostname], |row| {
                let expires = Timestamp::from_millisecond(row.get(2)?).unwrap_or_default();
                Ok(HostnameProof { token: row.get(0)?, answer: row.get(1)?, expires })
            });
            let full = StackRefusal::TooManyHostnames { most: MOST_HOSTNAMES };
            kept.optional().map_err(Error::of)?.ok_or(Error::Stack(full))
        })
    }

    /// What a host is to say to this token.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn hostname_answer(&self, token: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT c.answer FROM txco_hostname_claims c
                   JOIN tenant_hostnames h ON h.tenant_id = c.tenant_id AND lower(h.hostname) = c.hostname
                   WHERE c.token = ?1 AND c.expires_at > ?2 AND h.revoked_at IS NULL";
        let row = (token, Timestamp::now().as_millisecond());
        self.read(|reader| {
            reader.connection.query_row(sql, row, |row| row.get(0)).optional().map_err(Error::of)
        })
    }

    /// What was to be said to `token` was said: the host is the tenant's. By DNS it is then also when another
    /// tenant had it until now, who loses it.
    ///
    /// # Errors
    /// [`StackRefusal::NoHostname`]: it is not any more, or another question is open;
    /// [`StackRefusal::TooManyHostnames`]. Or of the database.
    pub fn verify_hostname(
        &self,
        tenant: &TenantId,
        hostname: &Hostname,
        token: &str,
        method: ProofMethod,
        by: By<'_>,
    ) -> Result<(), Error> {
        self.write(|writing| {
            let transaction = writing.transaction;
            let sql =
                "DELETE FROM txco_hostname_claims WHERE tenant_id = ?1 AND hostname = ?2 AND token = ?3";
            let row = (tenant.as_str(), hostname.as_str(), token);
            if transaction.execute(sql, row).map_err(Error::of)? == 0 {
                return Err(Error::Stack(StackRefusal::NoHostname));
            }
            match owner(transaction, hostname)? {
                Some(owner) if owner == tenant.as_str() => {}
                Some(other) if method == ProofMethod::Dns => take(writing, &other, tenant, hostname, by)?,
                Some(_) | None => return Err(Error::Stack(StackRefusal::NoHostname)),
            }
            let sql = "UPDATE tenant_hostnames SET verified_at = ?3
                       WHERE tenant_id = ?1 AND lower(hostname) = ?2 AND revoked_at IS NULL";
            let row = (tenant.as_str(), hostname.as_str(), writing.time());
            transaction.execute(sql, row).map_err(Error::of)?;
            let deed = Deed::new(by, "hostname.verify", tenant.as_str(), hostname.as_str());
            writing.record(&deed.fact("method", method.word()))?;
            Ok(())
        })
    }
}

/// Takes a host from a tenant for another, in the audit of both.
fn take(
    writing: &Writing<'_>,
    from: &str,
    tenant: &TenantId,
    hostname: &Hostname,
    by: By<'_>,
) -> Result<(), Error> {
    let_go(writing, from, hostname)?;
    let deed = Deed::new(by, "hostname.release", from, hostname.as_str());
    writing.record(&deed.fact("why", "another tenant proved by dns-txt that it is theirs"))?;
    claim(writing, tenant, hostname, None, by)
}
