//! One private mapping: inaccessible, then opened from its start, locked, and wiped.
#![allow(
    unsafe_code,
    reason = "mmap, mprotect, mlock and madvise take raw addresses; this is the one file that calls them"
)]

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use zeroize::Zeroize;

use crate::Error;
use crate::ledger::{self, Share, Spare, Tally};

/// The most bytes that stay behind what is accessible, for the next who grows: a page of WebAssembly.
const SPARE: usize = 64 << 10;

/// Address space whose first `open` bytes can be read and written; the rest faults.
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
    open: usize,
    /// Up to where there are pages. What of them is not open is zero.
    held: usize,
    /// Leave to hold more than is open.
    spare: Option<Spare>,
    share: Share,
    tally: Tally,
}

// SAFETY: a region owns its mapping alone; nothing in it is tied to a thread.
unsafe impl Send for Region {}
// SAFETY: through `&Region` bytes are only read.
unsafe impl Sync for Region {}

impl Region {
    /// Reserves `len` bytes of address space, none of them accessible.
    pub(crate) fn reserve(len: usize, share: Share) -> Result<Self, Error> {
        // SAFETY: a fresh private mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { rustix::mm::mmap_anonymous(null_mut(), len, ProtFlags::empty(), map_flags()) };
        let base = base.map_err(|os| Error::NoMemory { bytes: len, os })?;
        let base = NonNull::new(base.cast::<u8>())
            .ok_or(Error::NoMemory { bytes: len, os: rustix::io::Errno::NOMEM })?;
        let region = Self { base, len, open: 0, held: 0, spare: None, share, tally: Tally::default() };
        region.keep_out_of_dumps_and_children()?;
        Ok(region)
    }

    /// The start of the mapping.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// How many bytes are accessible.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// What of the accessible bytes is locked and what is not; what is held behind them is locked.
    pub(crate) fn tally(&self) -> Tally {
        Tally { locked: self.tally.locked - (self.held - self.open), ..self.tally }
    }

    /// Opens the region up to `to` bytes and locks what is new, if the budget has it.
    pub(crate) fn open_to(&mut self, to: usize) -> Result<(), Error> {
        if to > self.len || !to.is_multiple_of(rustix::param::page_size()) {
            return Err(Error::Size { bytes: to, capacity: self.len });
        }
        if to <= self.open {
            return Ok(());
        }
        let (from, bytes) = (self.at(self.open), to - self.open);
        let rights = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the range lies inside our own mapping and nothing refers to it yet.
        unsafe { rustix::mm::mprotect(from, bytes, rights) }.map_err(|os| Error::NoMemory { bytes, os })?;
        self.open = to;
        let (from, new) = (self.at(self.held), to.saturating_sub(self.held));
        if new == 0 {
            return Ok(());
        }
        self.held = to;
        if ledger::claim(new, self.share) {
            // SAFETY: as above; locking does not change contents.
            if unsafe { rustix::mm::mlock(from, new) }.is_ok() {
                self.tally.locked += new;
                return Ok(());
            }
            ledger::release(Tally { locked: new, unlocked: 0 });
        }
        ledger::count_unlocked(new);
        self.tally.unlocked += new;
        Ok(())
    }

    /// Makes everything from `to` on inaccessible again and gives its pages back, but for what
    /// it may keep as a spare; `first` is the tally of what lies before `to`. Wipe first: the
    /// kernel clears pages only when it hands them out again.
    pub(crate) fn close_to(&mut self, to: usize, first: Tally) -> Result<(), Error> {
        let Some(bytes) = self.open.checked_sub(to).filter(|b| *b > 0) else { return Ok(()) };
        let stay = self.stay(to, first);
        self.give_back(to + stay, Tally { locked: first.locked + stay, ..first })?;
        // SAFETY: the range lies inside our own mapping, `&mut self` says that nobody refers to it.
        unsafe { rustix::mm::mprotect(self.at(to), bytes, MprotectFlags::empty()) }
            .map_err(|os| Error::NoMemory { bytes, os })?;
        self.open = to;
        Ok(())
    }

