//! The command line: what was typed, and the one function that answers it.

mod prompt;
mod output;
mod passphrase;
mod home;
mod agent;
mod signer;
mod profile;
mod target;
mod remedy;
mod client;
mod project;
mod identity;
mod people;
mod value;
mod usage;
mod words;
mod secrets;
mod tenants;
mod governing;
mod hostnames;
mod runs;
mod audit;
mod init_key;
mod typed;
mod op;
mod serve;
mod dev;
mod keys;
mod auth;
mod space;
mod rule_files;
mod fmt;
mod lint;
mod doctor;
mod trace;
mod backup;
mod demo;
mod completion;

#[cfg(test)]
pub(crate) mod testing;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use serde_json::json;

use crate::config::of_go;

pub use output::{Complaint, Console};
pub use prompt::{Input, Stdin, Unanswered};

/// Words of the existing command line that a later release will know.
const LATER: &[&str] = &[
    "admin", "cloud", "config", "cron", "data", "dns", "edit", "inspect", "install", "kv", "login", "mcp",
    "package", "packages", "plugin", "room", "snapshot", "stack", "ui", "update", "upgrade",
];

/// Runs a tenant's rules and keeps its secrets.
#[derive(Parser)]
#[command(name = "txco", disable_version_flag = true, max_term_width = 100)]
struct Line {
    /// Print version facts as JSON
    #[arg(short = 'v', long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The commands.
#[derive(clap::Subcommand)]
enum Command {
    /// Run a chassis
    Serve(Box<serve::ServeArgs>),
    /// Run a chassis for the workspace around here, and reload its rules as they change
    Dev(Box<dev::DevArgs>),
    /// Make a workspace with an example that runs
    Init(space::InitArgs),
    /// Serve what changed in a workspace: each stack whole or not at all
    Apply(Box<space::ApplyArgs>),
    /// Say which stacks of a workspace are other than what is served
    Status(Box<space::LookArgs>),
    /// Show line by line what applying would change
    Diff(Box<space::LookArgs>),
    /// List what was applied of a stack
    Versions(Box<space::VersionsArgs>),
    /// Serve an earlier version of a stack again
    Rollback(Box<space::RollbackArgs>),
    /// Apply one stack
    Push(Box<space::PushArgs>),
    /// Put what changed of a stack there as a version that is not served yet
    Draft(Box<space::PushArgs>),
    /// Serve a draft, or any version, from now on
    Activate(Box<space::ActivateArgs>),
    /// Serve no version of a stack; its versions stay
    Deactivate(Box<space::DeactivateArgs>),
    /// Print a file of a stack as the chassis has it
    Cat(Box<space::CatArgs>),
    /// Write the stacks of a chassis into a workspace; files that are other here stay
    Pull(Box<space::PullArgs>),
    /// Lay rule files out, one way for all
    Fmt(fmt::FmtArgs),
    /// Say everything that is wrong with rules, without running them
    Lint(lint::LintArgs),
    /// Say whether rules, chassis and secrets fit together
    Doctor(Box<doctor::DoctorArgs>),
    /// Show what txco does, in a temporary folder
    Demo(demo::DemoArgs),
    /// Show what happened to a request
    Trace(trace::TraceArgs),
    /// The requests that wait for workers or run on their own: list, show, cancel
    Runs(RunsLine),
    /// Copy the databases while they are in use, and check such a copy
    Backup(Box<backup::BackupLine>),
    /// Master key, tenants, secrets, people, profiles
    Auth(AuthLine),
    /// Who you are at a chassis (the same as `auth whoami`)
    Whoami(identity::WhoamiFlags),
    /// Make a profile the active one (the same as `auth profile use`)
    Use(identity::NamedFlags),
    /// Sign nothing from now on (the same as `auth logout`)
    Logout(identity::ListFlags),
    /// Ops: write, build, test, push, measure and sign them
    Op(OpLine),
    /// Print a shell's completions
    Completion(completion::CompletionArgs),
    /// Print or write manual pages
    Man(completion::ManArgs),
    /// Print version facts as JSON
    Version,
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

#[derive(clap::Args)]
struct AuthLine {
    #[command(subcommand)]
    command: Option<auth::Auth>,
}

#[derive(clap::Args)]
struct RunsLine {
    #[command(subcommand)]
    verb: Option<runs::Verb>,
}

#[derive(clap::Args)]
struct OpLine {
    #[command(subcommand)]
    verb: Option<op::Verb>,
}

/// Answers a command line, program name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let arguments = match without_settings_of_go(arguments.into_iter().collect(), console) {
        Ok(arguments) => arguments,
        Err(complaint) => return console.end(false, Err(complaint)),
    };
    let typed = words::with_two_dashes(arguments);
    let line = match Line::try_parse_from(&typed) {
        Ok(line) => line,
        Err(error) => return words::misread(&error, &typed, console),
    };
    if line.version {
        return version(console);
    }
    match line.command {
        None => usage::print(&[], console),
        Some(Command::Serve(args)) => serve::run(*args, console),
        Some(Command::Dev(args)) => dev::run(*args, console),
        Some(Command::Init(args)) => space::run(&space::Verb::Init(args), console),
        Some(Command::Apply(args)) => space::run(&space::Verb::Apply(*args), console),
        Some(Command::Status(args)) => space::run(&space::Verb::Status(*args), console),
        Some(Command::Diff(args)) => space::run(&space::Verb::Diff(*args), console),
        Some(Command::Versions(args)) => space::run(&space::Verb::Versions(*args), console),
        Some(Command::Rollback(args)) => space::run(&space::Verb::Rollback(*args), console),
        Some(Command::Push(args)) => space::run(&space::Verb::Push(*args), console),
        Some(Command::Draft(args)) => space::run(&space::Verb::Draft(*args), console),
        Some(Command::Activate(args)) => space::run(&space::Verb::Activate(*args), console),
        Some(Command::Deactivate(args)) => space::run(&space::Verb::Deactivate(*args), console),
        Some(Command::Cat(args)) => space::run(&space::Verb::Cat(*args), console),
        Some(Command::Pull(args)) => space::run(&space::Verb::Pull(*args), console),
        Some(Command::Fmt(args)) => fmt::run(&args, console),
        Some(Command::Lint(args)) => lint::run(&args, console),
        Some(Command::Doctor(args)) => doctor::run(&args, console),
        Some(Command::Demo(args)) => demo::run(&args, console),
        Some(Command::Trace(args)) => trace::run(&args, console),
        Some(Command::Runs(RunsLine { verb })) => runs::run(verb, console),
        Some(Command::Backup(line)) => backup::run(*line, console),
        Some(Command::Auth(AuthLine { command })) => auth::run(command, console),
        Some(Command::Whoami(flags)) => identity::run("whoami", &identity::Verb::Whoami(flags), console),
        Some(Command::Use(flags)) => identity::run("use", &identity::Verb::Use(flags), console),
        Some(Command::Logout(flags)) => identity::run("logout", &identity::Verb::Logout(flags), console),
        Some(Command::Completion(args)) => completion::completion(&args, console),
        Some(Command::Man(args)) => completion::man(&args, console),
        Some(Command::Op(OpLine { verb })) => op::run(verb, console),
        Some(Command::Version) => version(console),
        Some(Command::Unknown(words)) => usage::unknown(&[], &words, LATER, console),
    }
}

