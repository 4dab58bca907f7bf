//! What one life of the chassis knows of the requests that run while nobody waits for them.

use std::sync::{Arc, Mutex, PoisonError};

use model::{Digest, Failure, Fault, Id};
use tokio::runtime::Handle;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore, broadcast};
use vault::{LateVault, Vault};

use crate::request::Ticket;
use crate::ruleset::RuleSet;

/// How many rule sets are remembered that are not served any more, for requests that wait.
const REMEMBERED: usize = 32;
/// How many ends may be told before a listener has to look itself.
const ENDS: usize = 1024;

/// One life: it owns what it runs, and the next one knows that it is over.
pub(crate) struct Life {
    /// Its name, which no other life has.
    pub(crate) name: String,
    /// Told when a request may be ready to go on.
    pub(crate) ready: Arc<Notify>,
    /// Told when a request ended that somebody may ask for.
    pub(crate) ends: broadcast::Sender<()>,
    /// Told which requests an administrator ended.
    pub(crate) cancelled: broadcast::Sender<Id>,
    /// Places for requests that nobody waits for.
    pub(crate) places: Arc<Semaphore>,
    remembered: Mutex<Vec<(Digest, Arc<RuleSet>)>>,
}

impl Life {
    pub(crate) fn new(places: usize) -> Self {
        // An id of a request is nobody else's; without randomness nothing would be kept at all.
        let name = model::RequestId::mint().map(|id| id.as_str().replace("req_", "life_"));
        Self {
            name: name.unwrap_or_default(),
            ready: Arc::default(),
            ends: broadcast::Sender::new(ENDS),
            cancelled: broadcast::Sender::new(ENDS),
            places: Arc::new(Semaphore::new(places)),
            remembered: Mutex::default(),
        }
    }

    /// Remembers rules under which a request waits: their ops are only here.
    pub(crate) fn remember(&self, rules: &Arc<RuleSet>) {
        let digest = rules.snapshot().digest;
        let mut all = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().any(|(known, _)| *known == digest) {
            return;
        }
        if all.len() == REMEMBERED {
            all.remove(0);
        }
        all.push((digest, Arc::clone(rules)));
    }

    /// The rules of this digest, when they are remembered.
    pub(crate) fn rules(&self, digest: &[u8]) -> Option<Arc<RuleSet>> {
        let all = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(known, _)| known.as_bytes() == digest).map(|(_, rules)| Arc::clone(rules))
    }
}

/// What a request is in the database, once it is there.
#[derive(Default)]
pub(crate) struct Carried {
    run: OnceCell<Id>,
    /// What its client asks with, until it is told.
    ticket: Mutex<Option<Ticket>>,
    /// Its client was told to come back.
    promised: OnceCell<()>,
    /// Told when it has a name there.
    named: Notify,
    /// Whether it could still be run again: said once, before the first thing that may not be
    /// done twice.
    touched: OnceCell<()>,
    /// Whoever ends the chassis waits for it.
    place: OnceCell<OwnedSemaphorePermit>,
}

impl Carried {
    /// A request that went on from what the database held.
    pub(crate) fn of(run: Id) -> Self {
        let promised = OnceCell::new_with(Some(()));
        Self { run: OnceCell::new_with(Some(run)), promised, ..Self::default() }
    }

    /// Its name in the database, when it has one.
    pub(crate) fn run(&self) -> Option<&Id> {
        self.run.get()
    }

    /// From now on it has one. Each is given once, by the one task that walks.
    pub(crate) fn is(&self, run: Id) {
        let _given = self.run.set(run);
        self.named.notify_one();
    }

    /// What its client is to be told with, once it waits or runs without it.
    pub(crate) fn keep_ticket(&self, ticket: Ticket) {
        *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
    }

    /// The same, for the one who tells it.
    pub(crate) fn take_ticket(&self) -> Option<Ticket> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Its client is told to come back: it has a place to run without it.
    pub(crate) fn promise(&self, place: OwnedSemaphorePermit) {
        let _given = (self.promised.set(()), self.place.set(place));
    }

    /// Whether its client was told to come back.
    pub(crate) fn is_promised(&self) -> bool {
        self.promised.initialized()
    }

    /// Waits until an administrator ends it in the database.
    pub(crate) async fn cancelled(&self, life: &Life) {
        // Most requests never have a name, and pay for nothing more than this.
        if self.run.get().is_none() {
            self.named.notified().await;
        }
        let mut told = life.cancelled.subscribe();
        loop {
            match told.recv().await {
                Ok(run) if self.run() == Some(&run) => return,
                // What was missed is told again.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Whether it has done what may not be done twice.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched.initialized()
    }

    /// It is about to, and the database says so already.
    pub(crate) fn has_touched(&self) {
        let _said_before = self.touched.set(());
    }

    /// Says that it is about to do what may not be done twice: if this life ends now, the next
    /// one must not begin again.
    pub(crate) async fn touch(&self, vault: &LateVault, life: &Life) -> Result<(), Failure> {
        let Some(run) = self.run() else { return Ok(()) };
        let touching = || async {
            let (run, owner) = (run.clone(), life.name.clone());
            match blocking(vault, move |vault| vault.touch_run(&run, &owner)).await? {
                true => Ok(()),
                false => Err(lost()),
            }
        };
        self.touched.get_or_try_init(touching).await.map(drop)
    }
}

/// Why a run cannot go on that was taken from its owner.
pub(crate) fn lost() -> Failure {
    Failure::new(Fault::Interrupted, "another life of the chassis runs it")
}

/// Asks the vault for something that writes, on a thread that may wait for the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    vault: &LateVault,
    ask: impl FnOnce(&Vault) -> Result<T, vault::Error> + Send + 'static,
) -> Result<T, Failure> {
    let Some(vault) = vault.get().cloned() else {
        let why = "the secret store is off: what waits is stored sealed or not at all";
        return Err(Failure::new(Fault::SecretStoreUnavailable, why));
    };
    let asked = tokio::task::spawn_blocking(move || ask(&vault)).await;
    let asked = asked.map_err(|_| Failure::new(Fault::Internal, "the vault's thread ended early"))?;
    asked.map_err(|error| error.failure())
}

/// Does something that may wait for the disk, where no thread that serves waits with it: for what is dropped.
pub(crate) fn aside(does: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(does)),
        Err(_no_runtime) => does(),
    }
}
