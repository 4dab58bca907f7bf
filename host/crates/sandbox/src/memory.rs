//! Guests' linear memories on our own pages: recycled, locked, wiped on every path (R24).
#![allow(unsafe_code, reason = "wasmtime's traits for host memory are unsafe to implement")]

use std::sync::Arc;

use pages::{Reservation, Reservations, Shape};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Memories kept between calls; each holds 64 KiB locked and 4 GiB of address space.
const MOST_IDLE: usize = 64;

/// What the engine is told when there is no memory; it takes nothing but text.
pub(crate) const NO_MEMORY: &str = "no memory for a guest";

/// Hands wasmtime memories of [`Reservations`].
pub(crate) struct WipedMemories(Arc<Reservations>);

impl WipedMemories {
    pub(crate) fn new() -> Self {
        Self(Reservations::new(MOST_IDLE))
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
        let memory = self.0.take(shape).map_err(|_| NO_MEMORY.to_owned())?;
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
