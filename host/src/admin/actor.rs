//! Who asks, and what they may do: asked by every use-case, so that no route can forget it.

use model::{Capability, TenantId};
use store::By;

use super::error::AdminError;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Whoever works on this machine, while nobody is enrolled (R32).
    Open,
    /// Whoever knows the name and password of the start.
    Basic,
    /// Somebody with a key.
    Enrolled(Box<Enrolled>),
}

/// Somebody with a key, as the actor database knows them at this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolled {
    /// Who.
    pub id: String,
    /// The key that signed.
    pub key_id: String,
    /// What people call them.
    pub label: Option<String>,
    /// Whether everything is theirs, in every tenant.
    pub super_admin: bool,
    /// What they may do where.
    pub memberships: Vec<Membership>,
}

/// What an actor may do in one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The tenant.
    pub tenant: TenantId,
    /// What.
    pub capabilities: Vec<Capability>,
}

/// What a use-case asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need<'a> {
    domain: &'static str,
    instance: Instance<'a>,
    action: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instance<'a> {
    /// All of them.
    Every,
    /// At least one: which, is asked again once it is known.
    Some,
    /// This one.
    Named(&'a str),
}

impl Need<'static> {
    /// To see ops, rules and stacks.
    pub(crate) const OPS_READ: Self = Self::every("opstack", "read");
    /// To change them.
    pub(crate) const OPS_UPDATE: Self = Self::every("opstack", "update");
    /// To say which version of a stack is served.
    pub(crate) const OPS_ACTIVATE: Self = Self::every("opstack", "activate");
    /// To see which hosts lead to the tenant.
    pub(crate) const HOSTNAMES_READ: Self = Self::every("hostname", "read");
    /// To change them.
    pub(crate) const HOSTNAMES_WRITE: Self = Self::every("hostname", "write");
    /// To see which requests wait.
    pub(crate) const RUNS_READ: Self = Self::every("run", "read");
    /// To end them.
    pub(crate) const RUNS_CANCEL: Self = Self::every("run", "cancel");
    /// To see actors, members and invitations.
    pub(crate) const ACTORS_READ: Self = Self::every("actor", "read");
    /// To invite, and to say what members may do.
    pub(crate) const ACTORS_INVITE: Self = Self::every("actor", "invite");
    /// To send members away.
    pub(crate) const ACTORS_REVOKE: Self = Self::every("actor", "revoke");
    /// To see what is known of some secret.
    pub(crate) const SOME_SECRET_READ: Self =
        Self { instance: Instance::Some, ..Self::every("secret", "read") };
    /// To change some secret.
    pub(crate) const SOME_SECRET_WRITE: Self =
        Self { instance: Instance::Some, ..Self::every("secret", "write") };

    const fn every(domain: &'static str, action: &'static str) -> Self {
        Self { domain, instance: Instance::Every, action }
    }
}

impl<'a> Need<'a> {
    /// To see what is known of the secret called `name`.
    pub(crate) const fn secret_read(name: &'a str) -> Self {
        Self { domain: "secret", instance: Instance::Named(name), action: "read" }
    }

    /// To change the secret called `name`.
    pub(crate) const fn secret_write(name: &'a str) -> Self {
        Self { domain: "secret", instance: Instance::Named(name), action: "write" }
    }

    /// To activate rules that use the secret called `name`.
    pub(crate) const fn secret_use(name: &'a str) -> Self {
        Self { domain: "secret", instance: Instance::Named(name), action: "use" }
    }

    fn is_met_by(self, granted: &Capability) -> bool {
        match self.instance {
            Instance::Every => granted.permits(self.domain, "*", self.action),
            Instance::Some => granted.permits_some(self.domain, self.action),
            Instance::Named(name) => granted.permits(self.domain, name, self.action),
        }
    }

    /// The capability that would do.
    pub(crate) fn text(self) -> String {
        let instance = match self.instance {
            Instance::Every | Instance::Some => "*",
            Instance::Named(name) => name,
        };
        format!("{}:{instance}:{}", self.domain, self.action)
    }
}

