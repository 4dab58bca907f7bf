//! `txco op test`: fixtures run in the sandbox of a chassis, with its limits, a fixed clock and fixed randomness; or one call with what lies beside a file.

use std::path::PathBuf;

use model::{Path, Reach};
use sandbox::Limits;
use serde_json::{Value, json};

use super::fixture::{Expected, Fixture, Outcome};
use super::place::{Component, Place, sandbox};
use super::rehearsal::{Answer, Failed, Kind, Rehearsal, missing, needs_allow};
use super::run::{CallFlags, call};
use crate::cli::output::{Complaint, Console};

/// Flags of `txco op test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The op's folder, whose fixtures are run; or a component or a rule: its op is called with mock-request.json
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    call: CallFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Runs every fixture with every build it is about.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    if flags.path.is_file() {
        return call(&flags.path, &flags.call, flags.json, console);
    }
    if flags.call != CallFlags::default() {
        let why = "what an op is called with stands in its fixtures; `txco op run` calls it with these flags";
        return Err(Complaint::usage(why));
    }
    let fixtures = Fixture::all(&flags.path)?;
    let place = Place::at(&flags.path, console)?;
    let limits = Limits::default();
    let (mut records, mut failed) = (Vec::new(), 0);
    for fixture in fixtures {
        let builds: Vec<_> = place
            .components
            .iter()
            .filter(|one| fixture.delivery.is_none_or(|d| d == one.delivery))
            .collect();
        if builds.is_empty() {
            let delivery = fixture.delivery.map_or("", model::Delivery::word);
            return Err(Complaint::failed(format!("{}: the op has no {delivery} build", fixture.name)));
        }
        if let Some(slot) = missing(&place.manifest, &fixture.secrets).first() {
            return Err(Complaint::failed(format!("{}: [secrets] has no value for {slot}", fixture.name)));
        }
        let rehearsal = Rehearsal::new(
            sandbox(&limits, console.environment)?,
            fixture.secrets.clone(),
            fixture.allow.and_then(|class| place.policy(class)).as_ref(),
        )?;
        for component in builds {
            let verdict = try_one(&rehearsal, &fixture, component, &place)?;
            let name = format!("{} ({})", fixture.name, component.delivery);
            failed += u32::from(verdict.is_err());
            if !flags.json {
                match &verdict {
                    Ok(()) => console.print(&format!("ok      {name}"))?,
                    Err(why) => console.print(&format!("FAILED  {name}\n{why}"))?,
                }
            }
            records.push(json!({
                "fixture": fixture.name, "delivery": component.delivery.word(), "passed": verdict.is_ok(), "why": verdict.err(),
            }));
        }
    }
    if flags.json {
        console.print(&json!({ "tests": records }).to_string())?;
    }
    match failed {
        0 => Ok(()),
        _ if flags.json => Err(Complaint::silent()),
        1 => Err(Complaint::failed("1 fixture failed")),
        many => Err(Complaint::failed(format!("{many} fixtures failed"))),
    }
}

/// Whether the op does what the fixture says; what it did instead otherwise.
fn try_one(
    rehearsal: &Rehearsal,
    fixture: &Fixture,
    component: &Component,
    place: &Place,
) -> Result<Result<(), String>, Complaint> {
    let op = rehearsal.op(component)?;
    let answer = rehearsal.call(&op, &fixture.scene)?.map_err(|Failed { error, log }| (error, log));
    Ok(match (&fixture.outcome, answer) {
        (Outcome::Fields(expected), Ok(answer)) => compared(expected, &answer, fixture, place),
        (Outcome::Failure(expected), Err((sandbox::Error::Failed { code, message }, _))) => {
            let right = code == expected.code
                && expected.message.as_deref().is_none_or(|part| message.contains(part));
            if right { Ok(()) } else { Err(format!("  it failed with {code}: {message}")) }
        }
        (Outcome::Fault(expected), Err((error, _))) if error.failure().fault.code() == expected => Ok(()),
        (_, Ok(answer)) => Err(format!("  it answered\n{}", listed(&answer))),
        (_, Err((error, log))) => {
            let said = log.iter().map(|line| format!("\n  log: {line}"));
            let remedy =
                needs_allow(&error).map(|class| format!("; `allow = \"{class}\"` in the fixture says so"));
            let (code, remedy) = (error.failure().fault.code(), remedy.unwrap_or_default());
            Err(format!("  {code} ({error}{remedy}){}", said.collect::<String>()))
        }
    })
}

fn compared(expected: &[Expected], answer: &Answer, fixture: &Fixture, place: &Place) -> Result<(), String> {
    let wrong = || Err(format!("  it answered\n{}", listed(answer)));
    if expected.len() != answer.fields.len() {
        return wrong();
    }
    let param = |name: &str| fixture.scene.text(name);
    for one in expected {
        let path = Path::parse_sugared(&one.path).map_err(|e| format!("  expect {:?}: {e}", one.path))?;
        let Some((_, kind, value)) = answer.fields.iter().find(|(at, ..)| *at == path) else {
            return wrong();
        };
        if *value != one.value {
            return wrong();
        }
        let Some(class) = one.class else { continue };
        let sealed = (class == model::Class::Credential) == (*kind == Kind::Credential);
        if !sealed || !place.manifest.allows(&path, class, Reach::Below, param) {
            return Err(format!("  {} is no {}", one.path, class.word()));
        }
    }
    Ok(())
}

/// An answer as a fixture would say it.
pub(super) fn listed(answer: &Answer) -> String {
    let one = |(path, kind, value): &(Path, Kind, Value)| {
        let class = if *kind == Kind::Credential { "\n  class = \"credential\"" } else { "" };
        format!("  [[expect]]\n  path = \"{path}\"\n  value = {value}{class}")
    };
    let fields: Vec<_> = answer.fields.iter().map(one).collect();
    if fields.is_empty() { "  nothing".to_owned() } else { fields.join("\n") }
}
