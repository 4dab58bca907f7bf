//! Bytes on pages of their own, for keys and credentials.

use std::sync::{Arc, OnceLock};

use crate::Error;
use crate::ledger::Share;
use crate::reservations::{Reservation, Reservations, Shape};

/// Idle pages kept for the next key or credential, so that having one is no system call.
const MOST_IDLE: usize = 64;

/// A buffer on pages of its own: locked into memory within the process's limit, left out
/// of core dumps and of forked children, followed by a page that faults, and wiped on drop.
///
/// It is fixed in size and filled in place; it cannot be printed, copied or compared.
///
/// ```compile_fail,E0277
/// fn printable<T: std::fmt::Debug>() {}
/// printable::<txco_pages::Locked>();
/// ```
/// ```compile_fail,E0277
/// fn clonable<T: Clone>() {}
/// clonable::<txco_pages::Locked>();
/// ```
/// ```compile_fail,E0277
/// fn comparable<T: PartialEq>() {}
/// comparable::<txco_pages::Locked>();
/// ```
/// ```compile_fail,E0277
/// fn bytes_by_accident<T: AsRef<[u8]>>() {}
/// bytes_by_accident::<txco_pages::Locked>();
/// ```
pub struct Locked {
    memory: Reservation,
    len: usize,
}

impl Locked {
    /// `len` bytes, all zero.
    ///
    /// # Errors
    /// [`Error::NoMemory`]. Being refused the lock is no error: the bytes are counted in
    /// [`unlocked_bytes`](crate::unlocked_bytes).
    pub fn zeroed(len: usize) -> Result<Self, Error> {
        static POOL: OnceLock<Arc<Reservations>> = OnceLock::new();
        let pool = POOL.get_or_init(|| Reservations::with_share(MOST_IDLE, Share::Whole));
        let page = rustix::param::page_size();
        let size = len.max(1).checked_next_multiple_of(page);
        let size = size.ok_or(Error::NoMemory { bytes: len, os: rustix::io::Errno::NOMEM })?;
        let memory = pool.take(Shape { reservation: size, guard: page, accessible: size })?;
        Ok(Self { memory, len })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.bytes().get(..self.len).unwrap_or_default()
    }

    /// The bytes, to be filled in place.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut().get_mut(..self.len).unwrap_or_default()
    }
}