impl Actor {
    /// The actor as the log, the audit and rows know it.
    #[must_use]
    pub(crate) fn by(&self) -> By<'_> {
        match self {
            Self::Open => By::Open,
            Self::Basic => By::Basic,
            Self::Enrolled(enrolled) => By::Actor(&enrolled.id),
        }
    }

    /// Lets through whoever may do this in `tenant`.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn may(&self, tenant: &TenantId, need: Need<'_>) -> Result<(), AdminError> {
        if self.can(tenant, need) { Ok(()) } else { Err(AdminError::CapabilityDenied(need.text())) }
    }

    /// Whether they may do this in `tenant`.
    pub(crate) fn can(&self, tenant: &TenantId, need: Need<'_>) -> bool {
        self.rules_all() || self.capabilities(tenant).iter().any(|granted| need.is_met_by(granted))
    }

    /// Lets through whoever may do everything everywhere.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn must_rule_all(&self) -> Result<(), AdminError> {
        if self.rules_all() { Ok(()) } else { Err(AdminError::CapabilityDenied("super_admin".to_owned())) }
    }

    /// Whether they may do everything everywhere.
    pub(crate) fn rules_all(&self) -> bool {
        match self {
            Self::Open | Self::Basic => true,
            Self::Enrolled(enrolled) => enrolled.super_admin,
        }
    }

    /// Whether they belong to `tenant`: the others do not even see it in a list (weakness A5).
    pub(crate) fn belongs_to(&self, tenant: &TenantId) -> bool {
        self.rules_all() || !self.capabilities(tenant).is_empty()
    }

    /// Lets through whoever has, in `tenant`, all that they give away.
    ///
    /// # Errors
    /// [`AdminError::ExceedsGranter`].
    pub(crate) fn must_cover(&self, tenant: &TenantId, given: &[Capability]) -> Result<(), AdminError> {
        let covered = |one: &Capability| self.capabilities(tenant).iter().any(|own| own.covers(one));
        match given.iter().find(|one| !self.rules_all() && !covered(one)) {
            Some(one) => Err(AdminError::ExceedsGranter(one.to_string())),
            None => Ok(()),
        }
    }

    fn capabilities(&self, tenant: &TenantId) -> &[Capability] {
        let Self::Enrolled(enrolled) = self else { return &[] };
        let own = enrolled.memberships.iter().find(|membership| membership.tenant == *tenant);
        own.map(|membership| membership.capabilities.as_slice()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(capabilities: &[&str]) -> Actor {
        let capabilities = capabilities.iter().map(|text| Capability::parse(text).unwrap()).collect();
        let tenant = TenantId::parse("tnt_a").unwrap();
        Actor::Enrolled(Box::new(Enrolled {
            id: "actor_1".to_owned(),
            key_id: "key_1".to_owned(),
            label: None,
            super_admin: false,
            memberships: vec![Membership { tenant, capabilities }],
        }))
    }

    /// Weakness A6: a capability for some names is one for those names.
    #[test]
    fn a6_a_capability_reaches_the_names_it_names_and_no_further() {
        let (here, there) = (TenantId::parse("tnt_a").unwrap(), TenantId::parse("tnt_b").unwrap());
        let stripe = actor(&["secret:STRIPE_*:write"]);
        assert!(stripe.can(&here, Need::secret_write("STRIPE_KEY")));
        assert!(stripe.can(&here, Need::SOME_SECRET_WRITE));
        for (tenant, need) in [
            (&here, Need::secret_write("OTHER")),
            (&here, Need::secret_read("STRIPE_KEY")),
            (&here, Need::SOME_SECRET_READ),
            (&here, Need::OPS_READ),
            (&there, Need::secret_write("STRIPE_KEY")),
            (&there, Need::SOME_SECRET_WRITE),
        ] {
            assert!(!stripe.can(tenant, need), "{need:?}");
        }
        let denied = stripe.may(&here, Need::secret_write("OTHER")).unwrap_err();
        assert_eq!(denied.answer(), (403, "capability_denied"));
        assert!(denied.to_string().contains("secret:OTHER:write"), "{denied}");
    }

    #[test]
    fn nobody_gives_away_what_they_do_not_have() {
        let here = TenantId::parse("tnt_a").unwrap();
        let stripe = actor(&["secret:STRIPE_*:write", "actor:*:invite"]);
        let give = |text: &str| stripe.must_cover(&here, &[Capability::parse(text).unwrap()]);
        assert!(give("secret:STRIPE_LIVE:write").is_ok());
        for more in ["secret:*:write", "secret:STRIPE_A:read", "admin:all"] {
            assert_eq!(give(more).unwrap_err().answer(), (403, "capability_exceeds_granter"), "{more}");
        }
        assert!(Actor::Open.must_cover(&here, &[Capability::parse("*").unwrap()]).is_ok());
    }
}
