//! One call of one op: a fresh store and instance, made, run, classified and wiped.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{OpManifest, OpRef, Slot};
use vault::{Credentials, OpBags};
use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::epoch::Ticker;
use crate::guest::{Grants, Guest, Layered};
use crate::hostcalls::Host;
use crate::leash::Leash;
use crate::memory::NO_MEMORY;
use crate::output::{self, Terms};
use crate::wasi::Absent;
use crate::wire::{Field, MOST_FIELDS, Returned};
use crate::{Error, Limits, OpInput, OpOutput, Over, Trust};

/// An op with a longer budget does not run on the thread that has the request (R26).
const INLINE_BUDGET_MS: u32 = 5;
/// How much stack the host itself uses for a call, at most: around the guest, and in host calls.
const HOST_STACK: usize = 96 << 10;
/// The engine's words for an argument or result beyond that account; it has no type for it.
const FUEL_SPENT: &str = "fuel allocated for hostcalls has been exhausted";
/// What is said of an op that calls what an empty operating system has not.
const ABSENT: &str = "it called something of an operating system that no op has";
/// Its words for more handles at once than it was told there may be, lent ones included.
const HANDLES_SPENT: &str = "store handle limit exceeded";

/// The store of a call that is over, and what the guest returned.
pub(crate) type Called = (Store<Host>, Result<Returned, Error>);

/// An op, compiled and linked; it can be called from many threads at once.
pub struct Op {
    pub(crate) guest: Guest,
    pub(crate) trust: Trust,
    pub(crate) limits: Arc<Limits>,
    pub(crate) large: bool,
    /// Deadlines hold for as long as there is an op, even when its sandbox is gone.
    pub(crate) ticker: Arc<Ticker>,
}

impl Op {
    /// Its name and the digest of its bytes.
    #[must_use]
    pub fn reference(&self) -> &OpRef {
        &self.guest.reference
    }

    /// What it says of itself, if anything.
    #[must_use]
    pub const fn manifest(&self) -> Option<&OpManifest> {
        self.guest.manifest.as_ref()
    }

    /// Whose bytes it is.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// Whether it reveals secrets; if so, a call that grants none to be revealed fails with
    /// [`Error::NothingToReveal`].
    #[must_use]
    pub const fn reveals(&self) -> bool {
        self.guest.imports.secrets
    }

    /// Whether it uses secrets through handles.
    #[must_use]
    pub const fn uses_keys(&self) -> bool {
        self.guest.imports.keys
    }

    /// Whether it can use a version of `slot` that is being retired (R22).
    #[must_use]
    pub fn accepts_retiring(&self, slot: &Slot) -> bool {
        let declared = self.manifest().and_then(|manifest| manifest.slots.get(&slot.to_string()));
        declared.is_some_and(|slot| slot.accepts_retiring)
    }

    /// Why it is called through the engine's component layer; nothing when it is called directly.
    #[must_use]
    pub const fn layered(&self) -> Option<Layered> {
        self.guest.layered()
    }

    /// Whether it brings an interpreter along, and so much memory that few of its kind should
    /// run at once.
    #[must_use]
    pub const fn large(&self) -> bool {
        self.large
    }

    /// Whether it is quick enough for the thread that has the request (R26).
    #[must_use]
    pub fn inline(&self) -> bool {
        self.trust == Trust::Builtin
            && self.manifest().is_some_and(|manifest| manifest.budget_ms <= INLINE_BUDGET_MS)
    }

    /// Calls it once, on this thread. The bags are used up: what they held is wiped when this
    /// returns, as is all the memory of the guest and what the call left on the stacks, whatever
    /// the outcome.
    ///
    /// # Errors
    /// [`Error`] with the exact reason.
    pub fn call(&self, input: OpInput, bags: OpBags, credentials: &Credentials) -> Result<OpOutput, Error> {
        self.call_heard(input, bags, credentials, &mut Vec::new(), &Leash::default())
    }

    /// The same, tied to `leash`; what the op logged before it failed is in `heard` then, as
    /// far as people may read it.
    ///
    /// # Errors
    /// As [`Op::call`].
    pub fn call_heard(
        &self,
        input: OpInput,
        bags: OpBags,
        credentials: &Credentials,
        heard: &mut Vec<String>,
        leash: &Leash,
    ) -> Result<OpOutput, Error> {
        let most = self.limits.stack.saturating_add(HOST_STACK);
        let result = pages::clearing_stack(most, || self.call_once(input, bags, credentials, heard, leash));
        if result.is_err() {
            pages::clear_signal_stack();
        }
        result
    }

