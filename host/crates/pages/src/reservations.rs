//! Recycles address space between guests, wiped, and never larger than it was made (R24).

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
use crate::ledger::{Share, Tally};
use crate::region::Region;

/// What a memory looks like; only memory of exactly the same shape is recycled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How far the memory may grow, in bytes.
    pub reservation: usize,
    /// Bytes after it that always fault.
    pub guard: usize,
    /// Bytes accessible at first.
    pub accessible: usize,
}

/// A pool of wiped memories; the oldest idle one is unmapped when there are too many.
pub struct Reservations {
    idle: Mutex<VecDeque<(Shape, Region)>>,
    most_idle: usize,
    share: Share,
}

impl Reservations {
    /// A pool that keeps at most `most_idle` memories between uses.
    #[must_use]
    pub fn new(most_idle: usize) -> Arc<Self> {
        Self::with_share(most_idle, Share::Half)
    }

    pub(crate) fn with_share(most_idle: usize, share: Share) -> Arc<Self> {
        // Room for one more than is kept, so that putting back never allocates.
        let idle = Mutex::new(VecDeque::with_capacity(most_idle + 1));
        Arc::new(Self { idle, most_idle, share })
    }

    /// A memory of this shape, all zero: an idle one, or a new one.
    ///
    /// # Errors
    /// [`Error::Size`] when a size is not in whole pages; [`Error::NoMemory`].
    pub fn take(self: &Arc<Self>, shape: Shape) -> Result<Reservation, Error> {
        let region = match self.idle_of(shape) {
            Some(region) => region,
            None => {
                let too_large = Error::Size { bytes: shape.accessible, capacity: shape.reservation };
                if shape.accessible > shape.reservation {
                    return Err(too_large);
                }
                let len = shape.reservation.checked_add(shape.guard).ok_or(too_large)?;
                let mut region = Region::reserve(len, self.share)?;
                region.open_to(shape.accessible)?;
                region
            }
        };
        let first = region.tally();
        Ok(Reservation { region: Some(region), shape, first, pool: Arc::clone(self) })
    }

    /// How many memories lie idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn idle_of(&self, shape: Shape) -> Option<Region> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // From the back: what was used last is still in the processor's caches.
        let at = idle.iter().rposition(|(its, _)| *its == shape)?;
        idle.remove(at).map(|(_, region)| region)
    }

    fn put_back(&self, shape: Shape, region: Region) {
        let oldest = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push_back((shape, region));
            if idle.len() > self.most_idle { idle.pop_front() } else { None }
        };
        drop(oldest); // Unmapped outside the lock.
    }
}

/// One memory in use. Dropping it wipes it, takes back what it grew, and recycles it.
pub struct Reservation {
    /// `None` only inside `drop`.
    region: Option<Region>,
    shape: Shape,
    first: Tally,
    pool: Arc<Reservations>,
}

impl Reservation {
    /// Where it starts. It does not move, growing included. Whoever writes through the
    /// pointer must be done before the reservation is dropped.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.region.as_ref().map_or(NonNull::dangling(), Region::base)
    }

    /// How many bytes are accessible now.
    #[must_use]
    pub fn accessible(&self) -> usize {
        self.region.as_ref().map_or(0, Region::open)
    }

    /// How far it may grow.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shape.reservation
    }

    /// Makes the first `to` bytes accessible; the new ones are zero.
    ///
    /// # Errors
    /// [`Error::Size`] beyond the capacity or not in whole pages; [`Error::NoMemory`].
    pub fn grow_to(&mut self, to: usize) -> Result<(), Error> {
        let too_large = Error::Size { bytes: to, capacity: self.shape.reservation };
        let region = self.region.as_mut().filter(|_| to <= self.shape.reservation).ok_or(too_large)?;
        region.open_to(to)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.region.as_ref().map_or(&[], Region::bytes)
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.region.as_mut().map_or(&mut [], Region::bytes_mut)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(mut region) = self.region.take() else { return };
        region.wipe();
        // If it cannot be shrunk it is unmapped: never recycled larger, or the next guest
        // would read past its own end.
        if region.close_to(self.shape.accessible, self.first).is_ok() {
            self.pool.put_back(self.shape, region);
        }
    }
}
