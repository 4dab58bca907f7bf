//! Who is served what: the rules of every tenant and the hosts that lead to them, one immutable snapshot.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Hostname, StackName, TenantId, TenantSlug};

use crate::ruleset::RuleSet;

/// What happens to a request whose host nobody bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbound {
    /// It belongs to the only tenant there is.
    Lone,
    /// It is nobody's.
    Refused,
}

/// Whose a request is and which rules answer it. It keeps them to its end, whatever is
/// applied meanwhile.
#[derive(Debug, Clone)]
pub struct Route {
    /// The tenant.
    pub tenant: TenantId,
    /// The same, for people.
    pub tenant_slug: TenantSlug,
    /// The stack that it enters.
    pub stack: StackName,
    /// The tenant's rules.
    pub rules: Arc<RuleSet>,
}

/// Why a request is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// No tenant has rules.
    NoRules,
    /// Nobody bound the host.
    UnknownHost,
    /// The host leads to a tenant, but not to one stack of it.
    NoStack,
    /// The rules of the stack cannot be used; the log says why.
    Broken,
}

/// The rules of all tenants, and the hosts.
#[derive(Debug, Clone)]
pub struct Space {
    tenants: BTreeMap<TenantId, (TenantSlug, Arc<RuleSet>)>,
    hosts: HashMap<Hostname, (TenantId, Option<StackName>)>,
    unbound: Unbound,
}

impl Space {
    /// Nobody's rules yet.
    #[must_use]
    pub fn empty(unbound: Unbound) -> Self {
        Self { tenants: BTreeMap::new(), hosts: HashMap::new(), unbound }
    }

    /// One tenant whose rules answer every host.
    #[must_use]
    pub fn of(tenant: TenantId, slug: TenantSlug, rules: Arc<RuleSet>) -> Self {
        Self::empty(Unbound::Lone).with(tenant, slug, rules)
    }

    /// The same with a tenant more, or with other rules of it.
    #[must_use]
    pub fn with(mut self, tenant: TenantId, slug: TenantSlug, rules: Arc<RuleSet>) -> Self {
        self.tenants.insert(tenant, (slug, rules));
        self
    }

    /// The same with these hosts instead of those it had. Who has only one tenant and wants a
    /// host that nobody bound to be its, says so by `unbound`.
    #[must_use]
    pub fn bound(
        mut self,
        hosts: impl IntoIterator<Item = (Hostname, TenantId, Option<StackName>)>,
        unbound: Unbound,
    ) -> Self {
        self.hosts = hosts.into_iter().map(|(host, tenant, stack)| (host, (tenant, stack))).collect();
        self.unbound = unbound;
        self
    }

    /// The rules of a tenant.
    #[must_use]
    pub fn rules(&self, tenant: &TenantId) -> Option<&Arc<RuleSet>> {
        self.tenants.get(tenant).map(|(_, rules)| rules)
    }

    /// All tenants, their names for people, and their rules.
    pub fn tenants(&self) -> impl Iterator<Item = (&TenantId, &TenantSlug, &Arc<RuleSet>)> {
        self.tenants.iter().map(|(id, (slug, rules))| (id, slug, rules))
    }

    /// A tenant's name for people, and its rules.
    pub(crate) fn tenant(&self, tenant: &TenantId) -> Option<(&TenantSlug, &Arc<RuleSet>)> {
        self.tenants.get(tenant).map(|(slug, rules)| (slug, rules))
    }

