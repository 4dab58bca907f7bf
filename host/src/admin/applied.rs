//! The applied rules of all tenants, as they are served: read from the database, checked, pinned.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::{LoadErrors, RuleSet, Source, Space, Unbound};
use model::{Hostname, StackName, TenantId};
use store::{Changes, Pinned, Served, StackFile, Store, Tenant, Watch};
use tokio::signal::unix::Signal;
use tokio::task::block_in_place;
use txcl::{Color, Mode};

use super::governing;
use super::ops::Ops;

/// Where the rules come from that this chassis serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServedFrom {
    /// Tenants apply them.
    Database,
    /// They lie in a workspace on this machine; what is applied is only stored.
    Workspace,
}

/// What is applied and served.
pub(crate) struct Applied {
    store: Arc<Store>,
    ops: Arc<Ops>,
    /// Whether rules were installed from elsewhere.
    installed: AtomicBool,
    unbound: Unbound,
    /// Whether a host counts only when it is proven whose it is.
    proven_only: bool,
    /// The stack that a lone tenant's requests enter, when it has several.
    entry: Option<StackName>,
    /// As of which changes it is served. One at a time: whoever comes last has read what all
    /// others wrote.
    as_of: Mutex<AsOf>,
}

/// What is served, as of when.
#[derive(Debug, Default)]
struct AsOf {
    changes: Changes,
    /// The tenants with rules that are pinned to no build of an op, and take what is pushed.
    unpinned: HashSet<TenantId>,
}

impl AsOf {
    /// Whether a tenant has pushed or removed ops since.
    fn pushed_since(&self, now: &Changes, tenant: &TenantId) -> bool {
        self.changes.ops.get(tenant.as_str()) != now.ops.get(tenant.as_str())
    }
}

impl Applied {
    #[must_use]
    pub(crate) fn new(
        store: Arc<Store>,
        ops: Arc<Ops>,
        from: ServedFrom,
        unbound: Unbound,
        entry: Option<StackName>,
    ) -> Self {
        let installed = AtomicBool::new(from == ServedFrom::Workspace);
        Self { store, ops, installed, unbound, proven_only: false, entry, as_of: Mutex::default() }
    }

    /// The same, where a host counts only when it is proven whose it is.
    #[must_use]
    pub(crate) fn requiring_proof(self, proven_only: bool) -> Self {
        Self { proven_only, ..self }
    }

    /// Where the rules come from.
    #[must_use]
    pub(crate) fn served_from(&self) -> ServedFrom {
        if self.installed.load(Ordering::Acquire) { ServedFrom::Workspace } else { ServedFrom::Database }
    }

    /// From now on what is applied is only stored: whoever embeds this chassis installs rules.
    pub(crate) fn give_way(&self) {
        self.installed.store(true, Ordering::Release);
    }

    /// Reads what is applied in all tenants, and serves it.
    ///
    /// # Errors
    /// [`store::Error`]; what was served stays so.
    pub(crate) fn renew(&self) -> Result<(), store::Error> {
        self.govern()?;
        let mut as_of = self.turn();
        // As if nothing had been read yet.
        as_of.changes.rules.clear();
        self.serve(&mut as_of).map(drop)
    }

    /// Reads what is applied where it changed since it was read, and which hosts lead where.
    ///
    /// # Errors
    /// [`store::Error`]; what was served stays so.
    pub(crate) fn renew_changed(&self) -> Result<(), store::Error> {
        self.serve(&mut self.turn()).map(drop)
    }

