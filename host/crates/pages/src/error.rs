//! Why memory could not be had.

/// Why memory could not be had. Being refused a lock is not among the reasons: such
/// memory is used unlocked and counted (see [`unlocked_bytes`](crate::unlocked_bytes)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system has no address space or memory for us.
    #[error("no {bytes} bytes of memory: {os}")]
    NoMemory {
        /// What was asked for.
        bytes: usize,
        /// The operating system's answer.
        os: rustix::io::Errno,
    },
    /// The size is no multiple of the page size, or larger than the reservation.
    #[error("{bytes} bytes do not fit into a reservation of {capacity} in whole pages")]
    Size {
        /// What was asked for.
        bytes: usize,
        /// What the reservation holds.
        capacity: usize,
    },
}
