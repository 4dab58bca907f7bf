//! `txco dev [DIR]`: a chassis for one workspace, which reloads its rules as they are edited.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use txcl::Color;
use workshop::Surroundings;

use super::output::{Complaint, Console};
use super::passphrase::ask;
use super::project::Project;
use super::serve::{export_metrics, export_spans};
use super::typed::{program, quoted};
use crate::app::{App, Role, Serving};
use crate::config::{Config, Defaults, ServeFlags};
use crate::reload::{OwnOps, Rules, entry};
use crate::telemetry;
use crate::watch::Watch;

/// The arguments of `txco dev`.
#[derive(clap::Args)]
pub(super) struct DevArgs {
    /// A folder of the workspace; the nearest one above it with OPS/ or txco.yaml is taken
    /// [default: the current folder]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    chassis: ServeFlags,
}

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(args: DevArgs, console: &mut Console<'_>) -> ExitCode {
    let served = dev(args, console).map_err(|complaint| complaint.of("dev"));
    console.end(false, served)
}

fn dev(mut args: DevArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let asked = match (args.dir, args.chassis.workspace.pop()) {
        (Some(_), Some(_)) => return Err(Complaint::usage("give DIR or --workspace, not both")),
        (Some(dir), None) => dir,
        (None, Some(dir)) => PathBuf::from(dir),
        (None, None) => PathBuf::from("."),
    };
    let workspace = workspace(&asked)?;
    let config = Config::read(args.chassis, console.environment, &defaults(&workspace))
        .map_err(|error| Complaint::usage(error.to_string()))?;
    telemetry::start(config.log_level, config.logger, console.environment);
    let color = if console.color { Color::Coloured } else { Color::Plain };
    let surroundings = Surroundings::read(|name| console.environment.variable(name));
    // Without a home nothing can be built: ops that are called must have been pushed.
    let own_ops = surroundings.map_or(OwnOps::Pushed, OwnOps::Built);
    let mode = config.rule_mode.mode();
    let operations = Project::read(&workspace)?.operations();
    let rules = Rules { workspace, stack: config.stack.clone(), mode, color, own_ops, operations };
    if let Err(error) = ignore_state(&rules.workspace) {
        tracing::warn!(%error, ".gitignore not written: keep .txco/ out of version control");
    }
    // Watched before they are read, so that no edit falls in between.
    let watch = Watch::start(&rules.workspace)
        .map_err(|error| Complaint::failed(format!("cannot watch {}: {error}", rules.workspace.display())))?;
    let app = App::boot_asking(config, Role::Dev, &mut |path| ask(console, path))
        .map_err(|error| Complaint::failed(error.to_string()))?;
    let loaded = rules.renew(app.ops(), console.err);
    let serving_what = match &loaded {
        Ok(set) => format!("stack {}, {} rules", entry(set), set.rules()),
        Err(told) => {
            console.note(told.trim_end());
            "no rules yet: mend what is said above".to_owned()
        }
    };
    let ops = app.ops().clone();
    export_spans(console.environment, &app);
    let served = app.serve_until_signal(|serving| {
        export_metrics(console.environment, serving);
        greet(console, &rules, &serving_what, serving);
        serving.spawn(rules.on_change(ops, watch, io::stderr()));
    });
    served.map_err(|error| Complaint::failed(error.to_string()))
}

fn greet(console: &mut Console<'_>, rules: &Rules, what: &str, serving: &Serving) {
    console.note(&format!(
        "\n  {}  ({what}; reloaded as you edit)\n\n  events  http://{}\n  admin   http://{}\n  then    {} trace last --trace-dir {}\n",
        rules.workspace.display(),
        serving.web_address(),
        serving.admin_address(),
        program(),
        quoted(&rules.workspace.join(STATE).join("trace").to_string_lossy()),
    ));
}

/// What the chassis of a workspace keeps, below the workspace.
const STATE: &str = ".txco/dev";
/// What `.gitignore` says about it.
const IGNORED: &str = ".txco/";

/// The nearest folder at or above `dir` with `OPS/` or `txco.yaml`.
pub(super) fn workspace(dir: &Path) -> Result<PathBuf, Complaint> {
    let dir = dir
        .canonicalize()
        .map_err(|error| Complaint::failed(format!("cannot open {}: {error}", dir.display())))?;
    let found =
        dir.ancestors().find(|folder| folder.join("OPS").is_dir() || folder.join("txco.yaml").is_file());
    found.map(Path::to_owned).ok_or_else(|| {
        Complaint::failed(format!(
            "neither {} nor a folder above it has OPS/ or txco.yaml; to start a workspace here:\n\
             \x20 mkdir -p OPS/hello/100\n\
             \x20 echo 'EMIT .hello = \"world\"' > OPS/hello/100/hello.txcl\n\
             \x20 txco dev",
            dir.display()
        ))
    })
}

