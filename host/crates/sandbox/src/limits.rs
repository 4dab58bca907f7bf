//! How much one call may use, and the meter that counts it (R25).

use std::time::Duration;

use model::Fault;
use wasmtime::ResourceLimiter;

use crate::json::Stopped;

/// What one call of an op may use. Each is a flag of the host, and each has a pair of
/// tests with one guest: at the limit it succeeds, one above it is exactly its fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory, all memories of the op together; and of one message that it
    /// has the host sign or verify.
    pub memory: usize,
    /// Wall-clock time, instantiation included.
    pub wall: Duration,
    /// Bytes of WebAssembly stack.
    pub stack: usize,
    /// Elements of all tables together.
    pub tables: usize,
    /// Calls into the host, dropped handles included.
    pub host_calls: u32,
    /// Bytes of all arguments of host calls together, log lines excepted.
    pub argument_bytes: usize,
    /// Handles held at one time.
    pub handles: u32,
    /// Log lines.
    pub log_lines: u32,
    /// Bytes of one log line.
    pub log_line_bytes: usize,
    /// Bytes of the output: paths and values of all fields together.
    pub output: usize,
    /// Bytes of linear memory of a large component, instead of `memory`.
    pub large_memory: usize,
    /// Elements of all tables of one, instead of `tables`.
    pub large_tables: usize,
    /// Wall-clock time of one, instead of `wall`.
    pub large_wall: Duration,
}

impl Limits {
    /// How many handles there may be at once with those that are lent to a host call. Our own
    /// count of those an op holds is the limit; this is what stands behind it.
    pub(crate) fn lent_handles(&self) -> usize {
        usize::try_from(self.handles).unwrap_or(0) * 2 + 16
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 32 << 20,
            wall: Duration::from_millis(250),
            stack: 512 << 10,
            tables: 1_000,
            host_calls: 10_000,
            argument_bytes: 1 << 20,
            handles: 64,
            log_lines: 32,
            log_line_bytes: 1 << 10,
            output: 4 << 20,
            large_memory: 128 << 20,
            large_tables: 20_000,
            large_wall: Duration::from_secs(1),
        }
    }
}

/// Which limit an op ran into, with its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Over {
    /// Linear memory.
    #[error("more than {0} bytes of memory")]
    Memory(usize),
    /// Wall-clock time.
    #[error("longer than {0:?}")]
    Time(Duration),
    /// WebAssembly stack.
    #[error("more than {0} bytes of stack")]
    Stack(usize),
    /// Table elements.
    #[error("more than {0} table elements")]
    Tables(usize),
    /// Calls into the host.
    #[error("more than {0} host calls")]
    HostCalls(u32),
    /// Bytes of arguments.
    #[error("more than {0} bytes of arguments")]
    Arguments(usize),
    /// Bytes of one message to sign or verify.
    #[error("a message of more than {0} bytes")]
    Message(usize),
    /// Random bytes at once.
    #[error("more than {0} random bytes at once")]
    Random(u32),
    /// Handles, or the bytes behind them.
    #[error("more than {0} handles, or more bytes behind them than it may have memory")]
    Handles(u32),
    /// Log lines.
    #[error("more than {lines} log lines of {bytes} bytes")]
    Log {
        /// How many lines there may be.
        lines: u32,
        /// How long one may be.
        bytes: usize,
    },
    /// Bytes of output.
    #[error("more than {0} bytes of output")]
    Output(usize),
}

impl Over {
    /// The fault the outside sees.
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::Memory(_) => Fault::OpOverMemory,
            Self::Time(_) => Fault::OpOverTime,
            Self::Stack(_) => Fault::OpOverStack,
            Self::Tables(_) => Fault::OpOverTables,
            Self::HostCalls(_) => Fault::OpOverHostCalls,
            Self::Arguments(_) | Self::Message(_) => Fault::OpOverArguments,
            Self::Random(_) => Fault::OpOverRandom,
            Self::Handles(_) => Fault::OpOverHandles,
            Self::Log { .. } => Fault::OpOverLog,
            Self::Output(_) => Fault::OpOverOutput,
        }
    }
}

