//! What a request costs: through rules and ops, beside a bare handler that does the same work, in one run.
//!
//! Both answer on loopback in this process, and the clients are in it too: what they cost is in
//! both sides of a ratio. `cargo bench -p txco --bench run` prints the whole table, with `-- rules`
//! or `-- http` or `-- memory` a part of it.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

mod client;
mod house;
mod native;
mod http;
mod memory;
mod rules;

/// The same as in the binary: what is freed is wiped.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<mimalloc::MiMalloc> =
    zeroizing_alloc::ZeroAlloc(mimalloc::MiMalloc);

/// One thing that was measured; without a goal it is only told.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    /// The goal, and whether it is met.
    pub(crate) goal: Option<(&'static str, bool)>,
}

/// A part of the table.
type Part = (&'static str, fn() -> Vec<Row>);

const PARTS: [Part; 3] = [("rules", rules::rows), ("http", http::rows), ("memory", memory::rows)];

fn main() {
    let asked: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let cores = std::thread::available_parallelism().unwrap();
    println!("{cores} cores; ratios are medians of rounds in which both alternate\n");
    println!("| what | measured | goal | |");
    println!("|---|---|---|---|");
    for (name, measure) in PARTS {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            continue;
        }
        for Row { what, measured, goal } in measure() {
            let (goal, met) = match goal {
                Some((goal, true)) => (goal, "met"),
                Some((goal, false)) => (goal, "**missed**"),
                None => ("", ""),
            };
            println!("| {what} | {measured} | {goal} | {met} |");
        }
    }
}
