//! `txco op …`: ops are written, built, tried, pushed, measured and signed.

mod beside;
mod place;
mod rehearsal;
mod mocks;
mod fixture;
mod new;
mod build;
mod inspect;
mod run;
mod test;
mod bench;
mod push;
mod pushed;
mod sign;
mod verify;

use std::process::ExitCode;

use super::output::{Complaint, Console};
use super::usage;

pub(super) use push::parcel;

/// What the existing command line calls a command that has another name here.
const OTHERWISE: &str = "op: `op init DIR` of the Go chassis is `txco op new DIR --lang js`";

/// What stands behind `op`.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Make a new op: its sources, a test, and below OPS/ a rule that calls it
    New(new::Flags),
    /// Build an op to a component, and check it as a chassis does
    Build(build::Flags),
    /// Run the fixtures in an op's tests/ folder, with the limits of a chassis
    Test(test::Flags),
    /// Call an op once and show everything it says
    Run(run::Flags),
    /// Show what an op imports, asks for and returns
    Inspect(inspect::Flags),
    /// Measure what a call of an op costs
    Bench(bench::Flags),
    /// Send an op to a chassis
    Push(push::Flags),
    /// List the ops of a tenant
    #[command(visible_alias = "ls")]
    List(pushed::ListFlags),
    /// Show one op of a tenant
    Show(pushed::NamedFlags),
    /// Remove an op of a tenant
    Rm(pushed::RemoveFlags),
    /// Sign a component with a key of your own, or mint one
    Sign(sign::Flags),
    /// Compare the built-in ops with their lock, or with what their sources make
    Verify(verify::Flags),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// Runs a verb.
pub(super) fn run(verb: Option<Verb>, console: &mut Console<'_>) -> ExitCode {
    let Some(verb) = verb else { return usage::print(&["op"], console) };
    let (word, json, result) = match verb {
        Verb::Unknown(words) if words.first().is_some_and(|word| word == "init") => {
            return console.end(false, Err(Complaint::usage(OTHERWISE)));
        }
        Verb::Unknown(words) => return usage::unknown(&["op"], &words, &[], console),
        Verb::New(flags) => ("new", flags.json, new::run(&flags, console)),
        Verb::Build(flags) => ("build", flags.json, build::run(&flags, console)),
        Verb::Test(flags) => ("test", flags.json, test::run(&flags, console)),
        Verb::Run(flags) => ("run", flags.json, run::run(&flags, console)),
        Verb::Inspect(flags) => ("inspect", flags.json, inspect::run(&flags, console)),
        Verb::Bench(flags) => ("bench", flags.json, bench::run(&flags, console)),
        Verb::Push(flags) => ("push", flags.json, push::run(&flags, console)),
        Verb::List(flags) => ("list", flags.json, pushed::list(&flags, console)),
        Verb::Show(flags) => ("show", flags.json, pushed::show(&flags, console)),
        Verb::Rm(flags) => ("rm", flags.json, pushed::remove(&flags, console)),
        Verb::Sign(flags) => ("sign", flags.json, sign::run(&flags, console)),
        Verb::Verify(flags) => ("verify", flags.json, verify::run(&flags, console)),
    };
    console.end(json, result.map_err(|complaint: Complaint| complaint.of(&format!("op {word}"))))
}
