//! `txco op run`: one call of an op, with secrets from a prompt, a descriptor or a variable, and everything it says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use jiff::Timestamp;
use sandbox::{Limits, Randomness};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::place::{Place, sandbox};
use super::rehearsal::{Failed, Kind, Rehearsal, Scene, envelope, missing, value_of};
use crate::cli::output::{Complaint, Console};
use crate::cli::prompt::read_whole;
use model::Delivery;

/// The largest secret, as the chassis has it.
const MOST_SECRET: usize = vault::MAX_VALUE_BYTES;
/// The largest input that is read.
const MOST_INPUT: u64 = 32 << 20;

/// Flags of `txco op run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// An op's folder, or a component
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// The envelope the op is called with: JSON, or @FILE
    #[arg(long, value_name = "JSON", default_value = "{}")]
    input: String,
    /// The body as it is received, byte for byte: a file
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A parameter; JSON, or else text
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Read the secret of a slot from an open descriptor. Slots without a source are asked for
    #[arg(long, value_name = "SLOT=N")]
    secret_fd: Vec<String>,
    /// Take the secret of a slot from a variable
    #[arg(long, value_name = "SLOT=VARIABLE")]
    secret_env: Vec<String>,
    /// Which build: reveal or use [default: the one that reveals, when there is one]
    #[arg(long, value_name = "DELIVERY")]
    delivery: Option<String>,
}

/// Calls it.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let delivery = flags.delivery.as_deref().map(|word| {
        Delivery::parse(word)
            .ok_or_else(|| Complaint::usage(format!("--delivery {word}: expected reveal or use")))
    });
    let delivery = delivery.transpose()?;
    let params = params(&flags.param)?;
    let scene = Scene {
        now: Timestamp::now(),
        params: value_of(&params.into()).map_err(Complaint::usage)?,
        envelope: input(flags)?,
        randomness: Randomness::System,
    };
    let place = Place::at(&flags.path, console)?;
    let component = place.components.iter().find(|one| delivery.is_none_or(|wanted| wanted == one.delivery));
    let component = component.ok_or_else(|| Complaint::failed("the op has no such build"))?;
    let secrets = secrets(flags, &place, console)?;
    let rehearsal = Rehearsal::new(sandbox(&Limits::default(), console.environment)?, secrets)?;
    let op = rehearsal.op(component)?;
    let answer = match rehearsal.call(&op, &scene)? {
        Ok(answer) => answer,
        Err(Failed { error, log }) => {
            log.iter().for_each(|line| console.note(&format!("log: {line}")));
            return Err(Complaint::failed(format!("{}: {error}", error.failure().fault.code())));
        }
    };
    for line in &answer.log {
        console.note(&format!("log: {line}"));
    }
    let fields = answer.fields.iter().map(|(path, kind, value)| {
        let class = match kind {
            Kind::Credential => "credential",
            Kind::Plain => "plain",
        };
        (path.to_string(), json!({ "class": class, "value": value }))
    });
    let fields: Map<String, Value> = fields.collect();
    console.print(&serde_json::to_string_pretty(&fields).unwrap_or_default())
}

fn params(typed: &[String]) -> Result<Map<String, Value>, Complaint> {
    let one = |text: &String| {
        let (name, value) = pair(text, "--param NAME=VALUE")?;
        Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
    };
    typed.iter().map(one).collect()
}

fn pair<'t>(text: &'t str, form: &str) -> Result<(&'t str, &'t str), Complaint> {
    // The text is not repeated: somebody may have put a secret there.
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Complaint::usage(format!("expected {form}")))
}

fn input(flags: &Flags) -> Result<model::Envelope, Complaint> {
    let read = |path: &std::path::Path| {
        let cannot = |e: std::io::Error| Complaint::failed(format!("cannot read {}: {e}", path.display()));
        let mut text = String::new();
        File::open(path).and_then(|file| file.take(MOST_INPUT).read_to_string(&mut text)).map_err(cannot)?;
        Ok(text)
    };
    let text = match flags.input.strip_prefix('@') {
        Some(path) => read(path.as_ref())?,
        None => flags.input.clone(),
    };
    let json: Value = serde_json::from_str(&text).map_err(|e| Complaint::usage(format!("--input: {e}")))?;
    let raw = flags.body.as_deref().map(read).transpose()?;
    envelope(&json, raw.as_deref())
}

/// Each slot's secret from its source; what has none is asked for, or left out when the op
/// can do without.
fn secrets(
    flags: &Flags,
    place: &Place,
    console: &mut Console<'_>,
) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Complaint> {
    let mut secrets = BTreeMap::new();
    for text in &flags.secret_fd {
        let (slot, number) = pair(text, "--secret-fd SLOT=N")?;
        let number: u32 = number.parse().map_err(|_| Complaint::usage("expected --secret-fd SLOT=N"))?;
        let cannot = |e: std::io::Error| Complaint::failed(format!("cannot read descriptor {number}: {e}"));
        let mut file = File::open(format!("/dev/fd/{number}")).map_err(cannot)?;
        secrets.insert(slot.to_owned(), trimmed(read_whole(&mut file, MOST_SECRET).map_err(cannot)?));
    }
    for text in &flags.secret_env {
        let (slot, name) = pair(text, "--secret-env SLOT=VARIABLE")?;
        let value = console.environment.variable(name);
        let value = value.ok_or_else(|| Complaint::failed(format!("the variable {name} is not set")))?;
        secrets.insert(slot.to_owned(), Zeroizing::new(value.into_bytes()));
    }
    if let Some(unknown) = secrets.keys().find(|slot| !place.manifest.slots.contains_key(*slot)) {
        let slots: Vec<_> = place.manifest.slots.keys().map(String::as_str).collect();
        return Err(Complaint::usage(format!("the op has no slot {unknown}; it has: {}", slots.join(", "))));
    }
    let asked: Vec<String> = missing(&place.manifest, &secrets).into_iter().map(str::to_owned).collect();
    for slot in asked {
        if !console.input.is_terminal() {
            return Err(Complaint::failed(format!(
                "slot {slot} needs a secret: --secret-fd {slot}=N, --secret-env {slot}=VARIABLE, or a terminal to type it"
            )));
        }
        let prompt = format!("secret for slot {slot}: ");
        let value = console.input.hidden(&prompt, MOST_SECRET, console.err);
        secrets.insert(slot, value.map_err(|e| Complaint::failed(e.to_string()))?);
    }
    Ok(secrets)
}

/// Without the one newline that a pipe's last command adds.
fn trimmed(mut value: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if value.last() == Some(&b'\n') {
        value.pop();
    }
    value
}
