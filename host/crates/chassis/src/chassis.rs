//! The rooms put together: rules in, requests through.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use model::{OpName, TenantId, TenantSlug};
use sandbox::Sandbox;
use tokio::sync::mpsc::Sender;
use txcl::Color;
use vault::LateVault;

use crate::admission::{Admissions, NotAdmitted, Pass, Terms};
use crate::callers::Callers;
use crate::count::{Counted, Counts, Use};
use crate::life::{Carried, Life};
use crate::places::{LargePlaces, Places};
use crate::registry::{OpSource, PinnedOps, Registry};
use crate::request::{Outcome, Piece, Request};
use crate::rooms::Rooms;
use crate::ruleset::RuleSet;
use crate::settings::Settings;
use crate::space::{Route, Space, Unbound};
use crate::trace::Trace;
use crate::unusable::LoadErrors;

/// The rooms below, put together.
pub struct Parts {
    /// The secret store, when it is on.
    pub vault: LateVault,
    /// Runs ops.
    pub sandbox: Sandbox,
    /// Sends requests.
    pub egress: egress::Client,
    /// Keeps traces.
    pub trace: Trace,
    /// Limits of a run.
    pub settings: Settings,
}

/// The assembly line: rules in, requests through.
pub struct Chassis {
    pub(crate) rooms: Rooms,
    pub(crate) trace: Trace,
    space: ArcSwap<Space>,
    pub(crate) admissions: Admissions,
}

impl Chassis {
    /// Puts the rooms together.
    ///
    /// # Errors
    /// When a built-in op is not what its lock says.
    pub fn new(parts: Parts) -> Result<Self, sandbox::Error> {
        let registry = Registry::new(parts.sandbox)?;
        Ok(Self {
            rooms: Rooms {
                vault: parts.vault,
                egress: parts.egress,
                registry,
                life: Life::new(parts.settings.waiting.at_once),
                places: Places::new(parts.settings.blocking_ops),
                large_places: LargePlaces::new(parts.settings.large_ops),
                callers: Callers::new(parts.settings.calls),
                settings: parts.settings,
                counts: Counts::default(),
            },
            trace: parts.trace,
            space: ArcSwap::from_pointee(Space::empty(Unbound::Lone)),
            admissions: Admissions::default(),
        })
    }

    /// Finds every op of the tenant that `rules` call among `ops`, and compiles it, and every
    /// built-in op that they call.
    ///
    /// # Errors
    /// [`LoadErrors::Ops`].
    pub fn bind(&self, mut rules: RuleSet, ops: &dyn OpSource) -> Result<RuleSet, LoadErrors> {
        rules.bind(|_, name| {
            let components = ops.components(name)?;
            if components.is_empty() {
                return Err(unknown(&ops.names()));
            }
            let loaded = self.rooms.registry.tenant(name, &components);
            loaded.map_err(|error| error.to_string())
        })?;
        self.compile_builtins(&rules);
        Ok(rules)
    }

    /// The same rules with what `ops` gives for their ops now.
    ///
    /// # Errors
    /// As [`Chassis::bind`].
    pub fn bind_again(&self, rules: &RuleSet, ops: &dyn OpSource) -> Result<RuleSet, LoadErrors> {
        self.bind(rules.unpinned(), ops)
    }

    /// The rules that a request began with, with exactly the ops that it began with.
    pub(crate) fn rebuilt(
        &self,
        content: &str,
        tenant: &TenantId,
        ops: &dyn PinnedOps,
    ) -> Result<RuleSet, String> {
        let (mut rules, pins) = RuleSet::of_snapshot(content).ok_or("they cannot be read any more")?;
        let bound = rules.bind(|stack, name| {
            let digests = pins.get(stack).and_then(|ops| ops.get(name)).into_iter().flatten();
            let component = |digest| {
                let component = ops.component(tenant, name, digest)?;
                component.ok_or_else(|| format!("the database does not have {name}@{digest} any more"))
            };
            let components = digests.map(component).collect::<Result<Vec<_>, _>>()?;
            if components.is_empty() {
                return Err("nobody said to what it is pinned".to_owned());
            }
            let loaded = self.rooms.registry.tenant(name, &components);
            loaded.map_err(|error| error.to_string())
        });
        bound.map_err(|errors| errors.render(Color::Plain).trim_end().to_owned())?;
        self.compile_builtins(&rules);
        Ok(rules)
    }

    /// No request should wait for it. One that cannot be is told when a rule calls it.
    fn compile_builtins(&self, rules: &RuleSet) {
        for name in rules.builtins() {
            if let Err(error) = self.rooms.registry.builtin(name) {
                tracing::warn!(op = %name, %error, "a built-in op does not compile");
            }
        }
    }

