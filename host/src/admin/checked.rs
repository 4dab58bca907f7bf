//! What is known of a version's rules before they are served: whether they check, which ops and secrets they need.

use chassis::{Chassis, LoadErrors, RuleSet, rule_place};
use model::{StackName, TenantId};
use serde::Serialize;
use serde_json::json;
use store::{Pin, SecretsUse, StackFile, Store};
use txcl::{Color, Diagnostics, Mode};
use vault::Vault;

use super::applied::sources;
use super::error::AdminError;
use super::explain::{self, Ask};
use super::ops::Sources;

/// How rules are taken that somebody applies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checking {
    /// How strictly.
    pub mode: Mode,
    /// What using a secret takes in every tenant; one by itself may want more.
    pub secrets_use: SecretsUse,
}

/// What was found.
pub(crate) struct Checked {
    /// The rules, with their ops; empty when something is wrong.
    pub rules: RuleSet,
    /// What they would be pinned to.
    pub pins: Vec<Pin>,
    /// The rules in their places.
    pub placed: Vec<Placed>,
    /// What is wrong.
    pub errors: Vec<Problem>,
    /// What is let pass.
    pub warnings: Vec<Problem>,
    /// Secrets that rules name and would not get, or that may go anywhere.
    pub secrets: Vec<SecretProblem>,
    /// How many rule files were looked at.
    pub files: usize,
}

/// A rule where it belongs.
pub(crate) struct Placed {
    pub scope: u32,
    pub name: String,
    pub text: String,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The file, below the workspace.
    pub path: String,
    /// What, with line and caret where there is one.
    pub err: String,
    /// `rule`, or `op` for one that is not there.
    #[serde(skip)]
    pub kind: ProblemKind,
}

/// What a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    Rule,
    Op,
}

/// A secret that a rule names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SecretProblem {
    /// The file that names it.
    pub path: String,
    /// The secret.
    pub name: String,
    /// `any_host`, or the code that a request would fail with.
    pub code: &'static str,
    /// Why.
    pub why: String,
}

impl Checking {
    /// Looks at the rules of a version.
    ///
    /// # Errors
    /// [`AdminError::Store`].
    pub(crate) fn check(
        self,
        (store, vault, tenant): (&Store, Option<&Vault>, &TenantId),
        stack: &StackName,
        files: &[StackFile],
        ops: &Sources<'_>,
        chassis: &Chassis,
    ) -> Result<Checked, AdminError> {
        let mut checked = Checked {
            rules: RuleSet::default(),
            pins: Vec::new(),
            placed: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            secrets: Vec::new(),
            files: 0,
        };
        let all = sources(stack, files.to_vec());
        for source in all.iter().filter(|source| source.path.ends_with(".txcl")) {
            checked.files += 1;
            if let Ok(Some(place)) = rule_place(stack, &source.path) {
                let text = source.text.clone();
                checked.placed.push(Placed { scope: place.scope, name: place.name, text });
            }
        }
        checked.errors.extend(files.iter().filter_map(|file| mock_problem(stack, file)));
        let rules = match RuleSet::of_sources(all, self.mode) {
            Ok(rules) => rules,
            Err(errors) => {
                checked.errors.extend(problems(&errors));
                return Ok(checked);
            }
        };
        checked.warnings = rules.let_pass().iter().map(of_file).collect();
        let together = rules.cannot_wait().into_iter().map(|one| Problem {
            err: format!("{}: {}; {}", one.path, one.message, one.hint),
            path: one.path,
            kind: ProblemKind::Rule,
        });
        checked.warnings.extend(together);
        for name in rules.called() {
            checked.pins.extend(ops.pins(&name)?);
        }
        match chassis.bind(rules, ops) {
            Ok(rules) => checked.rules = rules,
            Err(errors) => checked.errors.extend(problems(&errors)),
        }
        checked.secrets = secrets(&checked.rules, vault, (store, chassis), tenant)?;
        Ok(checked)
    }

