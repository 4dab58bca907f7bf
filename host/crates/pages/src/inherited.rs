//! A secret that the process was started with in its environment is wiped where the kernel put it.
#![allow(
    unsafe_code,
    reason = "the environment block is memory of the C runtime; overwriting it takes a raw pointer"
)]

use std::ffi::{CStr, c_char};
use std::ptr;

/// What became of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiped {
    /// It was not set.
    Absent,
    /// Its value is overwritten: it reads as empty, here, in children and in `/proc`.
    Yes,
    /// Other threads run, which might read the environment at this moment: it stays.
    NotAlone,
}

unsafe extern "C" {
    fn getenv(name: *const c_char) -> *mut c_char;
}

/// Overwrites the value of the variable `name` in the environment block itself, which is what
/// `/proc/<pid>/environ` shows and children inherit; removing the variable would leave the
/// bytes there. Call it first thing in `main`: with a second thread it does nothing.
#[must_use]
pub fn wipe_variable(name: &CStr) -> Wiped {
    if !alone() {
        return Wiped::NotAlone;
    }
    // SAFETY: `name` ends with a zero byte, and no other thread changes the environment.
    let mut at = unsafe { getenv(name.as_ptr()) };
    if at.is_null() {
        return Wiped::Absent;
    }
    // SAFETY: the value is writable memory of this process up to its zero byte (C11 leaves it
    // to us not to write past it), nothing in Rust borrows it, for `std::env` hands out copies,
    // and this is the only thread.
    unsafe {
        while *at != 0 {
            ptr::write_volatile(at, 0);
            at = at.add(1);
        }
    }
    Wiped::Yes
}

/// Whether this thread is the process's only one; where that cannot be told, it is not.
fn alone() -> bool {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return false };
    tasks.count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That it wipes is seen from outside, in `tests/blackbox/key_sources.rs`.
    #[test]
    fn with_other_threads_nothing_is_touched() {
        let (send, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv());
        assert_eq!(wipe_variable(c"PATH"), Wiped::NotAlone);
        drop(send);
        assert!(other.join().unwrap().is_err());
        assert!(std::env::var_os("PATH").is_some_and(|path| !path.is_empty()));
    }
}
