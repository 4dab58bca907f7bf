//! `txco lint [--lenient] [--json] [PATHS]`: everything that is wrong with rules, without running them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chassis::{Lint, Misplaced, Operations, RulePlace, rule_place, sources};
use serde_json::{Value, json};
use txcl::{Color, Mode, RuleFile, Severity};

use super::dev::workspace;
use super::output::{Complaint, Console};
use super::project::Project;
use super::rule_files::{below, name, read};

/// The arguments of `txco lint`.
#[derive(Debug, clap::Args)]
pub(super) struct LintArgs {
    /// Workspaces, rule files, and folders with all rule files below [default: the workspace
    /// around here]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Take what the Go chassis lets pass, and say what that was
    #[arg(long)]
    lenient: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only list the rules of workspaces, as STACK/SCOPE/NAME
    #[arg(long, conflicts_with_all = ["json", "lenient"])]
    list: bool,
}

/// Checks; exits with 1 when there is an error.
pub(super) fn run(args: &LintArgs, console: &mut Console<'_>) -> ExitCode {
    let linted = lint(args, console).map_err(|complaint| complaint.of("lint"));
    console.end(args.json, linted)
}

fn lint(args: &LintArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let mode = if args.lenient { Mode::Lenient } else { Mode::Strict };
    let paths = match args.paths.as_slice() {
        [] => vec![workspace(Path::new("."))?],
        paths => paths.to_vec(),
    };
    let (workspaces, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(|p| p.join("OPS").is_dir());
    if args.list {
        return list(&workspaces, console);
    }
    let mut found = Lint::default();
    for workspace in workspaces {
        let operations = Project::read(&workspace)?.operations();
        found.append(Lint::of_workspace(&workspace, mode, &operations));
    }
    for path in below(&others)? {
        let (text, shown) = (read(&path)?, path.display().to_string());
        found.append(Lint::of_file(&RuleFile { path: &shown, name: &name(&path), text: &text }, mode));
    }
    let (errors, warnings) = (found.count(Severity::Error), found.count(Severity::Warning));
    if args.json {
        console.print(&format!("{:#}", as_json(&found, errors, warnings)))?;
    } else {
        let color = if console.color { Color::Coloured } else { Color::Plain };
        if !found.is_empty() {
            console.note(found.render(color).trim_end());
        }
        console.print(&format!("{} files, {errors} errors, {warnings} warnings", found.files))?;
    }
    if errors > 0 { Err(Complaint::silent()) } else { Ok(()) }
}

/// The rules of workspaces, each file by where it stands.
fn list(workspaces: &[PathBuf], console: &mut Console<'_>) -> Result<(), Complaint> {
    let complaint = |all: Vec<Misplaced>| {
        let all = all.iter().map(|one| format!("{}: {}", one.path, one.message));
        Complaint::failed(all.collect::<Vec<_>>().join("\n"))
    };
    for workspace in workspaces {
        for source in sources(workspace, &Operations::default()).map_err(complaint)? {
            let place = rule_place(&source.stack, &source.path).map_err(|one| complaint(vec![one]))?;
            if let Some(RulePlace { scope, name }) = place {
                console.print(&format!("{}/{scope}/{name}", source.stack))?;
            }
        }
    }
    Ok(())
}

fn as_json(found: &Lint, errors: usize, warnings: usize) -> Value {
    let misplaced = found.misplaced.iter().map(|m| in_no_line(m, Severity::Error));
    let flow = found.flow.iter().map(|m| in_no_line(m, Severity::Warning));
    let findings = found.findings.iter().filter_map(|d| d.to_json().as_array().cloned()).flatten();
    let all: Vec<Value> = misplaced.chain(findings).chain(flow).collect();
    json!({ "files": found.files, "errors": errors, "warnings": warnings, "findings": all })
}

fn in_no_line(what: &Misplaced, severity: Severity) -> Value {
    json!({ "path": what.path, "severity": severity.as_str(), "line": null, "column": null,
            "message": what.message, "hint": what.hint })
}