    /// The rules of a version that was checked before, as far as they can be read.
    pub(super) fn loaded(stack: &StackName, files: &[StackFile]) -> Option<RuleSet> {
        RuleSet::of_sources(sources(stack, files.to_vec()), Mode::Lenient).ok()
    }
}

impl Checked {
    /// Whether it may be served.
    pub(crate) fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    /// Refuses what may not be served.
    ///
    /// # Errors
    /// [`AdminError::InvalidRules`], [`AdminError::UnresolvedOps`].
    pub(super) fn refuse(&self) -> Result<(), AdminError> {
        let told = || json!(self.errors);
        if self.errors.iter().any(|problem| problem.kind == ProblemKind::Rule) {
            Err(AdminError::InvalidRules(told()))
        } else if self.is_good() {
            Ok(())
        } else {
            Err(AdminError::UnresolvedOps(told()))
        }
    }
}

fn problems(errors: &LoadErrors) -> Vec<Problem> {
    let rule = |path: &str, err: String| Problem { path: path.to_owned(), err, kind: ProblemKind::Rule };
    match errors {
        LoadErrors::Misplaced(all) => {
            all.iter().map(|one| rule(&one.path, format!("{}; {}", one.message, one.hint))).collect()
        }
        LoadErrors::Rules(files) => files.iter().map(of_file).collect(),
        LoadErrors::Ops(all) => {
            let op = |one: &chassis::Missing| Problem {
                path: one.place.clone(),
                err: format!("EXEC \"op://{}\": {}", one.op, one.why),
                kind: ProblemKind::Op,
            };
            all.iter().map(op).collect()
        }
        LoadErrors::Empty | LoadErrors::Stack { .. } => vec![rule("OPS", errors.render(Color::Plain))],
    }
}

/// What was found in one file, as it is shown.
fn of_file(file: &Diagnostics) -> Problem {
    let (path, err) = (file.path().to_owned(), file.render(Color::Plain).trim_end().to_owned());
    Problem { path, err, kind: ProblemKind::Rule }
}

/// A mock is JSON.
fn mock_problem(stack: &StackName, file: &StackFile) -> Option<Problem> {
    let is_mock = file.path.ends_with(".json");
    let error = serde_json::from_str::<serde::de::IgnoredAny>(&file.content).err().filter(|_| is_mock)?;
    let path = format!("OPS/{stack}/{}", file.path);
    let err = format!("{path}:{}:{}: not JSON", error.line(), error.column());
    Some(Problem { path, err, kind: ProblemKind::Rule })
}

/// The secrets that a request would not get, and those that may go anywhere; each file's once.
fn secrets(
    rules: &RuleSet,
    vault: Option<&Vault>,
    (store, chassis): (&Store, &Chassis),
    tenant: &TenantId,
) -> Result<Vec<SecretProblem>, AdminError> {
    let mut all: Vec<SecretProblem> = Vec::new();
    for one in rules.references() {
        let (path, name) = (one.file.clone(), one.name.as_str().to_owned());
        if all.iter().any(|known| known.path == path && known.name == name) {
            continue;
        }
        let Some(vault) = vault else {
            let why = "the secret store is off".to_owned();
            all.push(SecretProblem { path, name, code: "secret_store_unavailable", why });
            continue;
        };
        let (stack, purpose) = (Some(one.stack.as_str().to_owned()), Some(one.exec.clone()));
        let ask = Ask { name: name.clone(), stack, purpose };
        let answer = explain::answer(vault, store, chassis, tenant, &ask)?;
        if !answer.allowed {
            all.push(SecretProblem { path, name, code: answer.code, why: answer.why });
        } else if !answer.has_policy {
            let why = "it has no policy: it may go to any host".to_owned();
            all.push(SecretProblem { path, name, code: "any_host", why });
        }
    }
    Ok(all)
}
