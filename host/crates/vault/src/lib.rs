//! Sealed to cleartext to bag; the only mint of cleartext.
