//! Real requests to real servers on loopback.
