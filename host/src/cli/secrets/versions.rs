//! `secrets versions | rollback | prune | destroy`: the life of a secret's versions.

use serde_json::{Value, json};

use super::named::Named;
use super::{Place, stack_query};
use crate::cli::output::{Complaint, Console, cell, table};
use crate::cli::target::Carries;

/// Flags of `versions`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Versions {
    #[command(flatten)]
    pub(super) named: Named,
}

/// Flags of `rollback`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(super) named: Named,
    /// Which version [default: the newest before the one in use]
    #[arg(long, value_name = "N")]
    pub(super) to: Option<u32>,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

/// Flags of `prune`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(super) named: Named,
    /// How many versions stay, the one in use included; one that is retiring stays too
    #[arg(long, value_name = "N")]
    pub(super) keep: Option<u32>,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

/// Flags of `destroy`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(super) named: Named,
    /// Which version
    #[arg(long, value_name = "N")]
    pub(super) version: Option<u32>,
    /// All versions of the secrets of this name that are revoked
    #[arg(long, conflicts_with = "version")]
    pub(super) revoked: bool,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

/// What no command of this chassis can change.
const BACKUPS: &str = "this database's files hold it no more. Backups of the database made before (and a copy ….before-txco) \
                       still open under the same master key: delete them, or rotate the master key and destroy the old one";

pub(super) fn versions(flags: &Versions, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    place.target.may_read()?;
    let stack = stack_query(flags.named.stack.as_deref());
    let reply = place.call("GET", &format!("/{name}/versions"), &stack, None)?;
    let text = table_of(&reply.body);
    place.done(console, &reply, &text)
}

pub(super) fn rollback(flags: &Rollback, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    place.target.may_change(console, place.agreed(flags.yes), Carries::Metadata)?;
    let stack = stack_query(flags.named.stack.as_deref());
    let body = flags.to.map_or_else(|| json!({}), |to| json!({ "to": to }));
    let reply = place.call("POST", &format!("/{name}/rollback"), &stack, Some(&body))?;
    let version = super::version(&reply);
    let text = format!("{name} is back at v{version} in tenant {:?}; its policy is today's", place.tenant);
    place.done(console, &reply, &text)
}

pub(super) fn prune(flags: &Prune, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    let keep = flags.keep.filter(|keep| *keep > 0);
    let keep = keep.ok_or_else(|| Complaint::usage("--keep N is required, and at least 1"))?;
    place.target.may_change(console, place.agreed(flags.yes), Carries::Metadata)?;
    let stack = stack_query(flags.named.stack.as_deref());
    let reply = place.call("POST", &format!("/{name}/prune"), &stack, Some(&json!({ "keep": keep })))?;
    let gone = reply.body.get("destroyed").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let gone: Vec<_> = gone.iter().filter_map(Value::as_u64).map(|number| format!("v{number}")).collect();
    let text = match gone.as_slice() {
        [] => format!("{name} has no versions to prune"),
        gone => format!("destroyed {} of {name}: {BACKUPS}", gone.join(", ")),
    };
    place.done(console, &reply, &text)
}

pub(super) fn destroy(flags: &Destroy, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    let version = match flags.version {
        None if flags.revoked => None,
        version => Some(version.ok_or_else(|| Complaint::usage("--version N or --revoked is required"))?),
    };
    place.target.may_change(console, place.agreed(flags.yes), Carries::Metadata)?;
    let stack = stack_query(flags.named.stack.as_deref());
    let Some(version) = version else {
        let reply = place.call("DELETE", &format!("/{name}/revoked"), &stack, None)?;
        let gone = reply.body.get("destroyed").and_then(Value::as_array).map_or(0, Vec::len);
        return place.done(
            console,
            &reply,
            &format!("destroyed {gone} versions of the revoked {name}: {BACKUPS}"),
        );
    };
    let reply = place.call("DELETE", &format!("/{name}/versions/{version}"), &stack, None)?;
    place.done(console, &reply, &format!("destroyed v{version} of {name}: {BACKUPS}"))
}

/// The table of `versions`, newest first.
fn table_of(body: &Value) -> String {
    let header =
        ["VERSION", "STATE", "CREATED_AT", "CREATED_BY", "EXPIRES_AT", "KEY_ENCODING", "USES", "LAST_USED"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let versions = body.get("versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rows.extend(versions.iter().map(|one| {
        let text = |member: &str| cell(one.get(member).and_then(Value::as_str).unwrap_or_default());
        let number = |member: &str| one.get(member).and_then(Value::as_u64).unwrap_or_default();
        vec![
            format!("v{}", number("version_no")),
            text("state"),
            text("created_at"),
            text("created_by"),
            text("expires_at"),
            text("key_encoding"),
            number("uses").to_string(),
            text("last_used_at"),
        ]
    }));
    table(&rows)
}
