//! Invitations: made, listed, taken back.

use serde_json::{Value, json};

use super::super::client::encoded;
use super::super::output::{Complaint, Console, cell, table};
use super::{ChangeFlags, LookFlags, Place, listed, needed, text};

/// Flags of `txco auth invite`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct InviteFlags {
    /// What the invited will be called
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// What they are: human, ci, …
    #[arg(long, value_name = "WORD", default_value = "human")]
    kind: String,
    /// How long it can be accepted; at most 168h
    #[arg(long, value_name = "TIME", default_value = "24h")]
    ttl: String,
    /// What they may do [default: admin:all]
    #[arg(long, value_name = "CAP,…")]
    caps: Option<String>,
    #[command(flatten)]
    pub(super) change: ChangeFlags,
}

/// Flags of `txco auth revoke-invitation`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RevokeInvitationFlags {
    /// The invitation, as `txco auth invitations` shows it
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    pub(super) change: ChangeFlags,
}

pub(super) fn invite(flags: &InviteFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_change(&flags.change, console)?;
    let body = json!({
        "label": flags.label.as_deref().unwrap_or_default(),
        "kind": flags.kind,
        "ttl": flags.ttl,
        "capabilities": listed(flags.caps.as_deref().unwrap_or_default()),
    });
    let reply = place.call("POST", "/invitations", Some(&body))?;
    let shown = format!(
        "invitation_id: {}\ntoken:         {}\nexpires_at:    {}\n\n\
         Tell the token to whom you invite, over a channel you trust; they run:\n  \
         txco auth accept --url {}   (and paste the token)",
        text(&reply.body, "invitation_id"),
        text(&reply.body, "token"),
        text(&reply.body, "expires_at"),
        place.target.url,
    );
    place.done(console, &reply.body, &shown)
}

pub(super) fn list(flags: &LookFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::to_see(flags, console)?;
    let reply = place.call("GET", "/invitations", None)?;
    let header = ["ID", "STATUS", "LABEL", "CREATED_BY", "EXPIRES_AT", "CONSUMED_BY"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for one in reply.body.get("invitations").and_then(Value::as_array).into_iter().flatten() {
        let members = ["invitation_id", "status", "label", "created_by", "expires_at", "consumed_by"];
        rows.push(members.map(|member| cell(&text(one, member))).to_vec());
    }
    let shown = if rows.len() == 1 { "(no invitations)".to_owned() } else { table(&rows) };
    place.done(console, &reply.body, &shown)
}

pub(super) fn revoke(flags: &RevokeInvitationFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let id = needed(flags.id.as_deref(), "ID")?;
    let place = Place::to_change(&flags.change, console)?;
    let reply = place.call("POST", &format!("/invitations/{}/revoke", encoded(id)), None)?;
    place.done(console, &reply.body, &format!("revoked {}", cell(id)))
}
