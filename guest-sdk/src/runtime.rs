//! What a component needs from `std` and does not get from there.
#![allow(unsafe_code, reason = "the canonical ABI is raw memory")]

use crate::arena::Arena;

#[global_allocator]
static ARENA: Arena = Arena::new();

// Without words: a message would have to be formatted, and could quote something.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// How the host makes room for what it puts into the op. wit-bindgen brings it where there
/// is no libc; for `wasm32-wasip2` it relies on a libc, which is not linked without `std`.
#[cfg(target_env = "p2")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(block: *mut u8, old: usize, align: usize, new: usize) -> *mut u8 {
    use core::alloc::{GlobalAlloc as _, Layout};

    let Ok(layout) = Layout::from_size_align(if old == 0 { new } else { old }, align) else {
        core::arch::wasm32::unreachable()
    };
    if new == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    // SAFETY: the size is not zero; the host passes a block of `old` bytes that it got here.
    let room = unsafe { if old == 0 { ARENA.alloc(layout) } else { ARENA.realloc(block, layout, new) } };
    if room.is_null() {
        core::arch::wasm32::unreachable()
    }
    room
}