    /// Whether there is a rule at all.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        self.tenants.values().any(|(_, rules)| rules.files() > 0)
    }

    /// How many tenants have rules, in how many stacks, and how many rules there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let with = || self.tenants.values().map(|(_, rules)| rules).filter(|rules| rules.files() > 0);
        (with().count(), with().map(|rules| rules.stacks()).sum(), with().map(|rules| rules.rules()).sum())
    }

    /// Where a request for `host` (with or without a port) goes.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub fn route(&self, host: &str) -> Result<Route, NoRoute> {
        if self.tenants.is_empty() {
            return Err(NoRoute::NoRules);
        }
        let bound = if self.hosts.is_empty() { None } else { Hostname::of(host).ok() };
        let (tenant, stack) = match bound.and_then(|host| self.hosts.get(&host)) {
            Some((tenant, stack)) => (tenant, stack.clone()),
            None => {
                let mut all = self.tenants.keys();
                match (self.unbound, all.next(), all.next()) {
                    (Unbound::Lone, Some(lone), None) => (lone, None),
                    _ => return Err(NoRoute::UnknownHost),
                }
            }
        };
        self.enters(tenant, stack)
    }

    /// Where a request of a tenant goes, to a stack that was named or to its only one.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub fn enters(&self, tenant: &TenantId, stack: Option<StackName>) -> Result<Route, NoRoute> {
        let (slug, rules) = self.tenants.get(tenant).ok_or(NoRoute::NoRules)?;
        let stack = stack.or_else(|| rules.entry().cloned()).ok_or(NoRoute::NoStack)?;
        if rules.is_broken(&stack) {
            return Err(NoRoute::Broken);
        }
        if !rules.has(&stack) {
            return Err(NoRoute::NoStack);
        }
        let (tenant, tenant_slug) = (tenant.clone(), slug.clone());
        Ok(Route { tenant, tenant_slug, stack, rules: Arc::clone(rules) })
    }
}

#[cfg(test)]
mod tests {
    use txcl::Mode;

    use super::*;
    use crate::workspace::Source;

    fn stack(name: &str) -> StackName {
        StackName::parse(name).unwrap()
    }

    fn rules(stacks: &[&str]) -> Arc<RuleSet> {
        let sources = stacks.iter().map(|name| Source {
            stack: stack(name),
            path: "1/a.txcl".to_owned(),
            text: "EMIT .a = 1".to_owned(),
        });
        Arc::new(RuleSet::of_sources(sources.collect(), Mode::Strict).unwrap().entered_by(None))
    }

    fn tenant(name: &str) -> (TenantId, TenantSlug) {
        (TenantId::parse(&format!("tnt_{name}")).unwrap(), TenantSlug::parse(name).unwrap())
    }

    fn led(space: &Space, host: &str) -> Result<String, NoRoute> {
        space.route(host).map(|route| format!("{}:{}", route.tenant_slug, route.stack))
    }

    #[test]
    fn a_lone_tenant_with_one_stack_answers_every_host() {
        let (id, slug) = tenant("a");
        let space = Space::of(id, slug, rules(&["shop", "_cron"]));
        for host in ["", "shop.example", "127.0.0.1:8080", "not a host"] {
            assert_eq!(led(&space, host), Ok("a:shop".to_owned()), "{host}");
        }
        let refusing = space.bound([], Unbound::Refused);
        assert_eq!(led(&refusing, "shop.example"), Err(NoRoute::UnknownHost));
        assert_eq!(led(&Space::empty(Unbound::Lone), "shop.example"), Err(NoRoute::NoRules));
    }

    #[test]
    fn a_host_leads_to_its_tenant_and_stack() {
        let ((a, a_slug), (b, b_slug)) = (tenant("a"), tenant("b"));
        let host = |text: &str| Hostname::parse(text).unwrap();
        let hosts = [
            (host("eu.example"), a.clone(), Some(stack("shop/eu"))),
            (host("mail.example"), a.clone(), Some(stack("mail"))),
            (host("gone.example"), a.clone(), Some(stack("gone"))),
            (host("any.example"), a.clone(), None),
            (host("b.example"), b.clone(), None),
        ];
        let space = Space::of(a, a_slug, rules(&["shop", "mail"])).with(b, b_slug, rules(&["site"]));
        let space = space.bound(hosts, Unbound::Lone);
        assert_eq!(led(&space, "EU.example:8080"), Ok("a:shop/eu".to_owned()), "the parent's scopes");
        assert_eq!(led(&space, "mail.example."), Ok("a:mail".to_owned()));
        assert_eq!(led(&space, "b.example"), Ok("b:site".to_owned()));
        assert_eq!(led(&space, "gone.example"), Err(NoRoute::NoStack));
        assert_eq!(led(&space, "any.example"), Err(NoRoute::NoStack), "two stacks, and none named");
        for unknown in ["other.example", "", "a b", "xb.example"] {
            assert_eq!(led(&space, unknown), Err(NoRoute::UnknownHost), "{unknown}");
        }
    }
}
