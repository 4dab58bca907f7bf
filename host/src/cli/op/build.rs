//! `txco op build`: sources to components, checked as a chassis checks them.

use std::path::PathBuf;

use sandbox::Limits;
use serde_json::json;

use super::place::{Place, sandbox};
use crate::cli::output::{Complaint, Console};

/// Flags of `txco op build`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The op's folder
    #[arg(value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Builds it.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    if flags.path.is_file() {
        return Err(Complaint::usage("DIR is the folder with op.toml"));
    }
    let place = Place::at(&flags.path, console)?;
    let limits = Limits::default();
    place.check(&sandbox(&limits, console.environment)?, &limits)?;
    let mut records = Vec::new();
    for one in &place.components {
        one.write()?;
        let (file, digest, size) =
            (one.file.display().to_string(), one.facts.digest.to_string(), one.facts.size);
        if !flags.json {
            console.print(&format!("{file}  {size} bytes  sha256:{digest}  ({})", one.delivery))?;
        }
        records
            .push(json!({ "file": file, "delivery": one.delivery.word(), "digest": digest, "size": size }));
    }
    if flags.json { console.print(&json!({ "builds": records }).to_string()) } else { Ok(()) }
}
