//! `txco op run`: one call of an op, with secrets from a prompt, a descriptor or a variable, and everything it says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sandbox::{Limits, Randomness};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::mocks::Mocks;
use super::place::{Place, sandbox};
use super::rehearsal::{Failed, Kind, Rehearsal, Scene, envelope, missing, needs_allow};
use crate::cli::output::{Complaint, Console};
use crate::cli::prompt::{Unanswered, read_whole};
use model::{Class, Delivery, Reach};

/// The largest secret, as the chassis has it.
const MOST_SECRET: usize = vault::MAX_VALUE_BYTES;
/// The largest input that is read.
const MOST_INPUT: u64 = 32 << 20;

/// Flags of `txco op run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// An op's folder, a component, or a rule that calls the op beside it
    #[arg(value_name = "PATH", default_value = ".")]
    pub(super) path: PathBuf,
    #[command(flatten)]
    pub(super) call: CallFlags,
    /// Print JSON: the fields and the log
    #[arg(long)]
    pub(super) json: bool,
}

/// What one call of an op is given.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub(crate) struct CallFlags {
    /// The envelope the op is called with: JSON, or @FILE [default: mock-request.json beside it, whose answer is compared
    /// with mock-response.json, or else {}]
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// The body as it is received, byte for byte: a file
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A parameter; JSON, or else text
    #[arg(long, alias = "env", value_name = "NAME=VALUE")]
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
    /// What the secrets let the op return after it was shown them: digest or data, as their
    /// `--allow-op op://NAME:digest` would [default: credentials only]
    #[arg(long, value_name = "CLASS")]
    allow: Option<String>,
}

/// Calls it.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    call(&flags.path, &flags.call, flags.json, console)
}

/// Calls the op at `path`, and compares the answer when its scope says what it must be.
pub(super) fn call(
    path: &Path,
    flags: &CallFlags,
    json: bool,
    console: &mut Console<'_>,
) -> Result<(), Complaint> {
    let delivery = flags.delivery.as_deref().map(|word| {
        Delivery::parse(word)
            .ok_or_else(|| Complaint::usage(format!("--delivery {word}: expected reveal or use")))
    });
    let delivery = delivery.transpose()?;
    let allow = flags.allow.as_deref().map(|word| {
        let class = Class::parse(word).filter(|class| *class != Class::Credential);
        class.ok_or_else(|| Complaint::usage(format!("--allow {word}: expected digest or data")))
    });
    let allow = allow.transpose()?;
    let params = params(&flags.param)?;
    let mocks = Mocks::of(path, console);
    let request = if flags.input.is_none() && flags.body.is_none() { mocks.request() } else { None };
    let scene = Scene {
        now: Timestamp::now(),
        params: Value::from(params).into(),
        envelope: input(flags, request.as_deref())?,
        randomness: Randomness::System,
    };
    let place = Place::at(path, console)?;
    let component = place.components.iter().find(|one| delivery.is_none_or(|wanted| wanted == one.delivery));
    let component = component.ok_or_else(|| {
        let builds = place.components.iter().map(|one| one.delivery.word()).collect::<Vec<_>>();
        Complaint::usage(format!("the op has no such build; it has: {}", builds.join(", ")))
    })?;
    known(&place, &scene.params)?;
    let secrets = secrets(flags, &place, console)?;
    let policy = allow.and_then(|class| place.policy(class));
    let sandbox = sandbox(&Limits::default(), console.environment)?;
    let rehearsal = Rehearsal::new(sandbox, secrets, policy.as_ref())?;
    let op = rehearsal.op(component)?;
    let answer = match rehearsal.call(&op, &scene)? {
        Ok(answer) => answer,
        Err(Failed { error, log }) => {
            log.iter().for_each(|line| console.note(&format!("log: {line}")));
            let remedy =
                needs_allow(&error).map(|class| format!("\n--allow {class} calls it as if they did"));
            let code = error.failure().fault.code();
            return Err(Complaint::failed(format!("{code}: {error}{}", remedy.unwrap_or_default())));
        }
    };
    let log = if json { &[][..] } else { &answer.log };
    for line in log {
        console.note(&format!("log: {line}"));
    }
    let fields = answer.fields.iter().map(|(path, kind, value)| {
        (path.to_string(), json!({ "class": class(&place, &scene, path, *kind), "value": value }))
    });
    let fields: Map<String, Value> = fields.collect();
    let compared = match request {
        Some(_) => mocks.compare(&answer, console),
        None => Ok(()),
    };
    if json {
        compared?;
        let whole = json!({ "fields": fields, "log": answer.log, "log_dropped": answer.log_dropped });
        return console.print(&whole.to_string());
    }
    console.print(&serde_json::to_string_pretty(&fields).unwrap_or_default())?;
    compared
}

