//! What is asked of the audit: rows, whether it holds, and whether a value was ever stored.

use store::{AuditFilter, AuditRow, Head, Seen, Verdict};
use vault::SecretValue;

use super::Admin;
use super::actor::Actor;
use super::error::AdminError;

/// The most rows of one answer.
pub(crate) const MOST_ROWS: u32 = 1000;
/// How many rows are told when nobody says.
const ROWS: u32 = 50;

/// Which rows are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Of this tenant, by slug.
    pub tenant: Option<&'a str>,
    /// About what has this name.
    pub subject: Option<&'a str>,
    /// Of this action, or of all that begin with it and a dot.
    pub action: Option<&'a str>,
    /// Of this actor.
    pub actor: Option<&'a str>,
    /// The first ones above this number, instead of the last ones.
    pub after: Option<u64>,
    /// How many.
    pub limit: Option<u32>,
}

impl Admin {
    /// Rows of the audit, oldest first.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`]: it tells of every tenant; [`AdminError::TenantNotFound`],
    /// [`AdminError::Store`].
    pub(crate) fn audit_rows(&self, actor: &Actor, wanted: &Wanted<'_>) -> Result<Vec<AuditRow>, AdminError> {
        actor.must_rule_all()?;
        let tenant = wanted.tenant.map(|slug| self.tenant(slug)).transpose()?;
        let filter = AuditFilter {
            tenant: tenant.as_ref().map(|tenant| &tenant.id),
            subject: wanted.subject,
            action: wanted.action,
            actor: wanted.actor,
            after: wanted.after.unwrap_or(0),
        };
        let most = wanted.limit.unwrap_or(ROWS).min(MOST_ROWS);
        Ok(match wanted.after {
            Some(_) => self.store.audit_page(&filter, most)?,
            None => self.store.audit_rows(&filter, most)?,
        })
    }

    /// The end of the audit.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn audit_head(&self, actor: &Actor) -> Result<Option<Head>, AdminError> {
        actor.must_rule_all()?;
        Ok(self.store.audit_head()?)
    }

    /// Looks at the whole audit; without a vault nobody can tell whose its seals are.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::InvalidBody`] for a head that is none,
    /// [`AdminError::Store`].
    pub(crate) fn verify_audit(&self, actor: &Actor, kept: Option<&str>) -> Result<Verdict, AdminError> {
        actor.must_rule_all()?;
        let no_head =
            || AdminError::InvalidBody("head is not SEQ:HASH, as `audit list` prints it".to_owned());
        let kept = kept.map(|text| Head::parse(text).ok_or_else(no_head)).transpose()?;
        Ok(match &self.vault {
            Some(vault) => vault.verify_audit(kept)?,
            None => self.store.verify_audit(&[], kept)?,
        })
    }

    /// Records that what was changed outside txco is as it should be; tells how much it was.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn accept_state(&self, actor: &Actor) -> Result<u64, AdminError> {
        actor.must_rule_all()?;
        Ok(self.store.accept_state(actor.by())?)
    }

    /// Where exactly this value was ever stored.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`]: an answer tells whether a guess is right, in any tenant;
    /// [`AdminError::StoreOff`], [`AdminError::Vault`].
    pub(crate) fn seen(&self, actor: &Actor, value: SecretValue) -> Result<Vec<Seen>, AdminError> {
        actor.must_rule_all()?;
        let vault = self.vault.as_deref().ok_or(AdminError::StoreOff)?;
        Ok(vault.seen(actor.by(), value)?)
    }
}
