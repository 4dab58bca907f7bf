//! The limits of a run, each of them a flag of the front door.

use std::time::Duration;

/// What a request may use, and how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long an op may take when its rule says nothing (`--op-timeout`).
    pub op_timeout: Duration,
    /// The longest an op or a whole request may take (`--op-timeout-max`).
    pub op_timeout_max: Duration,
    /// Stage entries per request (`--op-scope-ttl-max`); 0 is no limit.
    pub stage_entries: u32,
    /// Long-running ops of one tenant at the same time (R26).
    pub blocking_ops: usize,
    /// Requests of one tenant to upstreams at the same time (`--egress-calls`).
    pub calls: usize,
    /// Calls of large ops at the same time, of all tenants (`--sandbox-large-calls`): each may
    /// hold a hundred megabytes.
    pub large_ops: usize,
    /// The largest envelope, in bytes of text and keys, that a scope may leave behind.
    pub envelope_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            op_timeout: Duration::from_secs(5),
            op_timeout_max: Duration::from_secs(600),
            stage_entries: 500,
            blocking_ops: 8,
            calls: 256,
            large_ops: 4,
            envelope_bytes: 128 << 20,
        }
    }
}
