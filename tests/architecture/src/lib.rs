//! Checks that the house stands as host/README.md says.