/// Takes flags and settings of the Go chassis out of a line whose command knows them there, and tells each once.
fn without_settings_of_go(
    arguments: Vec<OsString>,
    console: &mut Console<'_>,
) -> Result<Vec<OsString>, Complaint> {
    let words =
        arguments.iter().skip(1).map_while(|word| word.to_str().filter(|word| !word.starts_with('-')));
    let words: Vec<_> = words.collect();
    let Some(command) = of_go::command(&words) else { return Ok(arguments) };
    let line = Line::command();
    let found = command.split(' ').try_fold(&line, |line, word| line.find_subcommand(word));
    let ours = |name: &str| {
        found.is_some_and(|found| {
            let mut arguments = found.get_arguments();
            arguments.any(|one| one.get_long_and_visible_aliases().is_some_and(|all| all.contains(&name)))
        })
    };
    let (left, flags) = of_go::without_flags(command, arguments, ours);
    let flags = flags.into_iter().map(|flag| format!("--{flag}"));
    let variables =
        if of_go::starts(command) { of_go::variables(console.environment, ours) } else { Vec::new() };
    for setting in flags.chain(variables) {
        if of_go::guards(&setting) {
            return Err(Complaint::usage(format!(
                "{command}: {setting} protects the web head of the Go chassis and does nothing here: put a proxy before \
                 it that asks for the password, and remove the setting"
            )));
        }
        let kind = if of_go::starts(command) { "setting" } else { "flag" };
        let instead = of_go::instead(&setting);
        console.note(&format!(
            "{setting} is a {kind} of the Go chassis that this one does not have: ignored{instead}"
        ));
    }
    Ok(left)
}

