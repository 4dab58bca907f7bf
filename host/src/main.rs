//! The program: one line is answered, and its exit code returned.
#![forbid(unsafe_code)]

use std::io::IsTerminal as _;
use std::process::ExitCode;

use txco::cli::{self, Console, Stdin};
use txco::config::{Environment as _, ProcessEnvironment};

/// Wipes what is freed: also the buffers of libraries that held a secret for a moment (R40).
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<mimalloc::MiMalloc> =
    zeroizing_alloc::ZeroAlloc(mimalloc::MiMalloc);

fn main() -> ExitCode {
    // Before anything may start a thread: a key in the environment is taken out of it.
    let environment = ProcessEnvironment::taken();
    let (mut out, mut err, mut input) = (std::io::stdout(), std::io::stderr(), Stdin);
    let terminal = err.is_terminal();
    let color = terminal && environment.variable("NO_COLOR").is_none();
    let mut console = Console {
        out: &mut out,
        err: &mut err,
        input: &mut input,
        environment: &environment,
        color,
        terminal,
    };
    cli::run(std::env::args_os(), &mut console)
}