/// What differs from `txco serve`: all state below the workspace, heads on loopback, every
/// address reachable, every request traced.
pub(super) fn defaults(workspace: &Path) -> Defaults {
    let state = workspace.join(STATE);
    let below = |name: &str| state.join(name).display().to_string();
    vec![
        ("web-addr", "127.0.0.1:8080".to_owned()),
        ("admin-addr", "127.0.0.1:8081".to_owned()),
        ("db-root-dir", below("db")),
        ("secret-master-key", key(&state).display().to_string()),
        ("cache-dir", below("cache/ops")),
        ("trace-mode", "full".to_owned()),
        ("trace-dir", below("trace")),
        ("egress-policy", "open".to_owned()),
    ]
}

/// The runbook's key file, or the one an older chassis left there (R15).
fn key(state: &Path) -> PathBuf {
    let documented = state.join("secrets/txco-dev-master.key");
    let older = state.join("secrets/txco-master.key");
    if !documented.exists() && older.exists() { older } else { documented }
}

/// Keeps the state out of version control: the line is added where no `.gitignore` of the
/// workspace or above it, up to the repository's root, has it already.
fn ignore_state(workspace: &Path) -> io::Result<()> {
    for folder in workspace.ancestors() {
        let said = fs::read_to_string(folder.join(".gitignore")).unwrap_or_default();
        if said.lines().any(|line| matches!(line.trim(), ".txco/" | ".txco" | "**/.txco/" | "**/.txco")) {
            return Ok(());
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    let path = workspace.join(".gitignore");
    let unfinished = fs::read(&path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(format!("{}{IGNORED}\n", if unfinished { "\n" } else { "" }).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_workspace_is_found() {
        let root = tempfile::tempdir().unwrap();
        let outer = root.path().canonicalize().unwrap();
        let inner = outer.join("a/b");
        fs::create_dir_all(inner.join("OPS/shop/100")).unwrap();
        fs::write(outer.join("txco.yaml"), "").unwrap();
        assert_eq!(workspace(&inner.join("OPS/shop/100")).unwrap(), inner);
        assert_eq!(workspace(&inner).unwrap(), inner);
        assert_eq!(workspace(&outer.join("a")).unwrap(), outer);
    }

    #[test]
    fn without_a_workspace_nothing_is_written_and_an_example_is_shown() {
        let root = tempfile::tempdir().unwrap();
        let complaint = workspace(root.path()).unwrap_err();
        assert_eq!(complaint.code, 1);
        let lines: Vec<&str> = complaint.message.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "mkdir -p OPS/hello/100",
                "echo 'EMIT .hello = \"world\"' > OPS/hello/100/hello.txcl",
                "txco dev"
            ]
        );
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert_eq!(workspace(&root.path().join("nowhere")).unwrap_err().code, 1);
    }

    #[test]
    fn an_older_key_is_used_only_when_there_is_no_other() {
        let root = tempfile::tempdir().unwrap();
        let secrets = root.path().join("secrets");
        let documented = secrets.join("txco-dev-master.key");
        assert_eq!(key(root.path()), documented);
        fs::create_dir(&secrets).unwrap();
        fs::write(secrets.join("txco-master.key"), "x").unwrap();
        assert_eq!(key(root.path()), secrets.join("txco-master.key"));
        fs::write(&documented, "x").unwrap();
        assert_eq!(key(root.path()), documented);
    }

    #[test]
    fn everything_stays_below_the_workspace() {
        for (flag, value) in defaults(Path::new("/w")) {
            if flag.ends_with("dir") || flag.ends_with("key") {
                assert!(value.starts_with("/w/.txco/dev/"), "{flag} = {value}");
            }
        }
    }

    #[test]
    fn state_is_ignored_once() {
        let root = tempfile::tempdir().unwrap();
        let ignore = root.path().join(".gitignore");
        ignore_state(root.path()).unwrap();
        assert_eq!(fs::read_to_string(&ignore).unwrap(), ".txco/\n");
        ignore_state(root.path()).unwrap();
        assert_eq!(fs::read_to_string(&ignore).unwrap(), ".txco/\n");
        fs::write(&ignore, "target").unwrap();
        ignore_state(root.path()).unwrap();
        assert_eq!(fs::read_to_string(&ignore).unwrap(), "target\n.txco/\n");
    }

    #[test]
    fn a_line_above_is_enough_inside_one_repository() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("repo/.git")).unwrap();
        let workspace = root.path().join("repo/shop");
        fs::create_dir(&workspace).unwrap();
        fs::write(root.path().join(".gitignore"), ".txco/\n").unwrap();
        ignore_state(&workspace).unwrap();
        assert!(workspace.join(".gitignore").exists(), "the line outside the repository does not count");
        fs::remove_file(workspace.join(".gitignore")).unwrap();
        fs::write(root.path().join("repo/.gitignore"), ".txco/\n").unwrap();
        ignore_state(&workspace).unwrap();
        assert!(!workspace.join(".gitignore").exists());
    }
}
