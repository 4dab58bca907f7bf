//! The limits of a run, each of them a flag of the front door.

use std::time::Duration;

/// Whether answers that a workspace keeps for its ops may be given instead of calling them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mocks {
    /// Where a rule or a caller asks for it.
    Allow,
    /// Never (`--mock deny`).
    Deny,
}

/// What a request may use, and how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long an op may take when its rule says nothing (`--op-timeout`).
    pub op_timeout: Duration,
    /// The longest an op or a whole request may take (`--op-timeout-max`).
    pub op_timeout_max: Duration,
    /// Stage entries per request (`--op-scope-ttl-max`); 0 is no limit.
    pub stage_entries: u32,
    /// Fuel per request (`--max-fuel-per-request`); 0 is no limit.
    pub fuel: u64,
    /// The wait before a step from stage to stage that was made before (`--op-repeat-penalty-ms`).
    pub repeat_penalty: Duration,
    /// Whether mocks answer (`--mock`).
    pub mocks: Mocks,
    /// Long-running ops of one tenant at the same time (R26).
    pub blocking_ops: usize,
    /// Requests of one tenant to upstreams at the same time (`--egress-calls`).
    pub calls: usize,
    /// Calls of large ops at the same time, of all tenants (`--sandbox-large-calls`): each may
    /// hold a hundred megabytes.
    pub large_ops: usize,
    /// The largest envelope, in bytes of text and keys, that a scope may leave behind.
    pub envelope_bytes: usize,
    /// About requests that wait while their client does not.
    pub waiting: Waiting,
}

/// How long workers may take, and how clients and workers find their way back.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// How long a worker may take to accept a job (`--async-ack-timeout`).
    pub accept: Duration,
    /// How long it may take for the job when its rule says nothing (`--async-runtime-default`).
    pub most: Duration,
    /// When the client of a continuable rule is told to come back (`--continue-after-default`).
    pub after: Duration,
    /// How long a continuable rule may take when it says nothing (`--continuable-timeout-default`).
    pub promised: Duration,
    /// How long the end of a request is kept (`--continuation-retention`); no job takes longer.
    pub retention: Duration,
    /// Where workers call back: scheme, host and port (`--continuation-callback-base-url`).
    pub callback: String,
    /// How many requests of a tenant may wait (`--continuations-max`); 0 is no limit.
    pub runs: u64,
    /// How many requests that nobody waits for may run at once (`--continuation-runs`).
    pub at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            op_timeout: Duration::from_secs(5),
            op_timeout_max: Duration::from_secs(600),
            stage_entries: 500,
            fuel: 100_000,
            repeat_penalty: Duration::from_millis(20),
            mocks: Mocks::Allow,
            blocking_ops: 8,
            calls: 256,
            large_ops: 4,
            envelope_bytes: 128 << 20,
            waiting: Waiting {
                accept: Duration::from_secs(5),
                most: Duration::from_secs(600),
                after: Duration::from_secs(5),
                promised: Duration::from_secs(600),
                retention: Duration::from_secs(604_800),
                callback: "http://127.0.0.1:8080".to_owned(),
                runs: 10_000,
                at_once: 256,
            },
        }
    }
}