fn version(console: &mut Console<'_>) -> ExitCode {
    let mut facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "chassis": "txco-rust",
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
    });
    // Only who builds a release knows it: asking git would compile the whole house anew at each commit.
    if let (Some(facts), Some(commit)) = (facts.as_object_mut(), option_env!("TXCO_BUILD_COMMIT")) {
        facts.insert("commit".to_owned(), commit.into());
    }
    let printed = console.print(&facts.to_string());
    console.end(false, printed)
}

#[cfg(test)]
mod tests {
    use super::testing::Played;
    use super::*;

    fn answer(words: &str) -> (ExitCode, String, String) {
        let mut played = Played::default();
        let code = run(words.split_whitespace().map(OsString::from), &mut played.console());
        (code, played.out(), played.err())
    }

    #[test]
    fn usage_is_an_answer() {
        for words in ["txco", "txco help", "txco -h", "txco --help"] {
            let (code, out, err) = answer(words);
            assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""), "{words}");
            assert!(out.contains("Usage: txco"), "{words}: {out}");
        }
        for words in ["txco auth secrets", "txco auth secrets help", "txco auth secrets -h"] {
            let (code, out, _) = answer(words);
            assert_eq!(code, ExitCode::SUCCESS, "{words}");
            assert!(out.contains("txco auth secrets"), "{words}: {out}");
        }
    }

    #[test]
    fn version_is_json() {
        for words in ["txco version", "txco --version", "txco -v"] {
            let (code, out, _) = answer(words);
            let facts: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(
                (code, facts["version"].as_str()),
                (ExitCode::SUCCESS, Some(env!("CARGO_PKG_VERSION")))
            );
        }
    }

    #[test]
    fn what_is_unknown_and_what_comes_later() {
        let (code, _, err) = answer("txco frobnicate");
        assert_eq!(code, ExitCode::from(2));
        assert!(err.starts_with("unknown command \"frobnicate\"\n"), "{err}");
        for (words, said) in [
            ("txco edit", "`txco edit` comes with a later release\n"),
            ("txco auth login", "auth: `txco auth login` comes with a later release\n"),
            ("txco op init a", "op: `op init DIR` of the Go chassis is `txco op new DIR --lang js`\n"),
        ] {
            assert_eq!(answer(words), (ExitCode::from(2), String::new(), said.to_owned()));
        }
        assert_eq!(answer("txco serve --no-such-flag").0, ExitCode::from(2));
    }

    #[test]
    fn help_never_shows_a_variables_value() {
        let (_, out, _) = answer("txco serve --help");
        assert!(out.contains("--secret-master-key-b64"), "{out}");
        assert!(out.contains("[$TXCO_WEB_ADDR, default :8080]"), "{out}");
    }
}
