//! `txco op push`: an op goes to a chassis, which checks it before it keeps it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Limits;
use serde_json::{Value, json};

use super::place::{Component, Place, sandbox};
use crate::cli::client;
use crate::cli::output::{Complaint, Console};
use crate::cli::target::{Agreed, Carries, Target, TenantFlags};

/// Flags of `txco op push`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// An op's folder, or a component
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    tenant: TenantFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Builds what must be built, and sends it.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
    let tenant = flags.tenant.slug(console.environment);
    let place = Place::at(&flags.path, console)?;
    let limits = Limits::default();
    place.check(&sandbox(&limits, console.environment)?, &limits)?;
    target.may_change(console, Agreed::of(flags.yes, flags.json), Carries::Metadata)?;
    let builds = place.components.iter().map(incoming).collect::<Result<Vec<_>, _>>()?;
    let name = place.manifest.name.as_str();
    let path = format!("/v1/tenants/{}/ops/{}", client::encoded(&tenant), client::encoded(name));
    let reply = client::call(&target, "PUT", &path, Some(&json!({ "builds": builds })))?;
    if flags.json {
        return console.print(&reply.body.to_string());
    }
    let pushed = reply.body.get("pushed").and_then(Value::as_str).unwrap_or_default();
    console.print(&format!("{pushed} op://{name} in tenant {tenant:?}"))?;
    for one in &place.components {
        console.print(&format!("  {}  sha256:{}", one.delivery, one.facts.digest))?;
    }
    console.note(
        "rules of a --workspace or `txco dev` take it within --follow-period; applied rules at their next `txco apply`",
    );
    Ok(())
}

/// An op, built and ready to be sent.
pub(in crate::cli) struct Parcel {
    /// Its name.
    pub(in crate::cli) name: String,
    /// Its components, as a push has them.
    pub(in crate::cli) builds: Vec<Value>,
    /// Name, delivery and digest of each.
    pub(in crate::cli) digests: Vec<[String; 3]>,
}

/// Builds the op whose sources lie in `folder`.
pub(in crate::cli) fn parcel(folder: &Path, console: &mut Console<'_>) -> Result<Parcel, Complaint> {
    let place = Place::at(folder, console)?;
    let name = place.manifest.name.as_str().to_owned();
    let builds = place.components.iter().map(incoming).collect::<Result<Vec<_>, _>>()?;
    let digest =
        |one: &Component| [name.clone(), one.delivery.word().to_owned(), one.facts.digest.to_string()];
    let digests = place.components.iter().map(digest).collect();
    Ok(Parcel { name, builds, digests })
}

fn incoming(one: &Component) -> Result<Value, Complaint> {
    let file = one.signature_file();
    let signature = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Complaint::failed(format!("cannot read {}: {error}", file.display()))),
    };
    let component = STANDARD.encode(&one.bytes);
    Ok(json!({ "delivery": one.delivery.word(), "component": component, "signature": signature }))
}
