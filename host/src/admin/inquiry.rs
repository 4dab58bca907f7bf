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
    /// Of this chain; both where nobody says.
    pub chain: Option<&'a str>,
    /// The first ones above this number, instead of the last ones.
    pub after: Option<u64>,
    /// How many.
    pub limit: Option<u32>,
}

/// One of the chains: each database file has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    /// Of tenants, secrets and ops, and of all that was looked at or refused.
    Chassis,
    /// Of actors, keys, members and invitations.
    People,
}

impl Chain {
    /// The word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Chassis => "chassis",
            Self::People => "people",
        }
    }

    /// The chain that `word` stands for.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Chassis, Self::People].into_iter().find(|chain| chain.word() == word)
    }
}

/// The ends of both chains.
pub(crate) struct Heads {
    pub chassis: Option<Head>,
    pub people: Option<Head>,
}

impl Admin {
    /// Rows of the audit, oldest first: of both chains by time, or of the one that is asked for.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`]: it tells of every tenant; [`AdminError::TenantNotFound`],
    /// [`AdminError::InvalidBody`] for a chain that is none, [`AdminError::Store`].
    pub(crate) fn audit_rows(
        &self,
        actor: &Actor,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<(Chain, AuditRow)>, AdminError> {
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
        let no_chain = || AdminError::InvalidBody("chain is chassis or people".to_owned());
        let chain = wanted.chain.map(|word| Chain::parse(word).ok_or_else(no_chain)).transpose()?;
        let rows = |chain| {
            let rows = match (chain, wanted.after) {
                (Chain::Chassis, Some(_)) => self.store.audit_page(&filter, most),
                (Chain::Chassis, None) => self.store.audit_rows(&filter, most),
                (Chain::People, Some(_)) => self.actors.audit_page(&filter, most),
                (Chain::People, None) => self.actors.audit_rows(&filter, most),
            };
            Ok::<_, AdminError>(rows?.into_iter().map(move |row| (chain, row)))
        };
        // Numbers are those of one chain: from one on, only that chain can be told.
        if let Some(chain) = chain.or_else(|| wanted.after.map(|_| Chain::Chassis)) {
            return Ok(rows(chain)?.collect());
        }
        let mut all: Vec<_> = rows(Chain::Chassis)?.chain(rows(Chain::People)?).collect();
        all.sort_by(|(_, one), (_, other)| one.at.cmp(&other.at));
        Ok(all.split_off(all.len().saturating_sub(most as usize)))
    }

    /// The ends of the audit.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn audit_heads(&self, actor: &Actor) -> Result<Heads, AdminError> {
        actor.must_rule_all()?;
        Ok(Heads { chassis: self.store.audit_head()?, people: self.actors.audit_head()? })
    }

    /// Looks at a whole chain; without a vault nobody can tell whose its seals are.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::InvalidBody`] for a head that is none,
    /// [`AdminError::Store`].
    pub(crate) fn verify_audit(
        &self,
        actor: &Actor,
        chain: Chain,
        kept: Option<&str>,
    ) -> Result<Verdict, AdminError> {
        actor.must_rule_all()?;
        let no_head =
            || AdminError::InvalidBody("head is not SEQ:HASH, as `audit list` prints it".to_owned());
        let kept = kept.map(|text| Head::parse(text).ok_or_else(no_head)).transpose()?;
        Ok(match (chain, self.vault.get()) {
            (Chain::Chassis, Some(vault)) => vault.verify_audit(kept)?,
            (Chain::Chassis, None) => self.store.verify_audit(&[], kept)?,
            (Chain::People, Some(vault)) => vault.verify_people(&self.actors, kept)?,
            (Chain::People, None) => self.actors.verify_audit(&[], kept)?,
        })
    }

    /// Records that what was changed outside txco is as it should be; tells how much it was.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn accept_state(&self, actor: &Actor) -> Result<u64, AdminError> {
        actor.must_rule_all()?;
        Ok(self.store.accept_state(actor.by())? + self.actors.accept_state(actor.by())?)
    }

    /// Where exactly this value was ever stored.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`]: an answer tells whether a guess is right, in any tenant;
    /// [`AdminError::StoreOff`], [`AdminError::Vault`].
    pub(crate) fn seen(&self, actor: &Actor, value: SecretValue) -> Result<Vec<Seen>, AdminError> {
        actor.must_rule_all()?;
        let vault = self.vault.get().ok_or(AdminError::StoreOff)?;
        Ok(vault.seen(actor.by(), value)?)
    }
}