/// Counts what one call uses, and stops it at the first thing beyond a limit.
pub(crate) struct Meter {
    limits: Limits,
    memory: usize,
    tables: usize,
    host_calls: u32,
    argument_bytes: usize,
    handles: u32,
    handle_bytes: usize,
    log_lines: u32,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            memory: 0,
            tables: 0,
            host_calls: 0,
            argument_bytes: 0,
            handles: 0,
            handle_bytes: 0,
            log_lines: 0,
        }
    }

    pub(crate) fn host_call(&mut self) -> Result<(), Over> {
        self.host_calls = self.host_calls.saturating_add(1);
        within(self.host_calls <= self.limits.host_calls, Over::HostCalls(self.limits.host_calls))
    }

    /// Whether an argument of `bytes` is within the limit, before it is copied.
    pub(crate) fn has_room(&self, bytes: usize) -> Result<(), Over> {
        let most = self.limits.argument_bytes;
        within(self.argument_bytes.saturating_add(bytes) <= most, Over::Arguments(most))
    }

    pub(crate) fn argument(&mut self, bytes: usize) -> Result<(), Over> {
        self.has_room(bytes)?;
        self.argument_bytes = self.argument_bytes.saturating_add(bytes);
        Ok(())
    }

    /// A message of `bytes`, most of them perhaps the host's own: as much as a guest could
    /// hold itself.
    pub(crate) fn message(&self, bytes: usize) -> Result<(), Over> {
        let most = self.limits.memory;
        within(bytes <= most, Over::Message(most))
    }

    /// The call outlived its time inside a host call.
    pub(crate) fn late(&self) -> Over {
        Over::Time(self.limits.wall)
    }

    pub(crate) fn memory_limit(&self) -> usize {
        self.limits.memory
    }

    /// A value was not handed in: the guest could not hold it, or not in time.
    pub(crate) fn stopped(&self, why: Stopped) -> Over {
        match why {
            Stopped::TooLong => Over::Memory(self.limits.memory),
            Stopped::Late => self.late(),
        }
    }

    pub(crate) fn log_line(&mut self, bytes: usize) -> Result<(), Over> {
        self.log_lines = self.log_lines.saturating_add(1);
        let (lines, most) = (self.limits.log_lines, self.limits.log_line_bytes);
        within(self.log_lines <= lines && bytes <= most, Over::Log { lines, bytes: most })
    }

    /// Counts a line that the guest's toolchain printed, if there is room for one.
    pub(crate) fn has_line(&mut self) -> bool {
        let room = self.log_lines < self.limits.log_lines;
        self.log_lines += u32::from(room);
        room
    }

    pub(crate) fn line_bytes(&self) -> usize {
        self.limits.log_line_bytes
    }

    /// A handle with `bytes` of its own behind it.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Over> {
        self.handles = self.handles.saturating_add(1);
        self.handle_bytes = self.handle_bytes.saturating_add(bytes);
        let fits = self.handles <= self.limits.handles && self.handle_bytes <= self.limits.memory;
        within(fits, Over::Handles(self.limits.handles))
    }

    /// Handles that the guest lends to one host call, on top of those it has: the engine counts
    /// them up to the same number.
    pub(crate) fn lend(&self, lent: usize) -> Result<(), Over> {
        let all = lent.saturating_add(usize::try_from(self.handles).unwrap_or(usize::MAX));
        within(all <= self.limits.lent_handles(), Over::Handles(self.limits.handles))
    }

    pub(crate) fn let_go(&mut self, bytes: usize) {
        self.handles = self.handles.saturating_sub(1);
        self.handle_bytes = self.handle_bytes.saturating_sub(bytes);
    }
}

fn within(fits: bool, over: Over) -> Result<(), Over> {
    if fits { Ok(()) } else { Err(over) }
}

/// Growth beyond a limit is a trap at once: a guest that could go on after a refused
/// `memory.grow` would end in a crash that tells nobody why.
impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(wanted.saturating_sub(now));
        within(total <= self.limits.memory, Over::Memory(self.limits.memory))?;
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.tables.saturating_add(wanted.saturating_sub(now));
        within(total <= self.limits.tables, Over::Tables(self.limits.tables))?;
        self.tables = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

/// Core instances, tables and memories of one op; a component of ordinary tools has 3, 2 and 1,
/// one of Python with its parts some 20.
const INSTANCES: usize = 48;