    /// How many bytes behind `to` stay: only locked ones, and only as few regions as may keep any.
    fn stay(&mut self, to: usize, first: Tally) -> usize {
        let grown = self.held - to;
        if self.tally.unlocked > first.unlocked {
            self.spare = None;
        } else if self.spare.is_none() && grown <= SPARE {
            self.spare = Spare::claim();
        }
        if self.spare.is_some() { grown.min(SPARE) } else { 0 }
    }

    /// Gives back all pages from `from` on; `kept` is the tally of those before it.
    fn give_back(&mut self, from: usize, kept: Tally) -> Result<(), Error> {
        let (at, bytes) = (self.at(from), self.held - from);
        if bytes == 0 {
            return Ok(());
        }
        let failed = |os| Error::NoMemory { bytes, os };
        // SAFETY: the range lies inside our own mapping, `&mut self` says that nobody refers to it.
        unsafe {
            // Locked pages cannot be given back (EINVAL), so unlock first.
            rustix::mm::munlock(at, bytes).map_err(failed)?;
            rustix::mm::madvise(at, bytes, Advice::LinuxDontNeed).map_err(failed)?;
        }
        ledger::release(Tally {
            locked: self.tally.locked - kept.locked,
            unlocked: self.tally.unlocked - kept.unlocked,
        });
        self.held = from;
        self.tally = kept;
        Ok(())
    }

    /// The accessible bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the first `open` bytes are mapped, readable and initialised (zero pages at first).
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.open) }
    }

    /// The accessible bytes.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and writable; `&mut self` makes the borrow the only one.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.open) }
    }

    /// Overwrites the accessible bytes with zeros, behind a barrier that no optimiser removes.
    pub(crate) fn wipe(&mut self) {
        self.bytes_mut().zeroize();
    }

    fn at(&self, offset: usize) -> *mut c_void {
        self.base.as_ptr().wrapping_add(offset).cast()
    }

    /// A core dump or a forked child must not carry secrets away.
    fn keep_out_of_dumps_and_children(&self) -> Result<(), Error> {
        for advice in [Advice::LinuxDontDump, Advice::LinuxWipeOnFork] {
            // SAFETY: advice about our own mapping; neither changes its contents in this process.
            unsafe { rustix::mm::madvise(self.at(0), self.len, advice) }
                .map_err(|os| Error::NoMemory { bytes: self.len, os })?;
        }
        Ok(())
    }

    /// Gives the region up for its accessible bytes in parts of `size`, each with one owner.
    pub(crate) fn into_slots(self, size: usize) -> impl Iterator<Item = Slot> {
        let (base, count) = (self.base, self.open.checked_div(size).unwrap_or(0));
        let region = Arc::new(self);
        (0..count).map(move |number| {
            // SAFETY: the first `count * size` bytes lie inside the mapping.
            let at = unsafe { base.add(number * size) };
            Slot { at, len: size, _region: Arc::clone(&region) }
        })
    }
}

/// A part of a region that was given up for such parts; it keeps the mapping.
pub(crate) struct Slot {
    at: NonNull<u8>,
    len: usize,
    _region: Arc<Region>,
}

// SAFETY: a slot alone refers to its bytes; nothing in it is tied to a thread.
unsafe impl Send for Slot {}
// SAFETY: through `&Slot` bytes are only read.
unsafe impl Sync for Slot {}

impl Slot {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: they are mapped, readable and initialised for as long as the region lives, and
        // no other slot overlaps them; the region itself is shown to nobody any more.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }

    /// Its bytes.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and writable; `&mut self` makes the borrow the only one.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.wipe();
        // SAFETY: the mapping is ours alone and nothing refers to it any more. That it fails
        // is impossible for a whole mapping of our own, and there is nobody to tell.
        let unmapped = unsafe { rustix::mm::munmap(self.at(0), self.len) };
        debug_assert!(unmapped.is_ok());
        ledger::release(self.tally);
    }
}

/// Address space only: a reservation of 4 GiB must not count as 4 GiB of memory.
fn map_flags() -> MapFlags {
    MapFlags::PRIVATE | MapFlags::NORESERVE
}
