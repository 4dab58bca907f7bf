//! The members of a tenant, and what they may do there.

use serde_json::{Value, json};

use super::super::client::{self, encoded};
use super::super::output::{Complaint, Console, cell, table};
use super::{ChangeFlags, LookFlags, Place, capabilities, listed, needed, text};

/// Flags of `txco auth tenant grant`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct GrantFlags {
    /// The actor, as `txco auth tenant members` or `whoami` shows it
    #[arg(value_name = "ACTOR")]
    actor: Option<String>,
    /// What they may do from now on, such as secret:*:read,secret:STRIPE_*:write
    #[arg(long, value_name = "CAP,…")]
    caps: Option<String>,
    #[command(flatten)]
    pub(super) change: ChangeFlags,
}

/// Flags of `txco auth tenant revoke`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RemoveFlags {
    /// The actor
    #[arg(value_name = "ACTOR")]
    actor: Option<String>,
    #[command(flatten)]
    pub(super) change: ChangeFlags,
}

pub(super) fn list(flags: &LookFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_see(flags, console)?;
    let reply = place.call("GET", "/members", None)?;
    let mut rows = vec![["ACTOR_ID", "LABEL", "CAPABILITIES", "SINCE"].map(str::to_owned).to_vec()];
    for member in reply.body.get("members").and_then(Value::as_array).into_iter().flatten() {
        rows.push(vec![
            cell(&text(member, "actor_id")),
            cell(&text(member, "label")),
            cell(&capabilities(member)),
            cell(&text(member, "created_at")),
        ]);
    }
    let empty = rows.len() == 1;
    let shown = if empty { format!("(no members in tenant {:?})", place.tenant) } else { table(&rows) };
    place.done(console, &reply.body, &shown)
}

pub(super) fn grant(flags: &GrantFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let actor = needed(flags.actor.as_deref(), "ACTOR")?;
    let caps = listed(needed(flags.caps.as_deref(), "--caps")?);
    let place = Place::to_change(&flags.change, console)?;
    let reply = place.call("POST", "/members", Some(&json!({ "actor_id": actor, "capabilities": caps })))?;
    let shown = format!(
        "granted {} in tenant {}:\n  label: {}\n  capabilities: {}",
        cell(&text(&reply.body, "actor_id")),
        place.tenant,
        cell(&text(&reply.body, "label")),
        cell(&capabilities(&reply.body)),
    );
    place.done(console, &reply.body, &shown)
}

pub(super) fn remove(flags: &RemoveFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let actor = needed(flags.actor.as_deref(), "ACTOR")?;
    let place = Place::to_change(&flags.change, console)?;
    place.call("DELETE", &format!("/members/{}", encoded(actor)), None)?;
    let body = json!({ "removed": true, "actor_id": actor, "tenant": place.tenant });
    place.done(console, &body, &format!("removed {} from tenant {}", cell(actor), place.tenant))
}

/// Where one is a member oneself.
pub(super) fn own(flags: &LookFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_see(flags, console)?;
    let reply = client::call(&place.target, "GET", "/auth/whoami", None)?;
    let memberships = reply.body.get("memberships").cloned().unwrap_or_else(|| json!([]));
    let mut rows = vec![["ACTIVE", "TENANT", "CAPABILITIES"].map(str::to_owned).to_vec()];
    for one in memberships.as_array().into_iter().flatten() {
        let slug = text(one, "tenant_slug");
        let mark = if slug == place.tenant { "*" } else { "" };
        rows.push(vec![mark.to_owned(), cell(&slug), cell(&capabilities(one))]);
    }
    let shown = if rows.len() == 1 { "(no memberships)".to_owned() } else { table(&rows) };
    place.done(console, &json!({ "memberships": memberships }), &shown)
}
