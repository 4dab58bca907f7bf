//! The goals of `host/docs/speed.md`: sandboxed calls beside the same work done natively, in one run.
//!
//! Microseconds differ between machines and hours, ratios hardly. `cargo bench -p txco-sandbox`
//! prints the whole table, with `-- G2 G3` only those rows.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

extern crate txco_sandbox as sandbox;

mod house;
mod goals;

use std::thread;

/// The same as in the binary: what is freed is wiped.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<mimalloc::MiMalloc> =
    zeroizing_alloc::ZeroAlloc(mimalloc::MiMalloc);

/// One goal as it was measured.
pub(crate) struct Row {
    pub(crate) goal: &'static str,
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) target: &'static str,
    pub(crate) met: bool,
}

fn main() {
    let asked: Vec<_> = std::env::args().skip(1).filter(|arg| arg.starts_with('G')).collect();
    let cores = thread::available_parallelism().unwrap();
    let optimised = if cfg!(debug_assertions) { ", debug assertions on" } else { "" };
    println!(
        "{cores} cores{optimised}; ratios are medians of rounds in which native work and calls alternate\n"
    );
    println!("| goal | what | measured | target | |");
    println!("|---|---|---|---|---|");
    let house = house::House::new();
    for (goals, measure) in goals::ALL {
        if !asked.is_empty() && !goals.iter().any(|goal| asked.iter().any(|wanted| wanted == goal)) {
            continue;
        }
        for Row { goal, what, measured, target, met } in measure(&house) {
            let met = if met { "met" } else { "**missed**" };
            println!("| {goal} | {what} | {measured} | {target} | {met} |");
        }
    }
}
