//! What is left of a database when its program is killed, its disk fills or its clock is wrong, at every change of a file.
//!
//! A program over store and vault alone (no wasmtime, so that hundreds of starts cost seconds) does one deed in a
//! child process, with the faults of `tests/support/faults.c` below it. The parent opens what is left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and this program is its own child"
)]

mod house;
mod deeds;
mod killed;
mod full_disk;
mod wrong_clock;
mod read_only;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    if let Ok(deed) = std::env::var("DEED") {
        deeds::child(&deed);
        return ExitCode::SUCCESS;
    }
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let tests: Vec<_> = [killed::TESTS, full_disk::TESTS, wrong_clock::TESTS, read_only::TESTS]
        .concat()
        .into_iter()
        .filter(|(name, _)| name.contains(&wanted))
        .collect();
    let mut failed = 0;
    for (name, test) in &tests {
        let start = Instant::now();
        let good = catch_unwind(test).is_ok();
        failed += u32::from(!good);
        println!(
            "test {name} ... {} ({} ms)",
            if good { "ok" } else { "FAILED" },
            start.elapsed().as_millis()
        );
    }
    println!("\ntest result: {} of {} failed", failed, tests.len());
    if failed == 0 && (!tests.is_empty() || !wanted.is_empty()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
