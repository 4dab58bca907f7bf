//! The allocator of a guest whose life is one call: it goes forward, and takes back only the last block.
#![allow(unsafe_code, reason = "GlobalAlloc is unsafe to implement")]

#[cfg(target_arch = "wasm32")]
use core::alloc::GlobalAlloc;
use core::alloc::Layout;
use core::cell::Cell;

/// Bytes of one page of WebAssembly memory.
const PAGE: usize = 64 * 1024;

/// Hands out memory from the end of the guest's data on. Freeing anything but the last
/// block does nothing: when the call ends the whole memory is wiped. Freeing the last block
/// is what lets an op read a long body piece by piece within its first page.
pub(crate) struct Arena {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: a guest has one thread.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena that has handed out nothing yet.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self { next: Cell::new(0), end: Cell::new(0) }
    }

    /// The address of a block of this layout, or `None` when `grow` cannot make room for it.
    fn place(&self, layout: Layout, grow: impl FnOnce(usize) -> Option<usize>) -> Option<usize> {
        let start = self.next.get().checked_next_multiple_of(layout.align())?;
        let end = start.checked_add(layout.size())?;
        self.reach(end, grow)?;
        Some(start)
    }

    /// Moves the end of what is handed out, and of the memory when it must.
    fn reach(&self, end: usize, grow: impl FnOnce(usize) -> Option<usize>) -> Option<()> {
        if end > self.end.get() {
            self.end.set(grow(end)?);
        }
        self.next.set(end);
        Some(())
    }

    fn take_back(&self, start: usize, size: usize) {
        if start + size == self.next.get() {
            self.next.set(start);
        }
    }
}

#[cfg(target_arch = "wasm32")]
impl Arena {
    /// Where the heap begins; set by the linker.
    fn ready(&self) {
        unsafe extern "C" {
            static __heap_base: u8;
        }
        if self.next.get() == 0 {
            self.next.set(&raw const __heap_base as usize);
            self.end.set(core::arch::wasm32::memory_size(0) * PAGE);
        }
    }
}

/// Grows the memory so that it reaches `end`; says where it ends then.
#[cfg(target_arch = "wasm32")]
fn grow(end: usize) -> Option<usize> {
    let have = core::arch::wasm32::memory_size(0);
    let more = end.div_ceil(PAGE) - have;
    let refused = core::arch::wasm32::memory_grow(0, more) == usize::MAX;
    (!refused).then_some((have + more) * PAGE)
}

// SAFETY: blocks do not overlap, because `next` only moves back over the block that ends
// there; they are aligned and inside the memory.
#[cfg(target_arch = "wasm32")]
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.ready();
        self.place(layout, grow).map_or(core::ptr::null_mut(), |at| at as *mut u8)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.take_back(block as usize, layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block as usize;
        let last = start + layout.size() == self.next.get();
        if last && let Some(end) = start.checked_add(size) {
            return self.reach(end, grow).map_or(core::ptr::null_mut(), |()| block);
        }
        // SAFETY: the caller's promise about `layout` and `size`.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are at least as long, and the new one is behind the old one.
            unsafe { core::ptr::copy_nonoverlapping(block, new, layout.size().min(size)) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    fn pages(end: usize) -> Option<usize> {
        (end <= 4 * PAGE).then(|| end.next_multiple_of(PAGE))
    }

    #[test]
    fn blocks_are_aligned_and_follow_each_other() {
        let arena = Arena::new();
        assert_eq!(arena.place(layout(3, 1), pages), Some(0));
        assert_eq!(arena.place(layout(8, 8), pages), Some(8));
        assert_eq!(arena.place(layout(1, 1), pages), Some(16));
        assert_eq!(arena.end.get(), PAGE);
    }

    #[test]
    fn the_last_block_comes_back_and_no_other() {
        let arena = Arena::new();
        let first = arena.place(layout(100, 1), pages).unwrap();
        let last = arena.place(layout(50, 1), pages).unwrap();
        arena.take_back(first, 100);
        assert_eq!(arena.place(layout(1, 1), pages), Some(150));
        arena.take_back(150, 1);
        arena.take_back(last, 50);
        assert_eq!(arena.place(layout(70, 1), pages), Some(100));
    }

    #[test]
    fn a_refused_growth_is_no_block() {
        let arena = Arena::new();
        assert_eq!(arena.place(layout(4 * PAGE, 1), pages), Some(0));
        assert_eq!(arena.place(layout(1, 1), pages), None);
        assert_eq!(arena.place(layout(usize::MAX / 2, 1), pages), None);
    }
}
