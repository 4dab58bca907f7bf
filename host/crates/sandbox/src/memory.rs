//! Guests' linear memories on our own pages: recycled, locked, wiped on every path (R24).
#![allow(unsafe_code, reason = "wasmtime's traits for host memory are unsafe to implement")]

use std::sync::Arc;

use pages::{Reservation, Reservations, Shape};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Memories kept between calls; each holds 64 KiB locked and 4 GiB of address space.
const MOST_IDLE: usize = 64;
/// A memory that begins larger is an interpreter's: of these few are kept, and with them the
/// pages that they have. So a warm call of one takes no page fault either.
const LARGE: usize = 2 << 20;
const MOST_IDLE_LARGE: usize = 4;
/// One that begins larger than this is not kept at all.
const TOO_LARGE: usize = 32 << 20;

/// What the engine is told when there is no memory; it takes nothing but text.
pub(crate) const NO_MEMORY: &str = "no memory for a guest";

/// Hands wasmtime memories of [`Reservations`].
pub(crate) struct WipedMemories {
    small: Arc<Reservations>,
    large: Arc<Reservations>,
    too_large: Arc<Reservations>,
}

impl WipedMemories {
    pub(crate) fn new() -> Self {
        let [small, large, too_large] = [MOST_IDLE, MOST_IDLE_LARGE, 0].map(Reservations::new);
        Self { small, large, too_large }
    }

    /// The memories among which one of this size is kept.
    const fn of_size(&self, minimum: usize) -> &Arc<Reservations> {
        if minimum <= LARGE {
            &self.small
        } else if minimum <= TOO_LARGE {
            &self.large
        } else {
            &self.too_large
        }
    }
}

// SAFETY: what `new_memory` returns is zero, accessible up to its minimum, does not move,
// and faults from there to the end of reservation and guard; nobody else has the pointer.
unsafe impl MemoryCreator for WipedMemories {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let shape = Shape { reservation: reserved.unwrap_or(minimum), guard, accessible: minimum };
        let memory = self.of_size(minimum).take(shape).map_err(|_| NO_MEMORY.to_owned())?;
        Ok(Box::new(WipedMemory(memory)))
    }
}

/// One guest's memory; dropped with its store, and wiped by that.
struct WipedMemory(Reservation);

// SAFETY: `Reservation` keeps what this trait promises: its base does not move, exactly
// `byte_size` bytes are accessible, and it grows only within its reservation.
unsafe impl LinearMemory for WipedMemory {
    fn byte_size(&self) -> usize {
        self.0.accessible()
    }

    fn byte_capacity(&self) -> usize {
        self.0.capacity()
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        Ok(self.0.grow_to(size)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base().as_ptr()
    }
}