    fn call_once(
        &self,
        input: OpInput,
        bags: OpBags,
        credentials: &Credentials,
        heard: &mut Vec<String>,
        leash: &Leash,
    ) -> Result<OpOutput, Error> {
        let (store, returned) = self.called(input, bags, leash)?;
        // The guest's memory goes, wiped, before its output is looked at.
        let mut host = store.into_data();
        host.end_line();
        let terms = Terms { trust: self.trust, manifest: self.manifest(), limits: &self.limits };
        let output = returned.and_then(|returned| output::take(returned, &host, terms, credentials));
        if output.is_err() {
            heard.extend(terms.heard(&host).0);
        }
        output
    }

    /// Calls it once, and gives what it returned and its store, memory and all.
    pub(crate) fn called(&self, input: OpInput, bags: OpBags, leash: &Leash) -> Result<Called, Error> {
        // A grant to an op is a grant to its very bytes.
        if bags.reveal.op().is_some_and(|op| op != self.reference()) {
            return Err(Error::PackedForAnother);
        }
        let grants = if bags.reveal.granted().next().is_some() { Grants::Some } else { Grants::None };
        let linked = self.guest.under(grants)?;
        let wall = leash.time(self.limits.wall);
        let deadline = Instant::now() + wall;
        let mut store = Store::new(linked.engine(), Host::new(input, bags, &self.limits, deadline));
        store.limiter(|host| &mut host.meter);
        store.set_hostcall_fuel(self.fuel());
        store.set_max_component_handles(self.limits.lent_handles());
        let _running = self.ticker.run();
        // Before instantiation, which runs code of the guest too.
        store.set_epoch_deadline(Ticker::epochs(leash.stride(wall)));
        let leash = leash.clone();
        store.epoch_deadline_callback(move |_| {
            // A clock that makes up for late ticks can be early for a call that began between them.
            let left = deadline.saturating_duration_since(Instant::now());
            Ok(if left.is_zero() || leash.is_loose() {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Continue(Ticker::epochs(leash.stride(left)))
            })
        });
        let returned =
            linked.run(&mut store, self.limits.output).map_err(|error| self.classify(&error, wall));
        Ok((store, returned))
    }

    /// The most bytes the engine moves out of the guest at once, so that neither an argument
    /// nor an output makes the host allocate more than its limit.
    fn fuel(&self) -> usize {
        let most = self.limits.output.max(self.limits.argument_bytes);
        most.saturating_add(MOST_FIELDS * size_of::<Field>())
    }

    fn classify(&self, error: &wasmtime::Error, wall: Duration) -> Error {
        if let Some(over) = error.downcast_ref::<Over>() {
            return Error::Over(*over);
        }
        if let Some(error) = error.downcast_ref::<Error>() {
            return error.clone();
        }
        if let Some(absent) = error.downcast_ref::<Absent>() {
            // Names are the guest's choice, and which of them it calls can be a message.
            let named = self.trust == Trust::Author;
            let trap = if named { absent.to_string() } else { ABSENT.to_owned() };
            return Error::Trapped { trap };
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            #[expect(clippy::wildcard_enum_match_arm, reason = "all other traps are crashes")]
            return match trap {
                Trap::Interrupt => Over::Time(wall).into(),
                Trap::StackOverflow => Over::Stack(self.limits.stack).into(),
                other => Error::Trapped { trap: other.to_string() },
            };
        }
        let cause = error.root_cause().to_string();
        if cause.contains(FUEL_SPENT) {
            // An argument's error has passed through the guest that made the call.
            return match error.downcast_ref::<WasmBacktrace>() {
                Some(_) => Over::Arguments(self.limits.argument_bytes).into(),
                None => Over::Output(self.limits.output).into(),
            };
        }
        if cause.contains(HANDLES_SPENT) {
            return Over::Handles(self.limits.handles).into();
        }
        if cause.contains(NO_MEMORY) {
            return Error::NoMemory;
        }
        // A pointer out of bounds, text that is not UTF-8, a handle that is none. The engine's
        // words may quote the guest's, so they stay here.
        Error::Trapped { trap: "it broke the rules of the component ABI".to_owned() }
    }
}

/// Prints the op's name and digest.
impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Op").field(self.reference()).finish()
    }
}