    /// Reads which tenants are suspended and which have limits; that holds for the next request.
    ///
    /// # Errors
    /// [`store::Error`]; what held stays.
    pub(crate) fn govern(&self) -> Result<(), store::Error> {
        let mut as_of = self.turn();
        // The count before the rows: what is changed in between is read once more.
        let now = self.store.changes()?.terms;
        self.ops.chassis().rule(governing::terms(&self.store)?);
        as_of.changes.terms = now;
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, AsOf> {
        self.as_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says in the log what is served.
    pub(crate) fn tell(&self) {
        let space = self.ops.chassis().space();
        let (tenants, stacks, rules) = space.counts();
        if space.has_rules() {
            tracing::info!(tenants, stacks, rules, "applied rules loaded");
        } else {
            tracing::info!(
                "no rules: none were applied (txco apply), and no --workspace DIR is given; the web head answers \
                 every event with 404"
            );
        }
    }

    /// Reads what is applied again at each of `hangups`.
    pub(crate) async fn on_hangup(self: Arc<Self>, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            match block_in_place(|| self.renew()) {
                Ok(()) => self.tell(),
                Err(error) => tracing::warn!(%error, "applied rules not read again: what was served stays"),
            }
        }
    }

    /// Looks every `period` at what others changed in the database, and holds to it.
    pub(crate) async fn follow(self: Arc<Self>, period: Duration) {
        let mut watch = match self.store.watch() {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "what others change in the database is only seen at SIGHUP");
                return;
            }
        };
        let mut behind = false;
        loop {
            tokio::time::sleep(period).await;
            match block_in_place(|| self.look(&mut watch, &mut behind)) {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "what others changed is not read yet: what was served stays")
                }
            }
        }
    }

    /// One such look; `behind` stays until what was noticed is also read.
    fn look(&self, watch: &mut Watch, behind: &mut bool) -> Result<(), store::Error> {
        *behind |= watch.stirred()?;
        if !*behind {
            return Ok(());
        }
        let now = self.store.changes()?;
        if now.terms != self.turn().changes.terms {
            self.govern()?;
            tracing::info!("changed elsewhere: what tenants may have");
        }
        let mut as_of = self.turn();
        match self.served_from() {
            ServedFrom::Workspace => self.take_pushed(&mut as_of, &now),
            ServedFrom::Database => {
                let served = (now.hosts, &now.rules) != (as_of.changes.hosts, &as_of.changes.rules);
                if served || as_of.unpinned.iter().any(|tenant| as_of.pushed_since(&now, tenant)) {
                    let read = self.serve(&mut as_of)?;
                    tracing::info!(
                        tenants = read,
                        "changed elsewhere: applied rules of so many tenants, or hosts"
                    );
                }
            }
        }
        *behind = false;
        Ok(())
    }

    /// The rules of a workspace stay, with the ops that are pushed now.
    fn take_pushed(&self, as_of: &mut AsOf, now: &Changes) {
        let space = self.ops.chassis().space();
        if space.tenants().any(|(tenant, ..)| as_of.pushed_since(now, tenant)) {
            match self.ops.install_again() {
                Ok(None) => {}
                Ok(Some(ops)) => tracing::info!(ops, "ops were pushed: the rules take them"),
                Err(errors) => tracing::warn!(
                    "ops were pushed or removed and the rules cannot take them, so they keep those they have: {}",
                    told(&errors).trim_end()
                ),
            }
        }
        as_of.changes.ops.clone_from(&now.ops);
    }

    /// Serves what is applied; of whom nothing changed since `as_of`, what is served already. Tells
    /// of how many it was read.
    fn serve(&self, as_of: &mut AsOf) -> Result<usize, store::Error> {
        if self.served_from() == ServedFrom::Workspace {
            return Ok(0);
        }
        let now = self.store.changes()?;
        let before = self.ops.chassis().space();
        let (mut space, mut read) = (Space::empty(self.unbound), 0);
        // The chassis's own tenant serves nothing: its routing is built in here.
        let tenants: Vec<_> =
            self.store.tenants()?.into_iter().filter(|tenant| !tenant.slug.is_reserved()).collect();
        for Tenant { id, slug, .. } in &tenants {
            let then = as_of.changes.rules.get(id.as_str());
            let same = then.is_some_and(|then| now.rules.get(id.as_str()) == Some(then));
            let pushed = as_of.unpinned.contains(id) && as_of.pushed_since(&now, id);
            let rules = if same && !pushed {
                before.rules(id).cloned()
            } else {
                read += 1;
                let (rules, unpinned) = self.rules(id)?;
                if unpinned {
                    as_of.unpinned.insert(id.clone())
                } else {
                    as_of.unpinned.remove(id)
                };
                match before.rules(id) {
                    // An op that is removed, or pushed without what rules need, takes no stack away.
                    Some(before) if same && rules.broken() > before.broken() => {
                        tracing::warn!(tenant_id = %id, "its rules keep the ops that they have");
                        Some(Arc::clone(before))
                    }
                    // Who has applied nothing takes no host away from the only one who has.
                    _ => Some(Arc::new(rules)).filter(|rules| !rules.is_empty()),
                }
            };
            if let Some(rules) = rules {
                space = space.with(id.clone(), slug.clone(), rules);
            }
        }
        let mut hosts = self.store.hostnames(None)?;
        hosts.retain(|one| !self.proven_only || one.verified_at.is_some());
        let hosts: Vec<(Hostname, TenantId, Option<StackName>)> =
            hosts.into_iter().map(|one| (one.hostname, one.tenant, one.stack)).collect();
        self.ops.chassis().serve(space.bound(hosts, self.unbound));
        as_of.changes = Changes { terms: as_of.changes.terms, ..now };
        Ok(read)
    }

    /// The rules of one tenant, stack by stack: one that cannot be used takes no other with it.
    /// Also whether one of them is pinned to no build of its ops.
    fn rules(&self, tenant: &TenantId) -> Result<(RuleSet, bool), store::Error> {
        let (mut all, mut unpinned) = (RuleSet::default(), false);
        for served in self.store.served(tenant)? {
            let (stack, version) = (served.stack.clone(), served.version);
            unpinned |= matches!(served.pinned, Pinned::Nowhere);
            match self.stack(tenant, served) {
                Ok(rules) => all = all.joined(rules),
                Err(why) => {
                    tracing::error!(
                        tenant_id = %tenant, %stack, version, "applied rules cannot be used, requests get 503: {}",
                        why.trim_end()
                    );
                    all = all.with_broken(&stack);
                }
            }
        }
        Ok((all.entered_by(self.entry.as_ref()), unpinned))
    }

    fn stack(&self, tenant: &TenantId, served: Served) -> Result<RuleSet, String> {
        let Served { stack, files, pinned, version } = served;
        // What was activated here was checked strictly, where that was asked for; what the Go
        // chassis activated means what it means there.
        let rules = RuleSet::of_sources(sources(&stack, files), Mode::Lenient).map_err(|e| told(&e))?;
        for finding in rules.let_pass().iter().flat_map(|file| file.iter().map(move |one| (file, one))) {
            let (file, finding) = finding;
            tracing::warn!(
                tenant_id = %tenant, version, file = file.path(), line = finding.line, "rule let pass: {}",
                finding.message
            );
        }
        for one in rules.cannot_wait() {
            tracing::warn!(tenant_id = %tenant, version, file = one.path, "{}; {}", one.message, one.hint);
        }
        let source = match &pinned {
            Pinned::To(pins) => self.ops.pinned(tenant, pins),
            Pinned::Nowhere => self.ops.current(tenant),
            Pinned::Damaged => return Err("its files are not those that were activated".to_owned()),
        };
        self.ops.chassis().bind(rules, &source).map_err(|errors| told(&errors))
    }
}

fn told(errors: &LoadErrors) -> String {
    errors.render(Color::Plain)
}

/// The files of a version, rules and what lies beside them.
pub(super) fn sources(stack: &StackName, files: Vec<StackFile>) -> Vec<Source> {
    let files = files.into_iter();
    files.map(|file| Source { stack: stack.clone(), path: file.path, text: file.content }).collect()
}
