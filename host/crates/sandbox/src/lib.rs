//! Runs one op once, in memory of its own that is wiped afterwards.
