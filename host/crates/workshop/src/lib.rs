//! Makes components of op sources; the only place that starts a compiler.