    /// Whether secrets travel to `destination` at all.
    #[must_use]
    pub fn sends_secrets_to(&self, destination: &model::Destination) -> bool {
        self.rooms.egress.sends_secrets_to(destination)
    }

    /// From now on requests find their rules in `space`; those under way keep theirs.
    pub fn serve(&self, space: Space) {
        self.space.store(Arc::new(space));
    }

    /// Who is served what now.
    #[must_use]
    pub fn space(&self) -> Arc<Space> {
        self.space.load_full()
    }

    /// From now on these are the terms of tenants; who is not among them has none.
    pub fn rule(&self, terms: HashMap<TenantId, Terms>) {
        self.rooms.callers.rule(&terms);
        self.admissions.rule(terms, Instant::now());
    }

    /// Lets a request in that goes where `route` leads: to be asked before anything is done
    /// for it, and given to it ([`Request::admitted`]).
    ///
    /// # Errors
    /// [`NotAdmitted`]; it is counted.
    pub fn admit(&self, route: &Route) -> Result<Pass, NotAdmitted> {
        let admitted = self.admissions.admit(&route.tenant, Instant::now());
        admitted.inspect_err(|refused| self.rooms.counts.request(&route.tenant_slug, refused.code()))
    }

    /// Whether a client that `route` leads may ask for the answer to an earlier request. That
    /// is no request of its own: it takes no place and counts against no rate, or a tenant at
    /// its limit could not learn what became of the others.
    ///
    /// # Errors
    /// [`NotAdmitted::Suspended`]; it is counted.
    pub fn listen(&self, route: &Route) -> Result<(), NotAdmitted> {
        let listens = self.admissions.listen(&route.tenant);
        listens.inspect_err(|refused| self.rooms.counts.request(&route.tenant_slug, refused.code()))
    }

    /// How many requests of `tenant` run now.
    #[must_use]
    pub fn running(&self, tenant: &TenantId) -> usize {
        self.admissions.running(tenant)
    }

    /// How many requests run now, by tenant.
    #[must_use]
    pub fn active(&self) -> Vec<(TenantSlug, usize)> {
        let (space, all) = (self.space(), self.admissions.all_running());
        let mut active: Vec<_> =
            all.into_iter().filter_map(|(id, count)| Some((space.tenant(&id)?.0.clone(), count))).collect();
        active.sort();
        active
    }

    /// Compiles a component as an op of a tenant, to see whether it is one; what was compiled
    /// is in the code cache, when there is one.
    ///
    /// # Errors
    /// [`sandbox::Error`] with the reason.
    pub fn try_op(&self, name: &OpName, component: &[u8]) -> Result<(), sandbox::Error> {
        self.rooms.registry.tenant(name, &[component.to_vec()]).map(drop)
    }

    /// Writes down what is only in memory: how often secrets were used. To be called now and
    /// then, and at the end.
    pub fn settle(&self) {
        self.trace.flush();
        if let Some(Err(error)) = self.rooms.vault.get().map(|vault| vault.write_uses()) {
            tracing::warn!(err = %error, "uses of secrets not written down; tried again later");
        }
    }

    /// How many ops were compiled and how many came from the code cache.
    #[must_use]
    pub fn ready(&self) -> sandbox::Ready {
        self.rooms.registry.ready()
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.rooms.counts.totals()
    }

    /// Takes the uses of secrets of the minutes before `now`'s, or with no moment all that
    /// were not taken yet; each comes once.
    #[must_use]
    pub fn take_uses(&self, now: Option<Timestamp>) -> Vec<(Use, u64)> {
        self.rooms.counts.take_uses(now)
    }

    /// Takes uses back that could not be written down.
    pub fn give_back_uses(&self, uses: Vec<(Use, u64)>) {
        self.rooms.counts.give_back(uses);
    }

    /// Runs one request. Never fails as a call: what goes wrong is in the outcome. Dropping
    /// the future ends it: requests to upstreams are broken off, ops are interrupted.
    pub async fn run(&self, request: Request) -> Outcome {
        self.carry(request, None, Carried::default(), None).await
    }

    /// The same, where the answer may be sent piece by piece: a body that a scope leaves
    /// behind goes into `pieces` when there is another scope for this request.
    pub async fn run_streaming(&self, request: Request, pieces: Sender<Piece>) -> Outcome {
        self.carry(request, Some(pieces), Carried::default(), None).await
    }
}

/// What is said of an op that is not there.
fn unknown(names: &[OpName]) -> String {
    let there = names.iter().map(|name| format!("op://{name}")).collect::<Vec<_>>().join(", ");
    let there =
        if there.is_empty() { "none was pushed yet".to_owned() } else { format!("there are {there}") };
    format!(
        "there is no such op; {there} (`txco op push` sends one; `txco dev` builds those whose sources lie below OPS)"
    )
}
