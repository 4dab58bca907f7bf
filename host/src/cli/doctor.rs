//! `txco doctor [WORKSPACE]`: whether rules, chassis and secrets fit together, before a request finds out.

mod standing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chassis::{LoadErrors, Operations, Reference, RuleSet};
use serde_json::{Value, json};
use txcl::{Color, Mode};

use super::client;
use super::dev::workspace;
use super::output::{Complaint, Console};
use super::project::Project;
use super::target::{Target, TenantFlags};

/// How many questions the chassis answers at once.
const AT_ONCE: usize = 500;

/// The arguments of `txco doctor`.
#[derive(clap::Args)]
pub(super) struct DoctorArgs {
    /// The workspace whose rules are looked at [default: the one around here]
    #[arg(value_name = "WORKSPACE")]
    path: Option<PathBuf>,
    /// Look at the workspace only, and ask no chassis
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tenant: TenantFlags,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Fine,
    Odd,
    Bad,
}

impl Mark {
    const fn sign(self) -> &'static str {
        match self {
            Self::Fine => "✓",
            Self::Odd => "⚠",
            Self::Bad => "✗",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Odd => "warning",
            Self::Bad => "error",
        }
    }
}

/// One finding.
struct Finding {
    section: &'static str,
    mark: Mark,
    text: String,
}

/// Looks; exits with 1 when something is wrong.
pub(super) fn run(args: &DoctorArgs, console: &mut Console<'_>) -> ExitCode {
    let examined = examine(args, console).map_err(|complaint| complaint.of("doctor"));
    console.end(args.json, examined)
}

fn examine(args: &DoctorArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let mut found = Vec::new();
    let references = rules(args, &mut found);
    if !args.offline {
        ask(args, &references, console, &mut found)?;
    }
    let bad = found.iter().any(|one| one.mark == Mark::Bad);
    if args.json {
        let all: Vec<_> = found
            .iter()
            .map(|one| json!({ "section": one.section, "status": one.mark.word(), "text": one.text }))
            .collect();
        console.print(&json!({ "ok": !bad, "checks": all }).to_string())?;
    } else {
        console.print(&told(&found))?;
    }
    if bad { Err(Complaint::silent()) } else { Ok(()) }
}

/// The rules of the workspace, and where they name secrets.
fn rules(args: &DoctorArgs, found: &mut Vec<Finding>) -> Vec<Reference> {
    let mut say = |mark, text| found.push(Finding { section: "Rules", mark, text });
    let path = match workspace(args.path.as_deref().unwrap_or_else(|| Path::new("."))) {
        Ok(path) => path,
        Err(complaint) => {
            say(Mark::Odd, complaint.message);
            return Vec::new();
        }
    };
    let operations = match Project::read(&path) {
        Ok(project) => project.operations(),
        Err(complaint) => {
            say(Mark::Bad, complaint.message);
            return Vec::new();
        }
    };
    match load(&path, &operations) {
        Ok(rules) => {
            let references = rules.references();
            let (rules, files, named) = (rules.rules(), rules.files(), references.len());
            say(Mark::Fine, format!("{rules} rules in {files} files, which name secrets at {named} places"));
            references
        }
        Err(errors) => {
            say(Mark::Bad, errors.render(Color::Plain).trim_end().to_owned());
            Vec::new()
        }
    }
}

/// Which stack events enter makes no difference here: each may be the one.
fn load(workspace: &Path, operations: &Operations) -> Result<RuleSet, LoadErrors> {
    match RuleSet::load_with(operations, workspace, None, Mode::Strict) {
        Err(LoadErrors::Stack { asked: None, found }) => {
            RuleSet::load_with(operations, workspace, found.first(), Mode::Strict)
        }
        loaded => loaded,
    }
}

/// What the chassis would say to every reference.
fn ask(
    args: &DoctorArgs,
    references: &[Reference],
    console: &Console<'_>,
    found: &mut Vec<Finding>,
) -> Result<(), Complaint> {
    let target = Target::choose(&args.tenant.chassis, None, console.environment)?;
    target.may_read()?;
    if !standing::of_chassis(&target, args.tenant.chassis.is_named(), found) {
        return Ok(());
    }
    let tenant = client::encoded(&args.tenant.slug(console.environment));
    standing::of_tenant(&target, &tenant, found);
    let mut say = |section, mark, text| found.push(Finding { section, mark, text });
    let path = format!("/v1/tenants/{tenant}/explain");
    let mut fine = 0;
    for some in references.chunks(AT_ONCE) {
        let asks: Vec<_> = some
            .iter()
            .map(|one| json!({ "name": one.name.as_str(), "stack": one.stack.as_str(), "for": one.exec }))
            .collect();
        let reply = match client::call(&target, "POST", &path, Some(&json!({ "asks": asks }))) {
            Ok(reply) => reply,
            Err(complaint) => {
                say("Secrets", Mark::Bad, complaint.message);
                return Ok(());
            }
        };
        let answers =
            reply.body.get("answers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (reference, answer) in some.iter().zip(answers) {
            match judged(reference, answer) {
                None => fine += 1,
                Some((mark, text)) => say("Secrets", mark, text),
            }
        }
    }
    if fine > 0 {
        say("Secrets", Mark::Fine, format!("{fine} of {} places get what they name", references.len()));
    }
    Ok(())
}

/// What is wrong with one reference, if anything.
fn judged(reference: &Reference, answer: &Value) -> Option<(Mark, String)> {
    let Reference { file, stack, name, slot, exec, .. } = reference;
    let place = format!("{file}: secrets.{slot} of {exec:?}");
    let text = |member: &str| answer.get(member).and_then(Value::as_str).unwrap_or_default();
    let is = |member: &str| answer.get(member).and_then(Value::as_bool) == Some(true);
    if !is("allowed") {
        let remedy = match text("code") {
            "secret_not_found" => format!("; txco auth tenant secrets set {name}"),
            "secret_denied" => format!("; txco auth tenant secrets policy {name} says what is allowed"),
            _ => String::new(),
        };
        return Some((Mark::Bad, format!("{place}: {name} in stack {stack}: {}{remedy}", text("why"))));
    }
    if is("has_policy") {
        return None;
    }
    let bound =
        if exec.starts_with("http") { "--allow-host …".to_owned() } else { format!("--allow-op {exec}") };
    let remedy = format!("txco auth tenant secrets policy {name} {bound} binds it");
    Some((Mark::Odd, format!("{place}: {name}: any host; {remedy}")))
}

fn told(found: &[Finding]) -> String {
    let mut text = String::new();
    let mut section = "";
    for one in found {
        if one.section != section {
            section = one.section;
            text.push_str(&format!("{section}\n"));
        }
        text.push_str(&format!("  {} {}\n", one.mark.sign(), one.text.replace('\n', "\n    ")));
    }
    text.trim_end().to_owned()
}
