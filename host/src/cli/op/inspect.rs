//! `txco op inspect`: what an op imports, asks for, returns and begins with.

use std::path::PathBuf;

use sandbox::{Limits, Sandbox, Trust};
use serde_json::{Value, json};

use super::place::{Component, Place, called, sandbox};
use crate::cli::output::{Complaint, Console, cell};
use crate::op_signature;

/// Flags of `txco op inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// An op's folder, or a component
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Shows it.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::at(&flags.path, console)?;
    let sandbox = sandbox(&Limits::default(), console.environment)?;
    if flags.json {
        let builds: Vec<_> = place.components.iter().map(|one| record_of(one, &sandbox)).collect();
        let whole = json!({ "name": place.manifest.name.as_str(), "about": about(&place), "builds": builds });
        return console.print(&whole.to_string());
    }
    console.print(&text_of(&place, &sandbox))
}

/// What a call of it may use in a chassis with the default settings.
fn limits(one: &Component) -> Limits {
    Limits::default().of_component(one.bytes.len())
}

fn record_of(one: &Component, sandbox: &Sandbox) -> Value {
    let (limits, op) = (limits(one), one.load(sandbox, Trust::Tenant));
    let layered = op.as_ref().ok().map(|op| op.layered());
    json!({
        "delivery": one.delivery.word(),
        "digest": one.facts.digest.to_string(),
        "size": one.facts.size,
        "imports": one.facts.imports,
        "exports": one.facts.exports,
        "memory": one.facts.memory,
        "table_elements": one.facts.table_elements,
        "functions": one.facts.functions,
        "limits": {
            "memory": limits.memory,
            "wall_ms": u64::try_from(limits.wall.as_millis()).unwrap_or(u64::MAX),
            "table_elements": limits.tables,
        },
        "direct": layered.map(|why| why.is_none()),
        "why_not_direct": layered.flatten().map(|why| why.to_string()),
        "refused": op.err().map(|refused| refused.message),
        "signed_by": signer(one),
    })
}

fn about(place: &Place) -> Value {
    let manifest = &place.manifest;
    let slots = manifest.slots.iter().map(|(name, slot)| {
        json!({ "slot": name, "optional": slot.optional, "accepts_retiring": slot.accepts_retiring })
    });
    let outputs = manifest
        .outputs
        .iter()
        .map(|output| json!({ "path": output.path, "param": output.param, "class": output.class.word() }));
    json!({
        "description": manifest.description,
        "budget_ms": manifest.budget_ms,
        "failures": manifest.failures,
        "slots": slots.collect::<Vec<_>>(),
        "params": manifest.params.keys().collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

fn text_of(place: &Place, sandbox: &Sandbox) -> String {
    let manifest = &place.manifest;
    let joined = |words: Vec<String>| cell(&words.join(", "));
    let slots = manifest.slots.iter().map(|(name, slot)| {
        let marks = [(slot.optional, "optional"), (slot.accepts_retiring, "accepts a retiring version")];
        let marks: Vec<_> = marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        if marks.is_empty() { name.clone() } else { format!("{name} ({})", marks.join(", ")) }
    });
    let outputs = manifest.outputs.iter().map(|one| format!("{} ({})", one.path, one.class.word()));
    let mut lines = vec![
        format!("op:        {}", manifest.name),
        format!("about:     {}", cell(&manifest.description)),
        format!("slots:     {}", joined(slots.collect())),
        format!("params:    {}", joined(manifest.params.keys().cloned().collect())),
        format!("outputs:   {}", joined(outputs.collect())),
        format!("failures:  {}", joined(manifest.failures.clone())),
        format!("budget:    {} ms", manifest.budget_ms),
    ];
    for one in &place.components {
        let (facts, limits) = (&one.facts, limits(one));
        let called = match one.load(sandbox, Trust::Tenant) {
            Ok(op) => called(op.layered()),
            Err(refused) => format!("never: {}", refused.message),
        };
        lines.extend([
            String::new(),
            format!("build:     {}  {}", one.delivery, one.file.display()),
            format!("digest:    sha256:{}", facts.digest),
            format!("size:      {} bytes, {} functions", facts.size, facts.functions),
            format!("begins:    {} bytes of memory, {} table elements", facts.memory, facts.table_elements),
            format!(
                "limits:    {} bytes of memory, {} table elements, {:?}",
                limits.memory, limits.tables, limits.wall
            ),
            format!("imports:   {}", joined(facts.imports.clone())),
            format!("called:    {}", cell(&called)),
            format!("signed by: {}", cell(&signer(one).unwrap_or_default())),
        ]);
    }
    lines.join("\n")
}

fn signer(one: &Component) -> Option<String> {
    let text = std::fs::read_to_string(one.signature_file()).ok()?;
    Some(match op_signature::signer(&one.facts.digest, text.trim()) {
        Ok(key) => key.to_string(),
        Err(error) => format!("nobody: {error}"),
    })
}