/// The class of a field, as the op declares it; plain where it declares none, as who was shown no secret may.
fn class(place: &Place, scene: &Scene, path: &model::Path, kind: Kind) -> &'static str {
    if kind == Kind::Credential {
        return Class::Credential.word();
    }
    let declared = |class: &Class| place.manifest.allows(path, *class, Reach::Below, |name| scene.text(name));
    [Class::Digest, Class::Data].into_iter().find(declared).map_or("plain", Class::word)
}

/// Whether the op declares every parameter, as a chassis asks of a rule.
fn known(place: &Place, params: &model::Value) -> Result<(), Complaint> {
    let declared = &place.manifest.params;
    let given = params.as_object().into_iter().flat_map(|params| params.keys());
    let Some(unknown) = given.into_iter().find(|name| !declared.contains_key(name.as_str())) else {
        return Ok(());
    };
    let names: Vec<_> = declared.keys().map(String::as_str).collect();
    let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(Complaint::usage(format!("the op has no parameter {unknown}; it has: {has}")))
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

fn input(flags: &CallFlags, mock: Option<&Path>) -> Result<model::Envelope, Complaint> {
    let read = |path: &Path| {
        let cannot =
            |e: &dyn std::fmt::Display| Complaint::failed(format!("cannot read {}: {e}", path.display()));
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|e| cannot(&e))?;
        file.take(MOST_INPUT + 1).read_to_end(&mut bytes).map_err(|e| cannot(&e))?;
        if bytes.len() as u64 > MOST_INPUT {
            return Err(cannot(&format!("it has more than {MOST_INPUT} bytes")));
        }
        Ok(bytes)
    };
    let typed = flags.input.as_deref().unwrap_or("{}");
    let text = match mock.or_else(|| typed.strip_prefix('@').map(Path::new)) {
        Some(path) => read(path)?,
        None => typed.as_bytes().to_vec(),
    };
    let of = if mock.is_some() { "mock-request.json" } else { "--input" };
    let wrong = |why: &dyn std::fmt::Display| Complaint::usage(format!("{of}: {why}"));
    let json: Value = serde_json::from_slice(&text).map_err(|e| wrong(&e))?;
    if !json.is_object() {
        return Err(wrong(&"expected a JSON object, such as {\"body\": \"text\"}"));
    }
    let raw = flags.body.as_deref().map(read).transpose()?;
    envelope(&json, raw.as_deref())
}

/// Each slot's secret from its source; what has none is asked for, or left out when the op
/// can do without.
fn secrets(
    flags: &CallFlags,
    place: &Place,
    console: &mut Console<'_>,
) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Complaint> {
    let mut secrets = BTreeMap::new();
    let mut take = |slot: &str, value| match secrets.insert(slot.to_owned(), value) {
        Some(_) => Err(Complaint::usage(format!("slot {slot} is given twice"))),
        None => Ok(()),
    };
    for text in &flags.secret_fd {
        let (slot, number) = pair(text, "--secret-fd SLOT=N")?;
        let number: u32 = number.parse().map_err(|_| Complaint::usage("expected --secret-fd SLOT=N"))?;
        let cannot = |e: std::io::Error| Complaint::failed(format!("cannot read descriptor {number}: {e}"));
        let mut file = File::open(format!("/dev/fd/{number}")).map_err(cannot)?;
        take(slot, trimmed(read_whole(&mut file, MOST_SECRET).map_err(cannot)?))?;
    }
    for text in &flags.secret_env {
        let (slot, name) = pair(text, "--secret-env SLOT=VARIABLE")?;
        let value = console.environment.variable(name);
        let value = value.ok_or_else(|| Complaint::failed(format!("the variable {name} is not set")))?;
        take(slot, Zeroizing::new(value.into_bytes()))?;
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
        let value = value.map_err(|e| {
            Complaint::failed(match e {
                Unanswered::Aborted | Unanswered::Terminal(_) => e.to_string(),
                Unanswered::SeveralLines | Unanswered::TooLong => {
                    format!("slot {slot}: one line can be typed; hand anything else over with --secret-fd {slot}=N")
                }
            })
        });
        secrets.insert(slot, value?);
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
