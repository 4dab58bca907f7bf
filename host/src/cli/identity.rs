//! `txco auth bootstrap-local, init, enroll, accept, rotate-key, whoami, profiles …`: who one is, and where.

mod choice;
mod enrol;
mod rotate;
mod whoami;
mod profiles;

use std::process::ExitCode;

use super::output::{Complaint, Console};

pub(crate) use enrol::{AcceptFlags, BootstrapFlags, EnrolFlags, InitFlags};
pub(crate) use profiles::{ListFlags, NamedFlags, RemoveFlags};
pub(crate) use rotate::RotateFlags;
pub(crate) use whoami::WhoamiFlags;

/// A command about oneself.
pub(super) enum Verb {
    Bootstrap(BootstrapFlags),
    Init(InitFlags),
    Enrol(EnrolFlags),
    Accept(AcceptFlags),
    Rotate(RotateFlags),
    Whoami(WhoamiFlags),
    Profiles(ListFlags),
    Use(NamedFlags),
    Show(NamedFlags),
    Remove(RemoveFlags),
    Logout(ListFlags),
}

/// Runs a command, which is called `command` in messages.
pub(super) fn run(command: &str, verb: &Verb, console: &mut Console<'_>) -> ExitCode {
    let (json, result): (bool, Result<(), Complaint>) = match verb {
        Verb::Bootstrap(flags) => (flags.key.json, enrol::bootstrap(flags, console)),
        Verb::Init(flags) => (flags.json, enrol::init(flags, console)),
        Verb::Enrol(flags) => (flags.key.json, enrol::enrol(flags, console)),
        Verb::Accept(flags) => (flags.key.json, enrol::accept(flags, console)),
        Verb::Rotate(flags) => (flags.json, rotate::rotate(flags, console)),
        Verb::Whoami(flags) => (flags.json, whoami::whoami(flags, console)),
        Verb::Profiles(flags) => (flags.json, profiles::list(flags, console)),
        Verb::Use(flags) => (flags.json, profiles::activate(flags, console)),
        Verb::Show(flags) => (flags.json, profiles::show(flags, console)),
        Verb::Remove(flags) => (flags.json, profiles::remove(flags, console)),
        Verb::Logout(flags) => (flags.json, profiles::logout(flags, console)),
    };
    console.end(json, result.map_err(|complaint| complaint.of(command)))
}
