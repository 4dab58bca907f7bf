//! Locked, wiped, undumpable memory behind a safe interface.
