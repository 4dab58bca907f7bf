//! The one configuration under which guests are compiled and run.

use std::num::NonZeroUsize;
use std::sync::Arc;

use wasmtime::{Config, Engine, OptLevel, Strategy};

use crate::memory::WipedMemories;
use crate::{Error, Limits};

/// Where the memories of guests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memories {
    /// [`WipedMemories`]: locked, wiped, recycled.
    Own,
    /// The engine's own, as it comes. To measure against, and for no secret.
    Stock,
}

/// An engine for secrets: own wiped memory, deadlines by epochs, synchronous calls only,
/// and no feature of WebAssembly that guests of the contract have no use for.
pub(crate) fn engine(limits: &Limits, memories: Memories) -> Result<Engine, Error> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(limits.stack)
        // A 64-bit memory could outgrow its reservation.
        .wasm_memory64(false)
        // Tables that tell where in the source a trap came from, and how a debugger unwinds: nobody reads them.
        .generate_address_map(false)
        .native_unwind_info(false)
        // One frame tells a host call's error from a result's; names in it are the guest's, and never printed.
        .wasm_backtrace_max_frames(NonZeroUsize::new(1));
    if memories == Memories::Own {
        // Own memories and copy-on-write images exclude each other.
        config.with_host_memory(Arc::new(WipedMemories::new())).memory_init_cow(false);
    }
    Engine::new(&config).map_err(|_| Error::Engine)
}
