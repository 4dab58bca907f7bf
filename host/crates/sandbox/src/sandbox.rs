//! The engine with all that calls share: compiled ops come from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use model::OpName;
use wasmtime::Engine;

use crate::builtins::Builtin;
use crate::cache::Origin;
use crate::engine::{Memories, engine};
use crate::epoch::Ticker;
use crate::guest::{Guest, Linkers, Way};
use crate::{CodeCache, Error, Limits, Op, Trust};

/// Compiles ops, or takes them from the code cache, and links them.
pub struct Sandbox {
    engine: Engine,
    linkers: Linkers,
    cache: CodeCache,
    limits: Arc<Limits>,
    large_limits: Arc<Limits>,
    ticker: Arc<Ticker>,
    compiled: AtomicU32,
    cached: AtomicU32,
}

/// How many ops were compiled and how many found compiled since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Compiled now.
    pub compiled: u32,
    /// Taken from the code cache.
    pub cached: u32,
}

impl Sandbox {
    /// An engine, and the thread that keeps its deadlines; the thread ends with the last of
    /// the sandbox and its ops.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn new(limits: Limits, cache: CodeCache) -> Result<Self, Error> {
        Self::on(Memories::Own, Way::Quickest, limits, cache)
    }

    pub(crate) fn on(memories: Memories, way: Way, limits: Limits, cache: CodeCache) -> Result<Self, Error> {
        let engine = engine(&limits, memories)?;
        cache.tidy();
        Ok(Self {
            linkers: Linkers::new(&engine, way)?,
            ticker: Arc::new(Ticker::start(&engine)?),
            large_limits: Arc::new(limits.large()),
            limits: Arc::new(limits),
            engine,
            cache,
            compiled: AtomicU32::new(0),
            cached: AtomicU32::new(0),
        })
    }

    /// Makes an op of a component.
    ///
    /// # Errors
    /// [`Error::NotAComponent`], [`Error::ForeignImport`], [`Error::OtherVersion`],
    /// [`Error::OtherContract`], [`Error::NoHandle`], [`Error::Manifest`].
    pub fn load(&self, name: OpName, wasm: &[u8], trust: Trust) -> Result<Op, Error> {
        let (guest, origin) = Guest::new(name, wasm, &self.engine, &self.linkers, &self.cache)?;
        Ok(self.op(guest, origin, wasm.len(), trust))
    }

    /// Makes an op of an embedded one.
    ///
    /// # Errors
    /// As [`Sandbox::load`].
    pub fn load_builtin(&self, builtin: &Builtin) -> Result<Op, Error> {
        self.load(builtin.name.clone(), builtin.wasm, Trust::Builtin)
    }

    fn op(&self, guest: Guest, origin: Origin, bytes: usize, trust: Trust) -> Op {
        let count = match origin {
            Origin::Compiled => &self.compiled,
            Origin::Cached => &self.cached,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let large = Limits::is_large(bytes);
        let limits = Arc::clone(if large { &self.large_limits } else { &self.limits });
        Op { guest, trust, limits, large, ticker: Arc::clone(&self.ticker) }
    }

    /// How many ops were compiled and how many found compiled.
    #[must_use]
    pub fn ready(&self) -> Ready {
        Ready { compiled: self.compiled.load(Ordering::Relaxed), cached: self.cached.load(Ordering::Relaxed) }
    }
}
