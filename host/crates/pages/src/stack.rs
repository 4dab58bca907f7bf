//! Clears the stacks that work on secrets used: what was spilled or saved there may be one.
#![allow(
    unsafe_code,
    reason = "what a call left on the stack cannot be read in Rust, only by an instruction of our own; where the signal stack is, the system says"
)]

use std::hint::black_box;
use std::mem::MaybeUninit;

/// What is cleared in any case: more than an ordinary call uses.
const SHALLOW: usize = 16 << 10;
/// The bytes below it that tell whether the work went deeper. A frame of so much touches each
/// page it has, and a smaller one leaves its return address, so none passes them unseen.
const STRIP: usize = 4 << 10;

/// Does `work`, then clears what it left on this thread's stack: the first 16 KiB and, when it
/// went deeper, `most` bytes.
///
/// The thread needs to have that much stack left: `most` is what the work could have used.
pub fn clearing_stack<T>(most: usize, work: impl FnOnce() -> T) -> T {
    // All from one frame, so that they look at the same bytes.
    frame(Pass::Before);
    let made = below(work);
    if frame(Pass::After) == Depth::Deep {
        clear_deep(most);
    }
    made
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Before,
    After,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Shallow,
    Deep,
}

#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// The two, one below the other.
#[repr(C, align(64))]
struct Frame {
    strip: [MaybeUninit<u8>; STRIP],
    shallow: [MaybeUninit<u8>; SHALLOW],
}

/// Before the work makes the strip zero; after it clears what is above, and tells whether the
/// strip is zero still.
#[inline(never)]
fn frame(pass: Pass) -> Depth {
    let mut frame = MaybeUninit::<Frame>::uninit();
    let at: *mut u8 = black_box(frame.as_mut_ptr()).cast();
    let depth = match pass {
        Pass::Before => {
            // SAFETY: the strip is the front of the frame, which is this function's own.
            unsafe { at.write_bytes(0, STRIP) };
            Depth::Shallow
        }
        Pass::After => {
            let depth = if strip_is_zero(at) { Depth::Shallow } else { Depth::Deep };
            // SAFETY: what lies behind the strip is the rest of the frame.
            unsafe { at.add(STRIP).write_bytes(0, SHALLOW) };
            depth
        }
    };
    black_box(&mut frame);
    depth
}

/// Clears the stack on which this thread's signals are handled, if it has one. When a guest
/// crashes, the kernel saves its registers there, and they stay until the next signal.
pub fn clear_signal_stack() {
    let mut stack = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: without a new stack it only writes where the present one is.
    let asked = unsafe { libc::sigaltstack(std::ptr::null(), stack.as_mut_ptr()) };
    // SAFETY: zero is a value of this type, and so is what the system wrote over it.
    let stack = unsafe { stack.assume_init() };
    let idle = asked == 0 && stack.ss_flags & (libc::SS_DISABLE | libc::SS_ONSTACK) == 0;
    if idle && !stack.ss_sp.is_null() {
        // SAFETY: it is this thread's own, mapped for as long as it is installed, and no signal
        // is being handled on it: that would have been said.
        unsafe { stack.ss_sp.cast::<u8>().write_bytes(0, stack.ss_size) };
        black_box(stack.ss_sp);
    }
}

/// Clears `most` bytes, a piece per frame.
#[inline(never)]
fn clear_deep(most: usize) {
    let mut frame = [0_u8; SHALLOW];
    black_box(&mut frame);
    if let Some(rest) = most.checked_sub(SHALLOW) {
        clear_deep(rest);
    }
    // Still in use: no call in tail position that would take this frame's place.
    black_box(&mut frame);
}

/// Whether the [`STRIP`] bytes from `at` on are all zero.
#[cfg(target_arch = "x86_64")]
fn strip_is_zero(at: *const u8) -> bool {
    let (mut one, mut two) = (0_u64, 0_u64);
    // SAFETY: reads `STRIP` bytes of the caller's frame, aligned to 64, and nothing else. To
    // Rust they are uninitialised; to the processor they are bytes.
    unsafe {
        std::arch::asm!(
            "2:",
            "or {one}, qword ptr [{at}]",
            "or {two}, qword ptr [{at} + 8]",
            "or {one}, qword ptr [{at} + 16]",
            "or {two}, qword ptr [{at} + 24]",
            "add {at}, 32",
            "cmp {at}, {end}",
            "jb 2b",
            at = inout(reg) at => _,
            end = in(reg) at.wrapping_add(STRIP),
            one = inout(reg) one,
            two = inout(reg) two,
            options(nostack, readonly),
        );
    }
    one | two == 0
}

/// Whether the [`STRIP`] bytes from `at` on are all zero.
#[cfg(target_arch = "aarch64")]
fn strip_is_zero(at: *const u8) -> bool {
    let mut all = 0_u64;
    // SAFETY: as on the other architecture.
    unsafe {
        std::arch::asm!(
            "2:",
            "ldp {one}, {two}, [{at}], #16",
            "orr {all}, {all}, {one}",
            "orr {all}, {all}, {two}",
            "cmp {at}, {end}",
            "b.lo 2b",
            at = inout(reg) at => _,
            end = in(reg) at.wrapping_add(STRIP),
            one = out(reg) _,
            two = out(reg) _,
            all = inout(reg) all,
            options(nostack, readonly),
        );
    }
    all == 0
}

/// Not known elsewhere: then the whole is cleared each time.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn strip_is_zero(_: *const u8) -> bool {
    false
}
