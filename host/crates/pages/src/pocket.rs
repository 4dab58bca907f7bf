//! A few locked bytes, for what is opened for one call: many of them share a page.

use std::sync::{Mutex, PoisonError};

use zeroize::Zeroize as _;

use crate::Error;
use crate::ledger::{self, Share, Tally};
use crate::locked::Locked;
use crate::region::{Region, Slot};

/// Pages are made and locked for so many bytes at a time.
const TOGETHER: usize = 16 << 10;

/// Keys, tokens, and private keys as text. What is longer has pages of its own.
static SIZES: [Size; 3] = [Size::of(64), Size::of(512), Size::of(4096)];

/// A buffer of a fixed length in locked memory, which is in no core dump and no forked child,
/// and is wiped on drop. To have one and to drop it is no system call, once as many were in
/// use before: what was made is kept.
///
/// It is for bytes that come and go with calls, thousands at a time, where a page for each
/// would be most of the lock budget, and a system call each. Where no such memory can be had
/// at all the bytes lie in the heap, wiped all the same and counted in
/// [`unlocked_bytes`](crate::unlocked_bytes): no call fails for it.
///
/// ```compile_fail,E0277
/// fn printable<T: std::fmt::Debug>() {}
/// printable::<txco_pages::Pocket>();
/// ```
/// ```compile_fail,E0277
/// fn clonable<T: Clone>() {}
/// clonable::<txco_pages::Pocket>();
/// ```
pub struct Pocket {
    held: Held,
    len: usize,
}

enum Held {
    /// A slot, `None` only inside `drop`, and where it goes back to.
    Slot(Option<Slot>, &'static Size),
    Pages(Locked),
    Heap(Box<[u8]>),
}

/// The slots of one size.
struct Size {
    bytes: usize,
    slots: Mutex<Slots>,
}

struct Slots {
    free: Vec<Slot>,
    made: usize,
}

impl Pocket {
    /// `len` bytes, all zero.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let held = match SIZES.iter().find(|size| len <= size.bytes) {
            Some(size) => size.take().map(|slot| Held::Slot(Some(slot), size)),
            None => Locked::zeroed(len).map(Held::Pages),
        };
        Self { held: held.unwrap_or_else(|_| Held::heap(len)), len }
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let all = match &self.held {
            Held::Slot(slot, _) => slot.as_ref().map_or(&[][..], Slot::bytes),
            Held::Pages(pages) => pages.bytes(),
            Held::Heap(bytes) => bytes,
        };
        all.get(..self.len).unwrap_or_default()
    }

    /// The bytes, to be filled in place.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let all = match &mut self.held {
            Held::Slot(slot, _) => slot.as_mut().map_or(&mut [][..], Slot::bytes_mut),
            Held::Pages(pages) => pages.bytes_mut(),
            Held::Heap(bytes) => bytes,
        };
        all.get_mut(..self.len).unwrap_or_default()
    }
}

impl Held {
    fn heap(len: usize) -> Self {
        ledger::count_unlocked(len);
        Self::Heap(vec![0; len].into_boxed_slice())
    }
}

impl Drop for Pocket {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        match &mut self.held {
            Held::Slot(slot, size) => slot.take().into_iter().for_each(|slot| size.put_back(slot)),
            Held::Heap(bytes) => ledger::release(Tally { locked: 0, unlocked: bytes.len() }),
            Held::Pages(_) => {}
        }
    }
}

impl Size {
    const fn of(bytes: usize) -> Self {
        Self { bytes, slots: Mutex::new(Slots { free: Vec::new(), made: 0 }) }
    }

    /// The slot that was used last, or one of new ones.
    fn take(&self) -> Result<Slot, Error> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.free.pop() {
            return Ok(slot);
        }
        let page = rustix::param::page_size();
        let bytes = TOGETHER.next_multiple_of(page);
        let mut region = Region::reserve(bytes + page, Share::Whole)?;
        region.open_to(bytes)?;
        slots.made += bytes / self.bytes;
        // Room for all that there are, so that putting one back never allocates.
        let made = slots.made;
        slots.free.reserve(made);
        slots.free.extend(region.into_slots(self.bytes));
        slots.free.pop().ok_or(Error::Size { bytes: self.bytes, capacity: bytes })
    }

    fn put_back(&self, slot: Slot) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).free.push(slot);
    }
}
