//! `txco auth tenant secrets import`: a dotenv file into the store, all of it or nothing.

use std::fs::File;
use std::path::Path;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::dotenv::{self, Entry};
use super::{Place, flags, put};
use crate::admin::{MAX_IMPORT_BYTES, MAX_IMPORTED};
use crate::cli::output::{Complaint, Console};
use crate::cli::prompt::read_whole;
use crate::cli::target::Carries;
use crate::cli::value;

pub(super) fn run(flags: &flags::Import, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::of(&flags.common, flags.target.as_deref(), console)?;
    let file = flags.env_file.as_deref();
    let file = file.ok_or_else(|| Complaint::usage("--env-file is required (--env-file - reads stdin)"))?;
    place.target.may_change(console, place.agreed(flags.yes), Carries::Value)?;
    let text = read(file, console)?;
    let entries =
        dotenv::parse(&text).map_err(|wrong| Complaint::failed(format!("{}, {wrong}", file.display())))?;
    drop(text);
    if entries.is_empty() {
        return Err(Complaint::failed(format!("{} has no values", file.display())));
    }
    if entries.len() > MAX_IMPORTED {
        return Err(Complaint::failed(format!(
            "{} has {} values; at most {MAX_IMPORTED} are stored in one step: divide it",
            file.display(),
            entries.len()
        )));
    }
    let mut body = json!({ "secrets": entries.iter().map(member).collect::<Vec<_>>() });
    put(&mut body, "stack", flags.stack.as_deref());
    let reply = place.call("POST", "/import", "", Some(&body))?;
    drop(body);
    if flags.common.json {
        return console.print(&reply.body.to_string());
    }
    for (entry, record) in entries.iter().zip(stored(&reply.body)) {
        let version = record.get("version_no").and_then(Value::as_u64).unwrap_or_default();
        let how = if version == 1 { "created" } else { "rotated" };
        let bytes = entry.value.len();
        let plural = if bytes == 1 { "byte" } else { "bytes" };
        console.print(&format!("{how} {} (v{version}), {bytes} {plural}", entry.name))?;
    }
    let count = |member: &str| reply.body.get(member).and_then(Value::as_u64).unwrap_or_default();
    console.note(&format!(
        "imported {} values into tenant {:?}: {} created, {} rotated",
        entries.len(),
        place.tenant,
        count("created"),
        count("rotated")
    ));
    Ok(())
}

fn stored(body: &Value) -> impl Iterator<Item = &Value> {
    body.get("secrets").and_then(Value::as_array).into_iter().flatten()
}

fn member(entry: &Entry) -> Value {
    let mut member = json!({ "name": entry.name.as_str() });
    value::put(&mut member, &entry.value);
    member
}

fn read(file: &Path, console: &mut Console<'_>) -> Result<Zeroizing<Vec<u8>>, Complaint> {
    let cannot = |e: std::io::Error| Complaint::failed(format!("cannot read {}: {e}", file.display()));
    let text = if file == Path::new("-") {
        console.input.whole(MAX_IMPORT_BYTES).map_err(cannot)?
    } else {
        read_whole(&mut File::open(file).map_err(cannot)?, MAX_IMPORT_BYTES).map_err(cannot)?
    };
    if text.len() > MAX_IMPORT_BYTES {
        return Err(Complaint::failed(format!(
            "{} is longer than {MAX_IMPORT_BYTES} bytes: divide it",
            file.display()
        )));
    }
    Ok(text)
}
